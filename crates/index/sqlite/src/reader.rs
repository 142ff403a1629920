//! The query side.

use crate::pool::{Answer, Failure, Pool};
use crate::writer::State;
use crate::{decision_row, events, guard, kept, list, metrics, models, schema, sessions};
use event::{Decision, Timestamp};
use index::{
    DecisionFilter, DecisionPage, Error, EventFilter, EventPage, Events, Found, IndexReader,
    KeptSums, Metrics, MetricsQuery, ModelQuery, ModelSeen, Page, RecordPointer, Relation, Result,
    Session, SessionFilter, SessionPage, SqlLimits, SqlResult, Status,
};
use rusqlite::{Connection, OptionalExtension as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use uuid::Uuid;

/// Connections for queries of our own making.
const CONNECTIONS_MAX: usize = 4;
/// Connections for free queries: these may be slow, and must not keep the others waiting.
const SQL_CONNECTIONS_MAX: usize = 2;
/// Time for a query of our own making.
const QUERY_MS: u64 = 10_000;
/// Other decisions with the same request id that are named.
const OTHER_IDS_MAX: usize = 100;

/// Reads an index file. Clones share connections.
#[derive(Debug, Clone)]
pub struct SqliteReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    pools: RwLock<Arc<Pools>>,
}

#[derive(Debug)]
struct Pools {
    queries: Pool,
    free: Pool,
}

// === impl Pools ===

impl Pools {
    fn new(path: &Path) -> Arc<Self> {
        Arc::new(Self {
            queries: Pool::new(path, CONNECTIONS_MAX, |_| Ok(())),
            free: Pool::new(path, SQL_CONNECTIONS_MAX, guard::setup),
        })
    }
}

// === impl SqliteReader ===

impl SqliteReader {
    /// Opens the index in this file, which the writer has made.
    ///
    /// # Errors
    /// [`Error::Version`] where another version made it: rebuild.
    pub fn open(path: &Path) -> Result<Self> {
        let shared = Shared { path: path.to_owned(), pools: RwLock::new(Pools::new(path)) };
        let reader = Self { shared: Arc::new(shared) };
        reader.query(|connection| match schema::check(connection)? {
            schema::Found::Current => Ok(()),
            schema::Found::Empty => {
                let text = "the file holds no index yet".to_owned();
                Err(Failure::Ours(Error::Corrupt(text)))
            }
        })?;
        Ok(reader)
    }

    /// Goes over to the file that now stands at the path, after a rebuild has swapped it.
    pub fn reopen(&self) {
        let mut pools = self.shared.pools.write().unwrap_or_else(PoisonError::into_inner);
        *pools = Pools::new(&self.shared.path);
    }

    fn pools(&self) -> Arc<Pools> {
        Arc::clone(&self.shared.pools.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn query<T>(&self, query: impl FnOnce(&Connection) -> Answer<T>) -> Result<T> {
        self.pools().queries.run(QUERY_MS, query)
    }
}

impl IndexReader for SqliteReader {
    fn list(&self, filter: &DecisionFilter, page: &Page) -> Result<DecisionPage> {
        self.query(|connection| list::list(connection, filter, page))
    }

    fn decision(&self, id: Uuid) -> Result<Option<Decision>> {
        self.query(|connection| decision(connection, id))
    }

    fn by_request_id(&self, request_id: &str) -> Result<Option<Found>> {
        self.query(|connection| by_request_id(connection, request_id))
    }

    fn events(&self, filter: &EventFilter, page: &Page) -> Result<EventPage> {
        self.query(|connection| events::page(connection, filter, page))
    }

    fn trace(&self, trace_id: Uuid) -> Result<Events> {
        self.query(|connection| events::of_trace(connection, trace_id))
    }

    fn events_of(&self, decision_id: Uuid) -> Result<Events> {
        self.query(|connection| events::of_decision(connection, decision_id))
    }

    fn records(&self, decision_id: Uuid) -> Result<Vec<RecordPointer>> {
        self.query(|connection| events::records(connection, decision_id))
    }

    fn sessions(&self, filter: &SessionFilter, page: &Page) -> Result<SessionPage> {
        self.query(|connection| sessions::page(connection, filter, page))
    }

    fn session(&self, session_id: &str, of: &SessionFilter) -> Result<Option<Session>> {
        self.query(|connection| sessions::one(connection, session_id, of))
    }

    fn metrics(&self, query: &MetricsQuery) -> Result<Metrics> {
        self.query(|connection| metrics::metrics(connection, query))
    }

    fn models(&self, query: &ModelQuery) -> Result<Vec<ModelSeen>> {
        self.query(|connection| models::models(connection, query))
    }

    fn kept_days(&self) -> Result<Vec<Timestamp>> {
        self.query(kept::days)
    }

    fn kept_sums(&self, day: Timestamp) -> Result<Option<KeptSums>> {
        self.query(|connection| kept::of_day(connection, day).map(Some))
    }

    fn sql(&self, query: &str, beside: &[Relation], limits: &SqlLimits) -> Result<SqlResult> {
        let run = |connection: &Connection| guard::query(connection, query, beside, limits);
        self.pools().free.run(limits.time_ms, run)
    }

    fn status(&self) -> Result<Status> {
        let state = self.query(|connection| Ok(State::load(connection)?))?;
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        Ok(Status {
            newest_ts: state.cursor.is_some().then(|| Timestamp::from_micros(state.newest_ts)),
            cursor: state.cursor,
            next_seq: count(state.next_seq),
            records: count(state.records),
            events: count(state.events),
            decisions: count(state.decisions),
        })
    }
}

fn decision(connection: &Connection, id: Uuid) -> Answer<Option<Decision>> {
    let mut statement = connection.prepare_cached(decision_row::SELECT_BY_ID)?;
    let found = statement.query_row([id.to_string()], decision_row::read).optional()?;
    Ok(found.map(|(decision, _)| decision))
}

fn by_request_id(connection: &Connection, request_id: &str) -> Answer<Option<Found>> {
    let sql = format!(
        "SELECT {} FROM audit_logs INDEXED BY audit_logs_request_id WHERE request_id = ?1 \
         ORDER BY _row DESC LIMIT {}",
        decision_row::COLUMNS,
        OTHER_IDS_MAX + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement
        .query_map([request_id], decision_row::read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut found = found.into_iter().map(|(decision, _)| decision);
    let Some(decision) = found.next() else { return Ok(None) };
    Ok(Some(Found { decision, other_ids: found.map(|other| other.id).collect() }))
}
