//! Decisions in the order in which they ended: the journal says which and where, the index what
//! became of them.

use super::cursor;
use super::message::FeedMessage;
use axum::extract::ws::Utf8Bytes;
use event::{Decision, EventType};
use index::IndexReader;
use journal::Position;
use recorder::{ReadError, RecordReader};
use std::path::PathBuf;
use std::sync::Arc;

/// Where journals begin.
pub(super) const START: Position = Position { epoch: 1, segment: 0, offset: 0 };
/// Decisions of one chunk at most.
const CHUNK_ENDINGS_MAX: usize = 256;
/// Records of one chunk at most, whatever they hold.
const CHUNK_RECORDS_MAX: usize = 8_192;

/// A decision that has ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Behind the record that says so.
    pub at: Position,
    pub decision: Decision,
    /// Its cursor.
    pub cursor: String,
    /// The message, for all who get it.
    pub text: Utf8Bytes,
}

/// A stretch of the journal.
#[derive(Debug)]
pub(super) struct Chunk {
    pub endings: Vec<Arc<Ending>>,
    /// How far it was read.
    pub at: Position,
}

/// What the feed is read from. Cheap to clone.
#[derive(Clone)]
pub(super) struct Source {
    pub journal: PathBuf,
    pub index: Arc<dyn IndexReader>,
    pub writer: String,
}

/// Why the feed cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Index(#[from] index::Error),
}

impl Source {
    /// What ended behind `from`, up to `until`, which the index has reached, or less where that
    /// is much.
    pub(super) fn read(&self, from: Position, until: Position) -> Result<Chunk, FeedError> {
        let mut records = RecordReader::open(&self.journal, Some(from), false)?;
        let mut ended = Vec::new();
        let mut chunk = Chunk { endings: Vec::new(), at: from };
        for _ in 0..CHUNK_RECORDS_MAX {
            if ended.len() >= CHUNK_ENDINGS_MAX {
                break;
            }
            let Some(record) = records.next(Some(until))? else {
                // What follows the last record (the end of a segment, say) holds no ending.
                chunk.at = chunk.at.max(until);
                break;
            };
            chunk.at = record.next;
            if record.leaf.events.iter().any(|event| ends(event.event_type)) {
                ended.push((record.leaf.decision_id, record.next));
            }
        }
        for (id, at) in ended {
            if let Some(decision) = self.index.decision(id)? {
                chunk.endings.push(Arc::new(self.ending(decision, at)));
            }
        }
        Ok(chunk)
    }

    fn ending(&self, decision: Decision, at: Position) -> Ending {
        let cursor = cursor::encode(&self.writer, at);
        let message =
            FeedMessage { decision: Some(&decision), ..FeedMessage::new("decision", &cursor) };
        let text = message.text().into();
        Ending { at, decision, cursor, text }
    }
}

/// Whether an event is a decision's last word. Every decision has exactly one of these.
const fn ends(event: EventType) -> bool {
    matches!(
        event,
        EventType::RequestCompleted
            | EventType::RequestFailed
            | EventType::RequestBlocked
            | EventType::ResponseBlocked
            | EventType::RequestRejected
    )
}
