//! The chain: segments that follow each other, frames in their order, leaves with rising numbers
//! and times.

use crate::leaf::{LeafView, LogName, read_leaf};
use crate::log::LogCheck;
use crate::record::{Records, place};
use crate::report::{FaultKind, Mode, Place, Report};
use crate::tail::{End, Tail};
use crate::walk::{Block, FoundFrame, Item};
use journal::Position;
use journal::format::{
    BadHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentEnd, SegmentHeader, Watermark, segment_name,
};
use ledger::leaf_hash;

/// What an epoch's segments are held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// None where `meta.json` does not tell.
    pub log: Option<LogName<'a>>,
    pub mode: Mode,
    pub watermark: Option<Watermark>,
}

/// Follows the segments of one epoch.
pub(crate) struct Chain<'a> {
    expected: Expected<'a>,
    epoch: u32,
    log: LogCheck,
    records: Records,
    /// The segment at hand; none before the first.
    segment: Option<Segment>,
    next_seq: u64,
    last_ts_micros: i64,
    whole_to: Position,
    /// A file that was prepared, and not begun so far.
    prepared: Option<u32>,
}

/// The segment at hand.
#[derive(Debug)]
struct Segment {
    number: u32,
    totals: SegmentEnd,
    /// Offset and header CRC of the closing frame.
    closed: Option<(u64, u32)>,
    damaged: bool,
    end: Option<Ending>,
}

/// What stands behind the last frame, where that is not only zeros.
#[derive(Debug)]
struct Ending {
    at: u64,
    what: &'static str,
    to: u64,
}

// === impl Chain ===

impl<'a> Chain<'a> {
    pub(crate) fn new(
        expected: Expected<'a>,
        epoch: u32,
        last_ts_micros: i64,
        log: LogCheck,
    ) -> Self {
        Self {
            expected,
            epoch,
            log,
            records: Records::default(),
            segment: None,
            next_seq: 0,
            last_ts_micros,
            whole_to: Position { epoch, segment: 0, offset: SEGMENT_HEADER_BYTES },
            prepared: None,
        }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Takes in what was found in part of a segment.
    pub(crate) fn block(&mut self, block: &Block, report: &mut Report) {
        for item in &block.items {
            match item {
                Item::Header(header) => self.begin(block.segment, *header, report),
                Item::Frame(frame) => self.frame(block.segment, frame, &block.bytes, report),
                Item::Bad { at, what } => {
                    let at = Position { offset: *at, ..block.segment };
                    self.damage(at, what, report);
                }
                Item::End { at, what, nonzero_to: Some(to) } => {
                    if let Some(prepared) = self.prepared.take() {
                        self.fault_empty(prepared, report);
                    } else if let Some(segment) = &mut self.segment {
                        segment.end = Some(Ending { at: *at, what, to: *to });
                    }
                }
                Item::End { .. } => {}
            }
        }
    }

    /// A segment file begins.
    fn begin(
        &mut self,
        at: Position,
        header: Result<SegmentHeader, BadHeader>,
        report: &mut Report,
    ) {
        report.segments += 1;
        if let Some(prepared) = self.prepared.take() {
            self.fault_empty(prepared, report);
        }
        if matches!(header, Err(BadHeader::Empty)) {
            self.prepared = Some(at.segment);
        } else {
            self.enter(at, header, report);
        }
    }

    /// A segment with something in it begins, so the one at hand must be closed.
    fn enter(
        &mut self,
        at: Position,
        header: Result<SegmentHeader, BadHeader>,
        report: &mut Report,
    ) {
        let number = self.segment.as_ref().map_or(0, |segment| segment.number.saturating_add(1));
        let previous = self.segment.take();
        if let Some(previous) = &previous {
            self.must_be_closed(previous, report);
        }
        if at.segment > number {
            report.fault(
                FaultKind::Segment,
                Place::file(format!("journal/{}", segment_name(self.epoch, number))),
                format!(
                    "{} segment(s) missing from here to {}: restore them",
                    at.segment - number,
                    segment_name(self.epoch, at.segment - 1),
                ),
            );
        }
        let previous = previous.filter(|_| at.segment == number);
        match header {
            Ok(header) => self.follows(at, &header, previous.as_ref(), report),
            Err(bad) => report.fault(FaultKind::Segment, place(at), what_header(bad)),
        }
        self.whole_to = Position { offset: SEGMENT_HEADER_BYTES, ..at };
        self.segment = Some(Segment {
            number: at.segment,
            totals: SegmentEnd::default(),
            closed: None,
            damaged: header.is_err(),
            end: None,
        });
    }

    fn fault_empty(&self, number: u32, report: &mut Report) {
        let at = Position { epoch: self.epoch, segment: number, offset: 0 };
        report.fault(FaultKind::Segment, place(at), what_header(BadHeader::Empty));
    }

    /// Every segment that another follows is closed, with zeros behind its closing frame.
    fn must_be_closed(&mut self, previous: &Segment, report: &mut Report) {
        self.records.segment_ends(report);
        let at = Position { segment: previous.number, ..self.whole_to };
        if let Some(end) = &previous.end {
            report.fault(FaultKind::Frame, place(Position { offset: end.at, ..at }), end.what);
        }
        if previous.closed.is_none() {
            report.fault(
                FaultKind::Segment,
                place(at),
                "the segment has no closing frame, and others follow it",
            );
        }
    }

    /// The header names the segment before it by the place and checksum of its closing frame.
    fn follows(
        &mut self,
        at: Position,
        header: &SegmentHeader,
        previous: Option<&Segment>,
        report: &mut Report,
    ) {
        let first = at.segment == 0;
        let known = first || previous.is_some_and(|previous| !previous.damaged);
        let before = previous.and_then(|previous| previous.closed).unwrap_or((0, 0));
        let follows = (header.prev_end, header.prev_crc) == before
            && header.first_seq == self.next_seq
            && (first || header.last_ts_micros == self.last_ts_micros);
        if known && !follows {
            report.fault(
                FaultKind::Segment,
                place(at),
                "the segment does not follow the one before it: one of them was exchanged",
            );
        }
        if !known || first {
            self.last_ts_micros = self.last_ts_micros.max(header.last_ts_micros);
        }
    }

    fn damage(&mut self, at: Position, what: &str, report: &mut Report) {
        report.fault(FaultKind::Frame, place(at).seq(self.next_seq), what);
        if let Some(segment) = &mut self.segment {
            segment.damaged = true;
        }
    }

    fn frame(&mut self, segment: Position, frame: &FoundFrame, bytes: &[u8], report: &mut Report) {
        let at = Position { offset: frame.at, ..segment };
        report.frames += 1;
        if self.prepared.take().is_some() {
            self.enter(segment, Err(BadHeader::Empty), report);
        }
        if let Some(what) = frame.damage {
            self.damage(at, what, report);
        }
        if self.segment.as_ref().is_some_and(|segment| segment.closed.is_some()) {
            report.fault(
                FaultKind::Frame,
                place(at),
                "a frame stands behind the segment's closing frame",
            );
        }
        self.in_order(at, frame, report);
        let mode = self.expected.mode;
        match frame.fields.kind {
            FrameKind::Leaf => self.leaf(at, frame, bytes, report),
            FrameKind::SegmentEnd => self.close(at, frame, bytes, report),
            _ => self.records.frame(segment, frame, bytes, mode, report),
        }
        if !self.records.begun() {
            self.whole_to = Position { offset: frame.next, ..segment };
        }
        if let Some(segment) =
            self.segment.as_mut().filter(|_| frame.fields.kind != FrameKind::SegmentEnd)
        {
            segment.totals.frames += 1;
            segment.totals.leaves += u64::from(frame.fields.kind == FrameKind::Leaf);
            segment.totals.bytes += frame.next - frame.at;
        }
    }

    /// Every frame names the leaf that it is, or that comes next.
    fn in_order(&mut self, at: Position, frame: &FoundFrame, report: &mut Report) {
        let (found, next) = (frame.fields.seq, self.next_seq);
        if found == next {
            return;
        }
        let what = if found > next {
            format!("records {next} to {} are missing in front of this frame", found - 1)
        } else {
            format!("record {found} stands here again or too late; record {next} should")
        };
        report.fault(FaultKind::Sequence, place(at).seq(found), what);
        self.next_seq = found;
        if let Some(segment) = &mut self.segment {
            segment.damaged = true;
        }
    }

    fn leaf(&mut self, at: Position, frame: &FoundFrame, bytes: &[u8], report: &mut Report) {
        report.records += 1;
        let payload = &bytes[frame.payload.clone()];
        let hash = leaf_hash(payload);
        let here = || place(at).seq(frame.fields.seq);
        let view = match read_leaf(payload, self.expected.log) {
            Ok(view) => {
                self.states(&view, frame, at, report);
                Some(view)
            }
            Err(error) => {
                report.fault(FaultKind::Leaf, here(), error.to_string());
                None
            }
        };
        if frame.fields.ts_micros <= self.last_ts_micros {
            report.fault(
                FaultKind::Time,
                here(),
                "the record's time is not later than that of the record before it",
            );
        }
        self.last_ts_micros = frame.fields.ts_micros;
        self.records.leaf(at, view.as_ref(), self.expected.mode, report);
        self.next_seq = frame.fields.seq.saturating_add(1);
        self.log.append(hash, report);
    }

    /// What the leaf says of itself is what its frame and its log say.
    fn states(&self, view: &LeafView, frame: &FoundFrame, at: Position, report: &mut Report) {
        report.events += view.events.len() as u64;
        let mut must = |same: bool, what: &str| {
            if !same {
                report.fault(
                    FaultKind::Leaf,
                    place(at).seq(frame.fields.seq),
                    format!("the leaf states another {what}"),
                );
            }
        };
        must(view.seq == frame.fields.seq, "number than its frame");
        must(view.ts_micros == frame.fields.ts_micros, "time than its frame");
        must(view.epoch == u64::from(self.epoch), "epoch than its segment");
        must(view.same_log, "tenant or writer than meta.json");
    }

    fn close(&mut self, at: Position, frame: &FoundFrame, bytes: &[u8], report: &mut Report) {
        self.records.segment_ends(report);
        let next_first_seq = self.next_seq;
        let Some(segment) = &mut self.segment else { return };
        let stated = SegmentEnd::decode(&bytes[frame.payload.clone()]);
        let counted = SegmentEnd { next_first_seq, ..segment.totals };
        if stated != Some(counted) && !segment.damaged {
            report.fault(
                FaultKind::Segment,
                place(at),
                "the segment's closing frame counts other frames than stand there",
            );
        }
        segment.closed = Some((frame.at, frame.header_crc));
    }

    /// The epoch's last segment was read; `last` where no later epoch follows. Yields the time of
    /// its last record.
    pub(crate) fn finish(mut self, last: bool, report: &mut Report) -> i64 {
        let incomplete = self.records.finish(report);
        let tail = self.tail(incomplete);
        let mark = self.expected.watermark.filter(|mark| mark.end.epoch == self.epoch);
        End { whole_to: self.whole_to, next_seq: self.next_seq, last }.judge(tail, mark, report);
        self.log.finish(last, report);
        self.last_ts_micros
    }

    /// What stands behind the last whole record.
    fn tail(&self, incomplete: Option<Position>) -> Option<Tail> {
        let segment = self.segment.as_ref()?;
        let base = Position { epoch: self.epoch, segment: segment.number, offset: 0 };
        let closed = segment.closed.is_some();
        let end = segment.end.as_ref().map(|end| Tail {
            at: Position { offset: end.at, ..base },
            what: if closed { "bytes behind the segment's closing frame" } else { end.what },
            to: end.to,
            closed,
        });
        end.or(incomplete.map(|at| Tail {
            at,
            what: "the last record lacks its leaf",
            to: at.offset,
            closed,
        }))
    }
}

const fn what_header(bad: BadHeader) -> &'static str {
    match bad {
        BadHeader::Empty => "zeros where the segment's header must be",
        BadHeader::Damaged(what) => what,
        _ => "the segment's header has a newer format",
    }
}
