//! What the journal's threads share: poison, watermark, progress, counters.

use crate::disk::{Disk, DiskFile, OpenMode, write_full};
use crate::format::{WATERMARK_NAME, Watermark};
use crate::mutex::lock;
use crate::stats::{ClockJump, Counters};
use crate::tell::Telling;
use crate::{Error, Position};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

/// How far the journal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// End of the last acknowledged batch.
    pub end: Position,
    /// Number of the next leaf.
    pub next_seq: u64,
    /// Time of the last leaf.
    pub last_ts_micros: i64,
    /// Up to where a power cut loses nothing; behind `end` only with `Durability::Process`.
    pub durable: Position,
    /// Clock jumps seen so far; `Stats::last_clock_jump` has the latest.
    pub clock_jumps: u64,
}

/// State of one open journal.
pub(crate) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    pub watermark: WatermarkFile,
    pub counters: Counters,
    pub progress: watch::Sender<Progress>,
    pub telling: Telling,
    pub last_clock_jump: Mutex<Option<ClockJump>>,
    poisoned: AtomicBool,
    cause: OnceLock<Error>,
}

/// The watermark file. It only ever moves forward.
pub(crate) struct WatermarkFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    last: Mutex<Watermark>,
    unsynced: AtomicBool,
}

// === impl Shared ===

impl Shared {
    pub fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        watermark: WatermarkFile,
        progress: Progress,
    ) -> Self {
        Self {
            disk,
            dir,
            watermark,
            counters: Counters::default(),
            progress: watch::Sender::new(progress),
            telling: Telling::default(),
            last_clock_jump: Mutex::new(None),
            poisoned: AtomicBool::new(false),
            cause: OnceLock::new(),
        }
    }

    /// Stops the journal for good. Returns the failure for those who were waiting for it.
    pub fn poison(&self, cause: Error) -> Error {
        let _ = self.cause.set(cause.clone());
        self.poisoned.store(true, Ordering::Release);
        cause
    }

    /// Why the journal stopped, if it did.
    pub fn cause(&self) -> Option<Error> {
        self.is_poisoned().then(|| self.cause.get().cloned().unwrap_or(Error::Poisoned))
    }

    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    pub fn check(&self) -> Result<(), Error> {
        if self.is_poisoned() { Err(Error::Poisoned) } else { Ok(()) }
    }
}

// === impl WatermarkFile ===

impl WatermarkFile {
    /// Opens the file and makes `at` durable in it.
    pub fn create(disk: &dyn Disk, dir: &Path, at: Watermark) -> Result<Self, Error> {
        let path = dir.join(WATERMARK_NAME);
        let file = disk.open(&path, OpenMode::Create).map_err(|e| Error::io("open", &path, e))?;
        let new = Self { file, path, last: Mutex::new(at), unsynced: AtomicBool::new(true) };
        new.put(at)?;
        new.sync()?;
        Ok(new)
    }

    /// Up to where everything is durable and acknowledged.
    pub fn end(&self) -> Position {
        lock(&self.last).end
    }

    /// Moves forward to `to`. Survives a kill at once, a power cut after `sync`.
    pub fn advance(&self, to: Watermark) -> Result<(), Error> {
        let mut last = lock(&self.last);
        if to.end > last.end {
            self.put(to)?;
            *last = to;
        }
        Ok(())
    }

    /// Makes the file durable, if it changed.
    pub fn sync(&self) -> Result<(), Error> {
        if self.unsynced.swap(false, Ordering::AcqRel) {
            self.file.sync_data().map_err(|e| Error::io("sync", &self.path, e))?;
        }
        Ok(())
    }

    fn put(&self, to: Watermark) -> Result<(), Error> {
        write_full(&*self.file, &to.encode(), 0).map_err(|e| Error::io("write", &self.path, e))?;
        self.unsynced.store(true, Ordering::Release);
        Ok(())
    }
}
