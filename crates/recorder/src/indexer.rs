//! The indexer: follows the journal and keeps the index up with it.

use crate::error::ReadError;
use crate::project::{Projector, cursor_of, position_of};
use index::{IndexWriter, ProjectedRecord};
use journal::{Position, Progress};
use seal::KeyRing;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Records in one transaction of the index at most.
const BATCH_RECORDS_MAX: usize = 1_024;

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

    /// Indexes what the journal acknowledged; returns whether there was anything. `pace` is told
    /// how long each batch took, and may wait.
    pub(crate) fn catch_up(
        &mut self,
        progress: Progress,
        stop: &dyn Fn() -> bool,
        pace: &mut dyn FnMut(Duration),
    ) -> Result<bool, IndexerError> {
        if self.at.is_some_and(|at| at >= progress.end) {
            return Ok(false);
        }
        let keys = self.keys.clone();
        let mut records = Projector::open(&self.journal, self.at, &keys)?;
        let mut batch: Vec<ProjectedRecord> = Vec::with_capacity(BATCH_RECORDS_MAX);
        let mut any = false;
        while !stop() {
            let began = Instant::now();
            while batch.len() < BATCH_RECORDS_MAX
                && let Some(record) = records.next(Some(progress.end))?
            {
                batch.push(record);
            }
            let Some(last) = batch.last() else { break };
            let next = position_of(&last.next);
            self.index.apply(&batch, &cursor_of(&self.writer, next))?;
            self.at = Some(next);
            self.indexed.send_replace(self.at);
            batch.clear();
            any = true;
            pace(began.elapsed());
        }
        Ok(any)
    }
}
