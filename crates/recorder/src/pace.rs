//! When a streaming body's pieces go to the journal ahead of their record.

use record::PIECE_BYTES_MAX;
use std::time::{Duration, Instant};

/// Plain bytes that are written together at most.
pub(crate) const TOGETHER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// At first, bytes reach the journal after this time at the latest (with the next piece).
const INTERVAL: Duration = Duration::from_secs(1);
/// After so many writes the next ones come half as often. The longest body that can be recorded
/// thus takes fewer than 400 writes for its size, and a stream of a year 1,216 for its age: two
/// bodies of one record stay below [`record::EARLY_PARTS_MAX`] places.
const WRITES_PER_STEP: u32 = 64;
/// No stream lasts longer than this many doublings.
const STEPS_MAX: u32 = 24;
/// How soon a write that met a full queue is tried again.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);

/// Decides when to write: seldom enough that an open frame can name every place.
#[derive(Debug)]
pub(crate) struct Pace {
    writes: u32,
    since: Instant,
    not_before: Instant,
}

// === impl Pace ===

impl Pace {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { writes: 0, since: now, not_before: now }
    }

    fn steps(&self) -> u32 {
        (self.writes / WRITES_PER_STEP).min(STEPS_MAX)
    }

    /// Whether what waits is old enough to be written, however little it is.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= INTERVAL * (1 << self.steps())
            && now >= self.not_before
    }

    /// Whether so many plain bytes are enough to be written.
    pub(crate) fn is_much(&self, bytes: usize, now: Instant) -> bool {
        let enough = PIECE_BYTES_MAX.saturating_mul(1 << self.steps()).min(TOGETHER_BYTES_MAX);
        bytes >= enough && now >= self.not_before
    }

    pub(crate) fn written(&mut self, now: Instant) {
        self.writes += 1;
        self.since = now;
    }

    /// The queue was full: what waits is kept a little longer.
    pub(crate) fn put_off(&mut self, now: Instant) {
        self.not_before = now + BUSY_INTERVAL;
    }
}
