//! Small journals for tests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod memdisk;

use journal::{
    Append, Committed, Durability, Error, Frame, FrameKind, Journal, LeafSource, Options, Reader,
    SEGMENT_BYTES_MIN, StoredFrame,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A leaf that says its number, its time, and a text.
pub struct TextLeaf(pub String);

impl LeafSource for TextLeaf {
    fn finish(&mut self, epoch: u64, seq: u64, ts_micros: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{epoch} {seq} {ts_micros} {}", self.0).as_bytes());
    }
}

/// A data directory with a journal's directory in it.
pub struct Dir {
    pub data: tempfile::TempDir,
}

impl Dir {
    pub fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap() }
    }

    pub fn journal(&self) -> PathBuf {
        self.data.path().join("journal")
    }

    pub fn segment(&self, segment: u32) -> PathBuf {
        self.journal().join(journal::format::segment_name(1, segment))
    }

    /// Small segments, and a clock that stands still.
    pub fn options(&self) -> Options {
        let mut options = Options::new(self.journal());
        options.segment_bytes = SEGMENT_BYTES_MIN;
        options.zero_ahead_bytes = 8192;
        options.writer = Some("w-00000001".to_owned());
        options.clock = Arc::new(|| 1_000_000);
        options
    }

    pub fn open(&self) -> Journal {
        Journal::open(self.options()).unwrap().0
    }

    /// A copy of everything.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        std::fs::create_dir(copy.journal()).unwrap();
        for entry in std::fs::read_dir(self.journal()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.journal().join(entry.file_name())).unwrap();
        }
        copy
    }

    pub fn read_all(&self) -> Result<Vec<StoredFrame>, Error> {
        read_all(&self.journal())
    }
}

pub fn read_all(dir: &Path) -> Result<Vec<StoredFrame>, Error> {
    let mut reader = Reader::open(dir, None)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next(None)? {
        frames.push(frame);
    }
    Ok(frames)
}

pub fn frame(kind: FrameKind, payload: &[u8]) -> Frame {
    Frame { kind, keys: vec![9; 3], payload: payload.to_vec() }
}

/// Open data, sealed data, and a leaf.
pub fn record(text: &str) -> Append {
    let frames = vec![
        frame(FrameKind::Open, format!("open {text}").as_bytes()),
        frame(FrameKind::Sealed, format!("sealed {text}").as_bytes()),
    ];
    Append { frames, leaf: Some(Box::new(TextLeaf(text.to_owned()))) }
}

pub fn part(payload: &[u8]) -> Append {
    Append { frames: vec![frame(FrameKind::Part, payload)], leaf: None }
}

/// Runs a future without a runtime of anybody.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub fn append(journal: &Journal, append: Append) -> Result<Committed, Error> {
    wait(journal.append(append))
}

/// A clock that a test sets.
pub fn settable(start: i64) -> (Arc<AtomicI64>, journal::Clock) {
    let time = Arc::new(AtomicI64::new(start));
    let shown = Arc::clone(&time);
    (time, Arc::new(move || shown.load(Ordering::SeqCst)))
}

/// Leaves' texts, in order.
pub fn leaf_texts(frames: &[StoredFrame]) -> Vec<String> {
    frames
        .iter()
        .filter(|f| f.kind == FrameKind::Leaf)
        .map(|f| String::from_utf8(f.payload.clone()).unwrap())
        .map(|text| text.splitn(4, ' ').nth(3).unwrap().to_owned())
        .collect()
}

pub const PROCESS: Durability = Durability::Process;
