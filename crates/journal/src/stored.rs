//! Frames as they are read back, and reading single ones.

use crate::disk::{Disk, DiskFile, OpenMode, RealDisk, read_full};
use crate::format::{BadFrame, FrameKind, FrameRef, decode_frame};
use crate::layout::{corrupt, segment_path};
use crate::mutex::lock;
use crate::{Error, Position};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Segment files that `Files` keeps open.
const FILES_OPEN_MAX: usize = 16;
/// Most frames but parts are shorter than this.
const FIRST_READ_BYTES: usize = 8 << 10;

/// A frame that was read and found valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFrame {
    /// What it holds.
    pub kind: FrameKind,
    /// Key ids, opaque here.
    pub keys: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
    /// A leaf: its number. Any other frame: the number of the next leaf.
    pub seq: u64,
    /// A leaf: its time. Any other frame: 0.
    pub ts_micros: i64,
    /// Where it lies.
    pub at: Position,
    /// Where the next frame lies.
    pub next: Position,
}

/// Reads single frames, and keeps the files open that it reads from.
pub struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The most recently used first.
    open: Mutex<Vec<(Position, Arc<dyn DiskFile>)>>,
}

// === impl StoredFrame ===

impl StoredFrame {
    pub(crate) fn new(frame: &FrameRef<'_>, at: Position) -> Self {
        Self {
            kind: frame.fields.kind,
            keys: frame.keys.to_vec(),
            payload: frame.payload.to_vec(),
            seq: frame.fields.seq,
            ts_micros: frame.fields.ts_micros,
            at,
            next: at.at(at.offset + frame.bytes as u64),
        }
    }
}

// === impl Files ===

impl Files {
    /// Reads from the journal in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::on(Arc::new(RealDisk), dir)
    }

    /// Like `new`, on another file system.
    pub fn on(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>) -> Self {
        Self { disk, dir: dir.into(), open: Mutex::new(Vec::new()) }
    }

    /// The frame that starts at `at`. Anything else there is `Corrupt`.
    pub fn read(&self, at: Position) -> Result<StoredFrame, Error> {
        let file = self.file(at.at(0))?;
        let path = segment_path(&self.dir, at);
        let mut bytes = Vec::new();
        let mut wanted = FIRST_READ_BYTES;
        loop {
            let failed = |e| Error::io("read", &path, e);
            let left = file.size().map_err(failed)?.saturating_sub(at.offset);
            bytes.resize(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)), 0);
            let n = read_full(&*file, &mut bytes, at.offset).map_err(failed)?;
            bytes.truncate(n);
            match decode_frame(&bytes, at) {
                Ok(frame) => return Ok(StoredFrame::new(&frame, at)),
                Err(BadFrame::Short(more)) if n == wanted && more > wanted => wanted = more,
                Err(bad) => return Err(corrupt(at, bad.what())),
            }
        }
    }

    fn file(&self, place: Position) -> Result<Arc<dyn DiskFile>, Error> {
        let mut open = lock(&self.open);
        if let Some(found) = open.iter().position(|(other, _)| *other == place) {
            open[..=found].rotate_right(1);
        } else {
            let path = segment_path(&self.dir, place);
            let file =
                self.disk.open(&path, OpenMode::Read).map_err(|e| Error::io("open", &path, e))?;
            open.truncate(FILES_OPEN_MAX - 1);
            open.insert(0, (place, file));
        }
        Ok(Arc::clone(&open[0].1))
    }
}

// === functions ===

/// The frame that starts at `at`. Where many are read, `Files` is faster.
pub fn read_frame(dir: &Path, at: Position) -> Result<StoredFrame, Error> {
    Files::new(dir).read(at)
}
