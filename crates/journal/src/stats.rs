//! Counters that an operator reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bucket `i` counts values below 2^i.
const BUCKETS: usize = 40;

/// How often values of each size occurred, in powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram {
    /// `buckets[i]` counts values below 2^i that are in no earlier bucket.
    pub buckets: [u64; BUCKETS],
    /// Sum of all values.
    pub sum: u64,
}

/// The system's clock moved in a way that time does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockJump {
    /// What the clock should have shown, in microseconds since 1970.
    pub expected_micros: i64,
    /// What it showed.
    pub shown_micros: i64,
    /// Number of the leaf that was written next.
    pub seq: u64,
}

/// What the journal did since it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Batches that were written and acknowledged.
    pub commits: u64,
    /// Appends in them.
    pub appends: u64,
    /// Leaves in them.
    pub leaves: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Appends refused because the disk was full.
    pub disk_full: u64,
    /// Times that a commit had to wait for zeros or for the next segment.
    pub waits: u64,
    /// Clock jumps seen.
    pub clock_jumps: u64,
    /// The latest clock jump.
    pub last_clock_jump: Option<ClockJump>,
    /// Appends per batch.
    pub batch_appends: Histogram,
    /// Microseconds per `fdatasync` of a batch.
    pub sync_micros: Histogram,
    /// Appends that wait in the queue.
    pub queued: usize,
    /// True after a failed write or sync.
    pub poisoned: bool,
}

/// A histogram that is being filled.
#[derive(Debug)]
pub(crate) struct Counts {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

/// The counters that threads share.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub commits: AtomicU64,
    pub appends: AtomicU64,
    pub leaves: AtomicU64,
    pub bytes: AtomicU64,
    pub disk_full: AtomicU64,
    pub waits: AtomicU64,
    pub clock_jumps: AtomicU64,
    pub batch_appends: Counts,
    pub sync_micros: Counts,
}

// === impl Histogram ===

impl Histogram {
    /// Values counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// An upper bound of the value below which the share `q` (0 to 1) of all values lies.
    pub fn quantile(&self, q: f64) -> u64 {
        let wanted = (self.count() as f64 * q).ceil() as u64;
        let mut seen = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= wanted && seen > 0 {
                return 1 << i;
            }
        }
        0
    }
}

// === impl Counts ===

impl Default for Counts {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }
}

impl Counts {
    pub fn add(&self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        if let Some(bucket) = self.buckets.get(bucket.min(BUCKETS - 1)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub fn add_micros(&self, duration: Duration) {
        self.add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn read(&self) -> Histogram {
        Histogram {
            buckets: std::array::from_fn(|i| {
                self.buckets.get(i).map_or(0, |b| b.load(Ordering::Relaxed))
            }),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}
