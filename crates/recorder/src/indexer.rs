//! The indexer: follows the journal and keeps the index up with it.

use crate::error::ReadError;
use crate::project::{Projector, cursor_of, position_of};
use index::{IndexWriter, ProjectedRecord};
use journal::{Position, Progress};
use seal::KeyRing;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Records that are read at once.
const CHUNK_RECORDS: usize = 128;
/// Chunks that are read ahead of the index.
const CHUNKS_AHEAD: usize = 2;

/// Why the index cannot follow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexerError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index refuses.
    #[error(transparent)]
    Index(#[from] index::Error),
    /// The journal cannot be read ahead.
    #[error("no thread to read ahead: {0}")]
    Thread(std::io::Error),
}

/// Follows one journal.
pub(crate) struct Indexer {
    index: Box<dyn IndexWriter>,
    journal: PathBuf,
    keys: Arc<KeyRing>,
    writer: String,
    at: Option<Position>,
    indexed: watch::Sender<Option<Position>>,
}

impl Indexer {
    pub(crate) fn new(
        index: Box<dyn IndexWriter>,
        journal: PathBuf,
        keys: Arc<KeyRing>,
        writer: String,
    ) -> (Self, watch::Receiver<Option<Position>>) {
        let at = index.cursor().map(|cursor| position_of(&cursor));
        let (indexed, receiver) = watch::channel(at);
        (Self { index, journal, keys, writer, at, indexed }, receiver)
    }

    /// Indexes what the journal acknowledged; returns whether there was anything. Before each
    /// transaction `next` is told how long the one before took (none before the first), may wait,
    /// and says how many records the transaction may have; none ends the work.
    pub(crate) fn catch_up(
        &mut self,
        progress: Progress,
        next: &mut dyn FnMut(Option<Duration>) -> Option<usize>,
    ) -> Result<bool, IndexerError> {
        if self.at.is_some_and(|at| at >= progress.end) {
            return Ok(false);
        }
        let keys = self.keys.clone();
        let mut records = Projector::open(&self.journal, self.at, &keys)?;
        let first = chunk(&mut records, progress.end)?;
        if first.len() < CHUNK_RECORDS {
            let any = !first.is_empty() && next(None).is_some();
            if any {
                self.apply(&first)?;
            }
            return Ok(any);
        }
        // Far behind: the next records are read while these are written.
        thread::scope(|scope| {
            let (sender, chunks) = mpsc::sync_channel(CHUNKS_AHEAD);
            thread::Builder::new()
                .name("indexer-ahead".to_owned())
                .spawn_scoped(scope, move || {
                    loop {
                        let chunk = chunk(&mut records, progress.end);
                        let last = !chunk.as_ref().is_ok_and(|read| read.len() == CHUNK_RECORDS);
                        if sender.send(chunk).is_err() || last {
                            return;
                        }
                    }
                })
                .map_err(IndexerError::Thread)?;
            self.apply_all(first, &chunks, next)
        })
    }

    fn apply_all(
        &mut self,
        first: Vec<ProjectedRecord>,
        chunks: &mpsc::Receiver<Result<Vec<ProjectedRecord>, ReadError>>,
        next: &mut dyn FnMut(Option<Duration>) -> Option<usize>,
    ) -> Result<bool, IndexerError> {
        let mut batch = first;
        let mut any = false;
        let mut took = None;
        while let Some(records_max) = next(took) {
            let began = Instant::now();
            while batch.len() + CHUNK_RECORDS <= records_max
                && let Ok(chunk) = chunks.recv()
            {
                batch.extend(chunk?);
            }
            if batch.is_empty() {
                break;
            }
            self.apply(&batch)?;
            batch.clear();
            any = true;
            took = Some(began.elapsed());
        }
        Ok(any)
    }

    fn apply(&mut self, batch: &[ProjectedRecord]) -> Result<(), IndexerError> {
        if let Some(last) = batch.last() {
            let next = position_of(&last.next);
            self.index.apply(batch, &cursor_of(&self.writer, next))?;
            self.at = Some(next);
            self.indexed.send_replace(self.at);
        }
        Ok(())
    }
}

/// The next records before `end`; fewer than [`CHUNK_RECORDS`] are the last.
fn chunk(records: &mut Projector<'_>, end: Position) -> Result<Vec<ProjectedRecord>, ReadError> {
    let mut chunk = Vec::with_capacity(CHUNK_RECORDS);
    while chunk.len() < CHUNK_RECORDS
        && let Some(record) = records.next(Some(end))?
    {
        chunk.push(record);
    }
    Ok(chunk)
}
