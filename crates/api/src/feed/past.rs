//! What ended before somebody joined. After a restart many come back at once, at much the same
//! place: what was read for one is kept for a while for the others.

use super::ending::{Ending, FeedError, Source};
use crate::problem::Problem;
use journal::Position;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// Bytes of messages that are kept at most (and one chunk more).
const KEPT_BYTES_MAX: usize = 8 << 20;

/// Decisions that are told together at most.
const TOGETHER_MAX: usize = 256;

/// A stretch of the journal, read once for all.
#[derive(Default)]
struct Kept {
    from: Option<Position>,
    until: Option<Position>,
    endings: VecDeque<Arc<Ending>>,
    bytes: usize,
}

/// Reads back, one chunk at a time for all who ask.
pub(crate) struct Past {
    source: Source,
    kept: Mutex<Kept>,
}

impl Kept {
    fn holds(&self, from: Position) -> bool {
        self.from.is_some_and(|first| first <= from) && self.until.is_some_and(|last| from <= last)
    }

    fn begin(&mut self, from: Position) {
        *self = Self { from: Some(from), until: Some(from), ..Self::default() };
    }

    fn behind(&self, from: Position) -> Vec<Arc<Ending>> {
        let first = self.endings.partition_point(|ending| ending.at <= from);
        self.endings.range(first..).take(TOGETHER_MAX + 1).cloned().collect()
    }
}

impl Past {
    pub(super) fn new(source: Source) -> Self {
        Self { source, kept: Mutex::default() }
    }

    /// What ended behind `from` up to `until`, or a part of it; and up to where that is.
    pub(crate) async fn read(
        &self,
        from: Position,
        until: Position,
    ) -> Result<(Vec<Arc<Ending>>, Position), Failed> {
        let mut kept = self.kept.lock().await;
        let read = self.read_kept(&mut kept, from, until).await;
        if read.is_err() {
            *kept = Kept::default();
        }
        read
    }

    async fn read_kept(
        &self,
        kept: &mut Kept,
        from: Position,
        until: Position,
    ) -> Result<(Vec<Arc<Ending>>, Position), Failed> {
        if let Some(first) = kept.from.filter(|first| from < *first) {
            self.extend_back(kept, from, first).await?;
        }
        if !kept.holds(from) {
            kept.begin(from);
        }
        let full = kept.bytes > KEPT_BYTES_MAX;
        if full && kept.until == Some(from) {
            kept.begin(from);
        }
        if let Some(last) = kept.until
            && last < until
            && kept.bytes <= KEPT_BYTES_MAX
        {
            let (endings, at) = self.chunk(last, until).await?;
            kept.bytes += bytes(&endings);
            kept.endings.extend(endings);
            kept.until = Some(at);
        }
        let mut at = kept.until.unwrap_or(from).min(until);
        let mut found = kept.behind(from);
        found.retain(|ending| ending.at <= at);
        if found.len() > TOGETHER_MAX {
            found.truncate(TOGETHER_MAX);
            at = found.last().map_or(at, |last| last.at);
        }
        Ok((found, at))
    }

    /// Adds what stands a little before what is kept; forgets that where it is far away.
    async fn extend_back(
        &self,
        kept: &mut Kept,
        from: Position,
        first: Position,
    ) -> Result<(), Failed> {
        let (endings, at) = self.chunk(from, first).await?;
        if at < first || kept.bytes > KEPT_BYTES_MAX {
            kept.begin(from);
            kept.until = Some(at);
        }
        kept.bytes += bytes(&endings);
        for ending in endings.into_iter().rev() {
            kept.endings.push_front(ending);
        }
        kept.from = Some(from);
        Ok(())
    }

    async fn chunk(
        &self,
        from: Position,
        until: Position,
    ) -> Result<(Vec<Arc<Ending>>, Position), Failed> {
        let source = self.source.clone();
        let read = spawn_blocking(move || source.read(from, until)).await;
        let chunk = read.map_err(|_| Failed::Inside)??;
        Ok((chunk.endings, chunk.at))
    }

    /// Forgets what is kept.
    pub(super) async fn forget(&self) {
        *self.kept.lock().await = Kept::default();
    }
}

fn bytes(endings: &[Arc<Ending>]) -> usize {
    // The decision itself takes about as much as its text.
    endings.iter().map(|ending| 2 * ending.text.len()).sum()
}

/// Why the past cannot be read.
#[derive(Debug)]
pub(crate) enum Failed {
    /// No record stands at the place.
    Place,
    Inside,
}

impl From<FeedError> for Failed {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Read(error) => {
                tracing::info!(%error, "a feed cannot go on at the place that was given");
                Self::Place
            }
            FeedError::Index(error) => {
                tracing::error!(%error, "the feed cannot read the index");
                Self::Inside
            }
        }
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Place => super::cursor::refused(),
            Failed::Inside => Self::internal(&"the feed cannot be read"),
        }
    }
}
