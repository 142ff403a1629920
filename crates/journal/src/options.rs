//! How a journal is opened.

use crate::Error;
use crate::clock::Clock;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Smallest segment; small ones are for tests.
pub const SEGMENT_BYTES_MIN: u64 = 64 << 10;
/// Largest segment.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// When an append is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When it is on disk.
    Disk,
    /// When it is written: survives the end of the process, and a power cut after a second.
    Process,
}

/// How a journal is opened.
#[derive(Clone)]
pub struct Options {
    /// The journal's directory; the lock lies in the one above it.
    pub dir: PathBuf,
    /// The writer's name; made up for a new journal if `None`.
    pub writer: Option<String>,
    /// Whose records these are.
    pub tenant: String,
    /// When an append is acknowledged.
    pub durability: Durability,
    /// Target size of a segment; the first of an epoch are smaller.
    pub segment_bytes: u64,
    /// Zeros are written ahead in steps of this size.
    pub zero_ahead_bytes: u64,
    /// Whether an append may write and sync in its caller's thread while nobody else is at work.
    /// That blocks the thread for the time of a sync: where all of a runtime's work is done by
    /// one thread, leave it off.
    pub commit_in_place: bool,
    /// Appends that may wait.
    pub queue_records_max: usize,
    /// Bytes that may wait.
    pub queue_bytes_max: u64,
    /// How much of the journal's end is checked byte by byte when it is opened; of earlier
    /// segments only the seams are. At least the last segment is.
    pub check_bytes_max: u64,
    /// Microseconds since 1970.
    pub clock: Clock,
}

// === impl Options ===

impl Options {
    /// The defaults for a journal in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            writer: None,
            tenant: "default".to_owned(),
            durability: Durability::Disk,
            segment_bytes: 64 << 20,
            zero_ahead_bytes: 256 << 10,
            commit_in_place: false,
            queue_records_max: 4096,
            queue_bytes_max: 128 << 20,
            check_bytes_max: 1 << 30,
            clock: Arc::new(system_micros),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("dir", &self.dir).finish_non_exhaustive()
    }
}

// === functions ===

/// The options, with values that the format allows.
pub(crate) fn checked(mut options: Options) -> Result<Options, Error> {
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&options.segment_bytes) {
        let what = "segment_bytes must be from 64 KiB to 1 GiB";
        return Err(Error::Invalid { what });
    }
    options.zero_ahead_bytes = options.zero_ahead_bytes.clamp(4096, options.segment_bytes);
    Ok(options)
}

/// The system's clock.
fn system_micros() -> i64 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(passed) => i64::try_from(passed.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
        }
    }
}
