//! From stored records to what the index takes.

use crate::error::ReadError;
use crate::read::{RecordReader, StoredRecord};
use index::{Cursor, ProjectedRecord};
use journal::Position;
use seal::KeyRing;
use std::path::Path;

/// Reads a journal as the index wants it.
#[derive(Debug)]
pub struct Projector<'a> {
    records: RecordReader,
    keys: &'a KeyRing,
}

/// An index cursor as a position in the journal.
pub const fn position_of(cursor: &Cursor) -> Position {
    Position { epoch: cursor.epoch, segment: cursor.segment, offset: cursor.offset }
}

/// A position in the journal as an index cursor.
pub fn cursor_of(writer: &str, position: Position) -> Cursor {
    Cursor::new(writer, position.epoch, position.segment, position.offset)
}

impl<'a> Projector<'a> {
    /// Reads from a position on, or from the beginning.
    ///
    /// # Errors
    /// Where the journal cannot be opened.
    pub fn open(
        journal: &Path,
        from: Option<Position>,
        keys: &'a KeyRing,
    ) -> Result<Self, ReadError> {
        Ok(Self { records: RecordReader::open(journal, from, false)?, keys })
    }

    /// The next record before `until`.
    ///
    /// # Errors
    /// Where the journal is damaged or the key store is not this journal's.
    pub fn next(&mut self, until: Option<Position>) -> Result<Option<ProjectedRecord>, ReadError> {
        self.records.next(until)?.map(|record| project(&record, self.keys)).transpose()
    }
}

fn project(stored: &StoredRecord, keys: &KeyRing) -> Result<ProjectedRecord, ReadError> {
    let leaf = &stored.leaf;
    let opened = stored.opened(&leaf.tenant, keys)?;
    Ok(ProjectedRecord {
        at: cursor_of(&leaf.writer, stored.at),
        next: cursor_of(&leaf.writer, stored.next),
        seq: leaf.seq,
        record_id: leaf.record_id,
        tenant: leaf.tenant.clone(),
        origin: leaf.origin,
        decision_id: leaf.decision_id,
        trace_id: opened.trace_id,
        request_id: opened.request_id,
        ts: leaf.ts,
        events: opened.events,
    })
}
