//! Calls that went through without a record: counted here, recorded when that works again.

use event::{RecordingGap, Timestamp};
use journal::{Journal, Reserve};
use std::sync::{Arc, Mutex, PoisonError};

/// The gap that is open now, where one is.
#[derive(Debug)]
pub(crate) struct Gap {
    journal: Arc<Journal>,
    current: Mutex<Option<Span>>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    from: Timestamp,
    to: Timestamp,
    count: u64,
}

impl Gap {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, current: Mutex::new(None) }
    }

    /// Counts one call; the first also marks the reserve, so that a crash cannot hide the gap.
    pub(crate) fn note(&self) {
        let now = Timestamp::now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let first = current.is_none();
        let span = current.get_or_insert(Span { from: now, to: now, count: 0 });
        span.count += 1;
        span.to = now;
        let reserve = self.journal.reserve();
        let noted = if first {
            reserve.gap_started(now.as_micros())
        } else {
            reserve.gap_counted(span.count, Some(now.as_micros()))
        };
        if let Err(error) = noted {
            tracing::error!(%error, "a call without a record could not even be counted on disk");
        }
    }

    /// The event that records the gap, where one is open.
    pub(crate) fn pending(&self) -> Option<(RecordingGap, u64)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.map(|span| {
            let data = RecordingGap {
                reason: Some("write_failed".to_owned()),
                count: Some(span.count),
                from: Some(span.from.to_string()),
                to: Some(span.to.to_string()),
            };
            (data, span.count)
        })
    }

    /// Ends the gap, once its record is durable, unless more calls went through meanwhile.
    pub(crate) fn recorded(&self, count: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.as_mut() {
            Some(span) if span.count > count => {
                span.count -= count;
                span.from = span.to;
            }
            _ => {
                *current = None;
                if let Err(error) = self.journal.reserve().clear() {
                    tracing::warn!(%error, "the reserve file could not be cleared");
                }
            }
        }
    }
}

/// A gap that was open when the last process ended. Its count is a lower bound at best, so it is
/// not given as one.
pub(crate) fn left_over(reserve: &Reserve) -> Result<Option<RecordingGap>, journal::Error> {
    let text = |micros: i64| Timestamp::from_micros(micros).to_string();
    Ok(reserve.gap()?.map(|gap| RecordingGap {
        reason: Some("unclean".to_owned()),
        count: None,
        from: gap.started_micros.map(text),
        to: gap.ended_micros.map(text),
    }))
}
