//! Where an epoch ends: whether what was acknowledged is there, and nothing else.

use crate::record::place;
use crate::report::{FaultKind, Place, Report};
use journal::Position;
use journal::format::Watermark;

/// Bytes behind the last whole record.
#[derive(Debug)]
pub(crate) struct Tail {
    pub at: Position,
    pub what: &'static str,
    pub to: u64,
    /// Whether a closing frame stands in front of them.
    pub closed: bool,
}

/// The end of an epoch's records.
#[derive(Debug)]
pub(crate) struct End {
    pub whole_to: Position,
    pub next_seq: u64,
    /// Whether no later epoch follows.
    pub last: bool,
}

// === impl End ===

impl End {
    /// Holds the end against the watermark, and judges what stands behind it.
    pub(crate) fn judge(&self, tail: Option<Tail>, mark: Option<Watermark>, report: &mut Report) {
        match (mark, tail) {
            (Some(mark), tail) if mark.end > self.whole_to => {
                let (at, what) =
                    tail.map_or((self.whole_to, "the journal ends"), |t| (t.at, t.what));
                report.fault(
                    FaultKind::Truncated,
                    place(at).seq(self.next_seq),
                    format!(
                        "{what}; everything up to {} (record {}) was acknowledged",
                        mark.end, mark.next_seq,
                    ),
                );
            }
            (_, Some(tail)) => self.behind(&tail, report),
            (_, None) => {}
        }
        if let Some(mark) = mark.filter(|m| m.end <= self.whole_to && m.next_seq > self.next_seq) {
            report.fault(
                FaultKind::Truncated,
                Place::file("journal/watermark").seq(mark.next_seq),
                format!("{} records were acknowledged, {} are there", mark.next_seq, self.next_seq),
            );
        }
    }

    fn behind(&self, tail: &Tail, report: &mut Report) {
        let what = format!("{} (up to byte {})", tail.what, tail.to);
        if tail.closed {
            report.fault(FaultKind::Frame, place(tail.at), what);
        } else if self.last {
            report.fault(
                FaultKind::TornTail,
                place(tail.at).seq(self.next_seq),
                format!(
                    "{what}: a write that a crash cut off, which the next start removes, \
                     or bytes put there"
                ),
            );
        } else {
            report.note(format!("{}: {what}; a later epoch goes on without it", place(tail.at)));
        }
    }
}
