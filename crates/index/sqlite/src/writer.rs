//! The indexer's side: records in, rows out, one transaction at a time.

use crate::connect;
use crate::decision_row::{self, text_of};
use crate::keys::Keys;
use crate::rollup::Deltas;
use crate::schema::{self, Found};
use event::{Decision, Event, EventData};
use index::{Cursor, Error, Fold, IndexWriter, ProjectedRecord, Result};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use uuid::Uuid;

/// Decisions kept in memory between batches: those that have not ended. Others are read back.
const OPEN_DECISIONS_MAX: usize = 8_192;
/// Page cache of the writing connection.
const CACHE_BYTES: usize = 32 << 20;

const INSERT_EVENT: &str = "INSERT INTO audit_events (event_id, decision_id, trace_id, \
    request_id, event_type, component, timestamp, event_data, _chunk) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const INSERT_RECORD: &str = "INSERT INTO audit_records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
/// One row: a statement of several keeps copies of all the pages that it changes, in memory, and
/// among them may be those of a whole segment that the search table has merged into another.
const INSERT_TERMS: &str = "INSERT INTO audit_search (rowid, terms) VALUES (?1, ?2)";
const SAVE_STATE: &str =
    "INSERT OR REPLACE INTO index_state VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const LOAD_STATE: &str = "SELECT writer, epoch, segment, offset, next_seq, newest_ts, records, \
    events, decisions FROM index_state";

/// The one writer of an index file.
#[derive(Debug)]
pub struct SqliteWriter {
    connection: Connection,
    state: State,
    keys: Keys,
    open: HashMap<Uuid, Open>,
    order: VecDeque<Uuid>,
}

/// Row of `index_state`.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Everything before is indexed.
    pub cursor: Option<Cursor>,
    /// Number of the next leaf.
    pub next_seq: i64,
    /// Time of the newest record.
    pub newest_ts: i64,
    /// How many records.
    pub records: i64,
    /// How many events.
    pub events: i64,
    /// How many decisions.
    pub decisions: i64,
}

/// A decision being folded.
#[derive(Debug)]
struct Open {
    row: i64,
    decision: Decision,
    /// Whether the table holds it.
    stored: bool,
    /// Whether this batch changed it.
    changed: bool,
    /// Whether this batch said anew what was asked.
    asked: bool,
}

struct Statements<'c> {
    event: CachedStatement<'c>,
    record: CachedStatement<'c>,
}

/// Reused memory.
#[derive(Default)]
struct Buffers {
    data: Vec<u8>,
    /// Terms of the whole batch.
    terms: String,
    /// Keys of the search table, and which of the terms are each one's.
    rows: Vec<(i64, Range<usize>)>,
}

// === impl State ===

impl State {
    /// Reads the state of an index.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let found = connection
            .prepare_cached(LOAD_STATE)?
            .query_row([], |row| {
                let cursor = Cursor::new(
                    row.get::<_, String>(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
                );
                Ok(Self {
                    cursor: Some(cursor),
                    next_seq: row.get(4)?,
                    newest_ts: row.get(5)?,
                    records: row.get(6)?,
                    events: row.get(7)?,
                    decisions: row.get(8)?,
                })
            })
            .optional()?;
        Ok(found.unwrap_or_default())
    }

    fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(cursor) = &self.cursor else { return Ok(()) };
        connection.prepare_cached(SAVE_STATE)?.execute(params![
            cursor.writer,
            cursor.epoch,
            cursor.segment,
            cursor.offset as i64,
            self.next_seq,
            self.newest_ts,
            self.records,
            self.events,
            self.decisions,
        ])?;
        Ok(())
    }
}

// === impl SqliteWriter ===

impl SqliteWriter {
    /// Opens the index in this file, or makes it.
    ///
    /// # Errors
    /// [`Error::Version`] where another version made it: rebuild.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = connect::writer(path, CACHE_BYTES, false)?;
        let make = || -> rusqlite::Result<()> {
            let transaction = connection.unchecked_transaction()?;
            schema::create_tables(&connection)?;
            schema::create_indexes(&connection)?;
            transaction.commit()
        };
        if schema::check(&connection)? == Found::Empty {
            make().map_err(|error| connect::error(error, 0))?;
        }
        Self::new(connection)
    }

    pub(crate) fn new(connection: Connection) -> Result<Self> {
        let load = || Ok((State::load(&connection)?, Keys::load(&connection)?));
        let (state, keys) = load().map_err(|error| connect::error(error, 0))?;
        Ok(Self { connection, state, keys, open: HashMap::new(), order: VecDeque::new() })
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    fn try_apply(&mut self, records: &[ProjectedRecord], cursor: &Cursor) -> Result<()> {
        let standing = self.state.cursor.clone();
        for at in records.iter().map(|record| &record.at).chain([cursor]) {
            if let Some(standing) = standing.as_ref().filter(|cursor| cursor.writer != at.writer) {
                return Err(Error::OtherWriter { at: at.clone(), cursor: standing.clone() });
            }
        }
        let fresh = |record: &&ProjectedRecord| {
            standing.as_ref().is_none_or(|cursor| record.at.place() >= cursor.place())
        };
        self.write(records.iter().filter(fresh), cursor).map_err(|e| connect::error(e, 0))
    }

    fn write<'r>(
        &mut self,
        records: impl Iterator<Item = &'r ProjectedRecord>,
        cursor: &Cursor,
    ) -> rusqlite::Result<()> {
        let Self { connection, state, keys, open, order } = self;
        let transaction = connection.unchecked_transaction()?;
        let mut deltas = Deltas::default();
        let mut changed = Vec::new();
        {
            let mut statements = Statements {
                event: connection.prepare_cached(INSERT_EVENT)?,
                record: connection.prepare_cached(INSERT_RECORD)?,
            };
            let mut buffers = Buffers::default();
            for record in records {
                let entry = find(connection, keys, open, record)?;
                if let Some(entry) = entry {
                    if !entry.changed {
                        entry.changed = true;
                        changed.push(record.decision_id);
                        if entry.stored {
                            deltas.count(&entry.decision, -1);
                        } else {
                            state.decisions += 1;
                        }
                    }
                    fold(&mut buffers, entry, record);
                    write_rows(
                        &mut statements,
                        &mut buffers,
                        state,
                        record,
                        Some(&entry.decision),
                    )?;
                } else {
                    write_rows(&mut statements, &mut buffers, state, record, None)?;
                }
            }
            let chunk = state.decisions >> schema::DECISION_CHUNK_BITS;
            store_changed(connection, open, &changed, chunk, &mut deltas)?;
            buffers.insert_terms(connection)?;
        }
        deltas.write(connection)?;
        let behind = state.cursor.as_ref().is_none_or(|old| old.place() < cursor.place());
        if behind {
            state.cursor = Some(cursor.clone());
        }
        state.save(connection)?;
        transaction.commit()?;
        keys.committed();
        evict(open, order, changed);
        Ok(())
    }
}

impl IndexWriter for SqliteWriter {
    fn cursor(&self) -> Option<Cursor> {
        self.state.cursor.clone()
    }

    fn apply(&mut self, records: &[ProjectedRecord], cursor: &Cursor) -> Result<()> {
        let done = self.try_apply(records, cursor);
        if done.is_err() {
            // The transaction is rolled back: memory must not know more than the file.
            self.open.clear();
            self.order.clear();
            let load = || Ok((State::load(&self.connection)?, Keys::load(&self.connection)?));
            let (state, keys) = load().map_err(|error| connect::error(error, 0))?;
            self.state = state;
            self.keys = keys;
        }
        done
    }
}

// === impl Buffers ===

impl Buffers {
    /// In the order of their keys: the search table writes what it has gathered whenever a key is
    /// lower than the one before, and has to merge what it wrote.
    fn insert_terms(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.rows.sort_unstable_by_key(|(key, _)| *key);
        let mut insert = connection.prepare_cached(INSERT_TERMS)?;
        for (key, terms) in self.rows.drain(..) {
            insert.execute(params![key, &self.terms[terms]])?;
        }
        Ok(())
    }
}

// === functions ===

/// The decision that a record belongs to: from memory, from the table, or new; none for records
/// of the product's own administration.
fn find<'o>(
    connection: &Connection,
    keys: &mut Keys,
    open: &'o mut HashMap<Uuid, Open>,
    record: &ProjectedRecord,
) -> rusqlite::Result<Option<&'o mut Open>> {
    use std::collections::hash_map::Entry;
    let vacant = match open.entry(record.decision_id) {
        Entry::Occupied(entry) => return Ok(Some(entry.into_mut())),
        Entry::Vacant(vacant) => vacant,
    };
    let stored = connection
        .prepare_cached(decision_row::SELECT_BY_ID)?
        .query_row([text_of(record.decision_id, &mut Uuid::encode_buffer())], decision_row::read)
        .optional()?;
    if let Some((decision, row)) = stored {
        return Ok(Some(vacant.insert(Open {
            row,
            decision,
            stored: true,
            changed: false,
            asked: false,
        })));
    }
    if !Fold::begins(record) {
        return Ok(None);
    }
    let decision = Fold::start(record);
    let row = keys.take(connection, decision.timestamp)?;
    Ok(Some(vacant.insert(Open { row, decision, stored: false, changed: false, asked: false })))
}

fn fold(buffers: &mut Buffers, entry: &mut Open, record: &ProjectedRecord) {
    let decision = &mut entry.decision;
    let had = (decision.prompt_preview.is_some(), decision.response_preview.is_some());
    Fold::apply(decision, record);
    entry.asked |=
        record.events.iter().any(|event| matches!(event.data, EventData::RequestReceived(_)));
    let texts = [(had.0, &decision.prompt_preview, 0), (had.1, &decision.response_preview, 1)];
    for (had, text, which) in texts {
        if let Some(text) = text.as_deref().filter(|_| !had) {
            let start = buffers.terms.len();
            index::write_terms(text, &mut buffers.terms);
            buffers.rows.push((entry.row * 2 + which, start..buffers.terms.len()));
        }
    }
}

fn write_rows(
    statements: &mut Statements<'_>,
    buffers: &mut Buffers,
    state: &mut State,
    record: &ProjectedRecord,
    decision: Option<&Decision>,
) -> rusqlite::Result<()> {
    let (mut decision_id, mut trace_id) = (Uuid::encode_buffer(), Uuid::encode_buffer());
    let decision_id = text_of(record.decision_id, &mut decision_id);
    let trace_id = text_of(record.trace_id, &mut trace_id);
    for event in &record.events {
        state.events += 1;
        buffers.data.clear();
        index::write_event_data(event, decision, &mut buffers.data);
        let (timestamp, data) = texts(event, &buffers.data)?;
        statements.event.execute(params![
            text_of(event.event_id, &mut Uuid::encode_buffer()),
            decision_id,
            trace_id,
            record.request_id,
            event.event_type().as_str(),
            event.component.as_str(),
            timestamp,
            data,
            state.events >> schema::EVENT_CHUNK_BITS,
        ])?;
    }
    statements.record.execute(params![
        decision_id,
        record.at.epoch,
        record.seq as i64,
        text_of(record.record_id, &mut Uuid::encode_buffer()),
        record.at.writer,
        record.at.segment,
        record.at.offset as i64,
        record.ts.as_micros(),
    ])?;
    state.records += 1;
    state.next_seq = record.seq as i64 + 1;
    state.newest_ts = record.ts.as_micros();
    Ok(())
}

fn texts<'d>(event: &Event, data: &'d [u8]) -> rusqlite::Result<(String, &'d str)> {
    Ok((event.timestamp.to_string(), std::str::from_utf8(data)?))
}

fn store_changed(
    connection: &Connection,
    open: &mut HashMap<Uuid, Open>,
    changed: &[Uuid],
    chunk: i64,
    deltas: &mut Deltas,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(decision_row::INSERT)?;
    let mut update_end = connection.prepare_cached(decision_row::UPDATE_END)?;
    let mut update_all = connection.prepare_cached(decision_row::UPDATE_ALL)?;
    for id in changed {
        let Some(entry) = open.get_mut(id) else { continue };
        let statement = match (entry.stored, entry.asked) {
            (false, _) => &mut insert,
            (true, false) => &mut update_end,
            (true, true) => &mut update_all,
        };
        decision_row::write(statement, &entry.decision, entry.row, chunk)?;
        deltas.count(&entry.decision, 1);
        entry.stored = true;
        entry.changed = false;
        entry.asked = false;
    }
    Ok(())
}

/// Forgets decisions that have ended, and the oldest of too many.
fn evict(open: &mut HashMap<Uuid, Open>, order: &mut VecDeque<Uuid>, changed: Vec<Uuid>) {
    for id in changed {
        if open.get(&id).is_some_and(|entry| entry.decision.settled()) {
            open.remove(&id);
        } else {
            order.push_back(id);
        }
    }
    while open.len() > OPEN_DECISIONS_MAX
        && let Some(oldest) = order.pop_front()
    {
        open.remove(&oldest);
    }
    if order.len() > 4 * OPEN_DECISIONS_MAX {
        order.retain(|id| open.contains_key(id));
    }
}
