//! Record times: they follow the system's clock and never fall back.

use crate::stats::ClockJump;
use std::sync::Arc;
use std::time::Instant;

/// A clock that is put back by less was corrected, not set.
const BACK_MICROS_MAX: i64 = 100_000;
/// A clock that runs away by more than a day from the time that passed was set.
const DRIFT_MICROS_MAX: i64 = 24 * 60 * 60 * 1_000_000;

/// Microseconds since 1970, as some clock shows them.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Gives records their times.
pub(crate) struct RecordClock {
    clock: Clock,
    shown: i64,
    anchor_shown: i64,
    anchor: Instant,
}

// === impl RecordClock ===

impl RecordClock {
    /// Starts behind a journal whose last leaf has the time `last_ts_micros`. Says so where
    /// the clock shows less.
    pub fn new(clock: Clock, last_ts_micros: i64, next_seq: u64) -> (Self, Option<ClockJump>) {
        let shown = clock();
        let jump = (shown < last_ts_micros.saturating_sub(BACK_MICROS_MAX)).then_some(ClockJump {
            expected_micros: last_ts_micros,
            shown_micros: shown,
            seq: next_seq,
        });
        (Self { clock, shown, anchor_shown: shown, anchor: Instant::now() }, jump)
    }

    /// What the clock shows, and whether it jumped since it was last asked.
    pub fn read(&mut self, next_seq: u64) -> (i64, Option<ClockJump>) {
        let shown = (self.clock)();
        let passed = i64::try_from(self.anchor.elapsed().as_micros()).unwrap_or(i64::MAX);
        let expected = self.anchor_shown.saturating_add(passed);
        let back = self.shown.saturating_sub(shown) > BACK_MICROS_MAX;
        let drift = shown.saturating_sub(expected).saturating_abs() > DRIFT_MICROS_MAX;
        self.shown = shown;
        if !back && !drift {
            return (shown, None);
        }
        (self.anchor, self.anchor_shown) = (Instant::now(), shown);
        let jump = ClockJump { expected_micros: expected, shown_micros: shown, seq: next_seq };
        (shown, Some(jump))
    }
}
