//! Tables, indexes and triggers.
//!
//! `audit_logs` is keyed by time (`_row`, see `keys`), so every one-column index is ordered by
//! time, too, and needs no second column.
//!
//! Identifiers are random: an index over them alone would change a page here and there for every
//! row, and writing pages is what indexing costs. So they are indexed by `_chunk` first, a number
//! that grows every few thousand rows: only the newest chunk's pages change, and they stay in
//! memory. Looking one up is a look into each chunk (SQLite's skip-scan, for which
//! `sqlite_stat1` is filled by hand; `ANALYZE` is never run). Names that begin with `_` are ours: the SQL guard
//! neither shows nor takes them.

use index::{Error, Result};
use rusqlite::Connection;

/// Events of one chunk, as a power of two.
pub const EVENT_CHUNK_BITS: u32 = 16;
/// Decisions of one chunk, as a power of two.
pub const DECISION_CHUNK_BITS: u32 = 14;
/// Version of the tables, in `user_version`.
pub const VERSION: i64 = 7;
/// `ALix`: tells our files from other databases.
const APPLICATION_ID: i64 = 0x414c_6978;

/// What records are written to. The unique index is needed while folding.
const TABLES: &str = "
CREATE TABLE audit_logs (
  _row INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  origin TEXT NOT NULL,
  session_id TEXT,
  source TEXT,
  user_id TEXT,
  decision_type TEXT,
  provider TEXT,
  model TEXT,
  model_requested TEXT,
  method TEXT,
  path TEXT,
  status_code INTEGER,
  outcome TEXT,
  ending TEXT,
  error_code TEXT,
  finish_reason TEXT,
  latency_ms REAL,
  ttft_ms REAL,
  input_tokens INTEGER,
  output_tokens INTEGER,
  total_tokens INTEGER,
  cached_tokens INTEGER,
  reasoning_tokens INTEGER,
  usage_origin TEXT,
  cost_usd TEXT,
  violations TEXT NOT NULL,
  data_classes TEXT NOT NULL,
  review_status TEXT,
  flagged INTEGER NOT NULL,
  stood INTEGER,
  streamed INTEGER,
  _cost_pico INTEGER,
  prompt_preview TEXT,
  response_preview TEXT,
  _chunk INTEGER NOT NULL
);
CREATE UNIQUE INDEX audit_logs_id ON audit_logs (id);
CREATE TABLE audit_events (
  _row INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  decision_id TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  component TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  event_data TEXT NOT NULL,
  _chunk INTEGER NOT NULL
);
CREATE TABLE audit_records (
  decision_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  record_id TEXT NOT NULL,
  writer TEXT NOT NULL,
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  PRIMARY KEY (decision_id, epoch, seq)
) WITHOUT ROWID;
CREATE TABLE rollups (
  span INTEGER NOT NULL,
  dims INTEGER NOT NULL,
  start INTEGER NOT NULL,
  source TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  decision_type TEXT NOT NULL,
  outcome TEXT NOT NULL,
  requests INTEGER NOT NULL,
  running INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  blocked INTEGER NOT NULL,
  escalated INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  total_tokens INTEGER NOT NULL,
  cost_pico INTEGER NOT NULL,
  cost_unknown INTEGER NOT NULL,
  latency BLOB NOT NULL,
  PRIMARY KEY (span, dims, start, source, model, provider, decision_type, outcome)
) WITHOUT ROWID;
CREATE TABLE index_state (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  writer TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  next_seq INTEGER NOT NULL,
  newest_ts INTEGER NOT NULL,
  records INTEGER NOT NULL,
  events INTEGER NOT NULL,
  decisions INTEGER NOT NULL
);
CREATE VIRTUAL TABLE audit_search USING fts5 (
  terms, content = '', detail = none, columnsize = 0, tokenize = \"unicode61 categories 'L* N* Co M*'\"
);
CREATE VIEW sessions AS
  SELECT session_id,
    min(timestamp) AS first_at,
    max(timestamp) AS last_at,
    count(*) AS decisions,
    count(CASE WHEN outcome IS NOT 'BLOCK' AND (status_code >= 400
      OR status_code IS NULL AND error_code IS NOT NULL) THEN 1 END) AS errors,
    count(CASE WHEN outcome = 'BLOCK' THEN 1 END) AS blocked,
    coalesce(sum(input_tokens), 0) AS input_tokens,
    coalesce(sum(output_tokens), 0) AS output_tokens,
    coalesce(sum(total_tokens), 0) AS total_tokens,
    sum(_cost_pico) / 1e12 AS cost_usd
  FROM audit_logs WHERE session_id IS NOT NULL GROUP BY session_id;
CREATE VIEW decision_outcomes AS
  SELECT event_id,
    decision_id,
    timestamp,
    event_data->>'verdict' AS outcome,
    event_data->>'reason' AS reason,
    event_data->>'decided_by' AS decided_by,
    event_data->>'decided_at' AS decided_at,
    event_data->>'api_key_id' AS api_key_id,
    event_data->>'source' AS source,
    event_data->>'user_id' AS user_id
  FROM audit_events WHERE event_type = 'outcome_recorded';
CREATE VIEW compliance_reports AS
  SELECT event_id,
    timestamp,
    event_data->>'action' AS action,
    event_data->>'actor' AS generated_by,
    event_data->>'role' AS role,
    event_data->>'target' AS report_id,
    event_data->>'filter' AS filter,
    event_data->>'records' AS records,
    event_data->>'result' AS result
  FROM audit_events WHERE event_type = 'access'
    AND event_data->>'action' IN ('reports_generate', 'export');
CREATE VIEW model_metadata AS
  SELECT provider,
    model,
    min(timestamp) AS first_seen,
    max(timestamp) AS last_seen,
    count(*) AS decisions,
    count(CASE WHEN outcome IS NOT 'BLOCK' AND status_code >= 400 THEN 1 END) AS errors,
    coalesce(sum(total_tokens), 0) AS total_tokens,
    sum(_cost_pico) / 1e12 AS cost_usd
  FROM audit_logs WHERE model IS NOT NULL GROUP BY provider, model;
";

/// What queries go by. What is known only at a call's end is indexed from then on. A rebuild makes these last: sorting once is quicker than inserting.
const INDEXES: &str = "
CREATE INDEX audit_logs_request_id ON audit_logs (_chunk, request_id);
CREATE INDEX audit_logs_trace_id ON audit_logs (_chunk, trace_id);
CREATE INDEX audit_logs_source ON audit_logs (source);
CREATE INDEX audit_logs_user_id ON audit_logs (user_id);
CREATE INDEX audit_logs_session_id ON audit_logs (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX audit_logs_model ON audit_logs (model) WHERE model IS NOT NULL;
CREATE INDEX audit_logs_model_requested ON audit_logs (model_requested);
CREATE INDEX audit_logs_status_code ON audit_logs (status_code) WHERE status_code IS NOT NULL;
CREATE INDEX audit_logs_outcome ON audit_logs (outcome) WHERE outcome IS NOT NULL;
CREATE INDEX audit_logs_provider ON audit_logs (provider) WHERE provider IS NOT NULL;
CREATE INDEX audit_logs_decision_type ON audit_logs (decision_type);
CREATE INDEX audit_logs_violations ON audit_logs (_row, violations) WHERE violations <> '[]';
CREATE INDEX audit_logs_timestamp ON audit_logs (timestamp, _row, source, decision_type, provider,
  model, model_requested, status_code, error_code, outcome, origin, latency_ms, _cost_pico,
  violations);
CREATE INDEX audit_events_trace_id ON audit_events (_chunk, trace_id);
CREATE INDEX audit_events_request_id ON audit_events (_chunk, request_id);
CREATE INDEX audit_events_decision_id ON audit_events (decision_id);
CREATE INDEX audit_events_event_type ON audit_events (event_type, timestamp);
CREATE INDEX audit_events_user_id ON audit_events (_chunk, event_data->>'user_id',
  timestamp);
CREATE INDEX audit_events_timestamp ON audit_events (timestamp);
CREATE INDEX audit_events_target ON audit_events (event_data->>'target', timestamp)
  WHERE event_type = 'access';
";

/// What the planner is told: rows, then rows that share each longer prefix of the index.
const STATISTICS: &str = "
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 VALUES
  ('audit_events', 'audit_events_trace_id', '4000000 65536 4'),
  ('audit_events', 'audit_events_request_id', '4000000 65536 4'),
  ('audit_events', 'audit_events_user_id', '4000000 65536 13 1'),
  ('audit_events', 'audit_events_decision_id', '4000000 4'),
  ('audit_events', 'audit_events_event_type', '4000000 100000 1'),
  ('audit_events', 'audit_events_timestamp', '4000000 1'),
  ('audit_events', 'audit_events_target', '100000 4 1'),
  ('audit_logs', 'audit_logs_request_id', '1000000 16384 1'),
  ('audit_logs', 'audit_logs_trace_id', '1000000 16384 1'),
  ('audit_logs', 'audit_logs_id', '1000000 1'),
  ('audit_logs', 'audit_logs_source', '1000000 100000'),
  ('audit_logs', 'audit_logs_user_id', '1000000 200'),
  ('audit_logs', 'audit_logs_session_id', '1000000 10'),
  ('audit_logs', 'audit_logs_model', '1000000 100000'),
  ('audit_logs', 'audit_logs_model_requested', '1000000 100000'),
  ('audit_logs', 'audit_logs_status_code', '1000000 100000'),
  ('audit_logs', 'audit_logs_outcome', '1000000 200000'),
  ('audit_logs', 'audit_logs_provider', '1000000 200000'),
  ('audit_logs', 'audit_logs_decision_type', '1000000 200000'),
  ('audit_logs', 'audit_logs_timestamp', '1000000 1');
";

/// Refusals, for everybody but the indexer, whose connection runs no triggers.
const TRIGGERS: &str = "
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN
  SELECT RAISE(ABORT, 'audit_events is write-once: UPDATE is refused');
END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events BEGIN
  SELECT RAISE(ABORT, 'audit_events is write-once: DELETE is refused');
END;
CREATE TRIGGER audit_events_insert BEFORE INSERT ON audit_events BEGIN
  SELECT RAISE(ABORT, 'audit_events is written by the indexer alone: INSERT is refused');
END;
CREATE TRIGGER audit_logs_no_delete BEFORE DELETE ON audit_logs BEGIN
  SELECT RAISE(ABORT, 'audit_logs is the fold of audit_events: DELETE is refused');
END;
CREATE TRIGGER audit_logs_update BEFORE UPDATE ON audit_logs BEGIN
  SELECT RAISE(ABORT, 'audit_logs is the fold of audit_events: UPDATE is refused');
END;
CREATE TRIGGER audit_logs_insert BEFORE INSERT ON audit_logs BEGIN
  SELECT RAISE(ABORT, 'audit_logs is the fold of audit_events: INSERT is refused');
END;
CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records BEGIN
  SELECT RAISE(ABORT, 'audit_records is write-once: UPDATE is refused');
END;
CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records BEGIN
  SELECT RAISE(ABORT, 'audit_records is write-once: DELETE is refused');
END;
";

/// Makes the tables in an empty database.
pub fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.execute_batch(TRIGGERS)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Makes the indexes and so completes the database.
pub fn create_indexes(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(INDEXES)?;
    connection.execute_batch(STATISTICS)?;
    connection.pragma_update(None, "user_version", VERSION)
}

/// What a database file holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet.
    Empty,
    /// An index of this version.
    Current,
}

/// Looks at a database's version.
///
/// # Errors
/// [`Error::Version`] for another version's, [`Error::Corrupt`] for what is no index.
pub fn check(connection: &Connection) -> Result<Found> {
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| crate::connect::error(error, 0))
    };
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables = pragma("schema_version")?;
    match (application, version) {
        (APPLICATION_ID, VERSION) => Ok(Found::Current),
        (0, 0) if tables == 0 => Ok(Found::Empty),
        (APPLICATION_ID, found) => Err(Error::Version { found, expected: VERSION }),
        _ => Err(Error::Corrupt("the file is another program's database".to_owned())),
    }
}
