//! `control.db`: opening and migrating.

use crate::{Error, Result};
use event::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for another process.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// From one try to the next, where SQLite does not wait itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// One step for each format; the format is how many were taken. Released steps never change.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL UNIQUE COLLATE NOCASE,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL,
  disabled_us INTEGER,
  token_generation INTEGER NOT NULL DEFAULT 0,
  created_us INTEGER NOT NULL,
  last_login_us INTEGER
) STRICT;
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  source TEXT,
  scopes TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  expires_us INTEGER,
  revoked_us INTEGER,
  last_used_us INTEGER,
  rotated_from TEXT
) STRICT;
CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;
",
    "
CREATE TABLE reviews (
  id TEXT PRIMARY KEY,
  decision_id TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  stage TEXT NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT,
  version INTEGER NOT NULL,
  fingerprint BLOB NOT NULL,
  findable INTEGER NOT NULL,
  arrived_us INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  decided_us INTEGER,
  finished_us INTEGER,
  policy_ids TEXT NOT NULL,
  violations TEXT NOT NULL,
  api_key_id TEXT,
  source TEXT,
  request_type TEXT,
  model TEXT,
  reviewers_needed INTEGER NOT NULL,
  about BLOB NOT NULL,
  next_record INTEGER NOT NULL,
  recorded INTEGER NOT NULL,
  held BLOB,
  answer BLOB
) STRICT;
CREATE UNIQUE INDEX reviews_findable ON reviews (fingerprint) WHERE findable = 1;
CREATE INDEX reviews_state ON reviews (state, expires_us);
CREATE INDEX reviews_decision ON reviews (decision_id);
CREATE TABLE review_votes (
  review_id TEXT NOT NULL REFERENCES reviews (id),
  reviewer TEXT NOT NULL COLLATE NOCASE,
  approve INTEGER NOT NULL,
  rationale TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  PRIMARY KEY (review_id, reviewer)
) STRICT;
CREATE TABLE review_hooks (
  review_id TEXT NOT NULL REFERENCES reviews (id),
  kind TEXT NOT NULL,
  tries INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  next_us INTEGER NOT NULL,
  PRIMARY KEY (review_id, kind)
) STRICT;
",
    "
ALTER TABLE api_keys ADD COLUMN rate TEXT;
ALTER TABLE api_keys ADD COLUMN burst INTEGER;
ALTER TABLE api_keys ADD COLUMN requests_per_day INTEGER;
ALTER TABLE api_keys ADD COLUMN tokens_per_day INTEGER;
ALTER TABLE api_keys ADD COLUMN cost_per_day_nanos INTEGER;
CREATE TABLE key_use (
  key_id TEXT PRIMARY KEY,
  day INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL
) STRICT;
",
    // Tokens name a session and are signed with Ed25519 from here on; those given before end.
    "
ALTER TABLE users ADD COLUMN user_id TEXT;
ALTER TABLE users ADD COLUMN must_change_password INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users DROP COLUMN token_generation;
DROP TABLE secrets;
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  method TEXT NOT NULL,
  address TEXT NOT NULL,
  client TEXT,
  created_us INTEGER NOT NULL,
  last_used_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id, created_us);
CREATE TABLE refresh_tokens (
  sha256 BLOB PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  expires_us INTEGER NOT NULL,
  used_us INTEGER
) STRICT;
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY,
  seed BLOB NOT NULL,
  created_us INTEGER NOT NULL
) STRICT;
",
];

/// Opens the store, makes it where there is none, and brings it to the newest format.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    // Made here and not by SQLite, for the mode.
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::Io { path: path.to_owned(), what: error.to_string() })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    log_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Changes to write-ahead logging. Where several do that to a new store at once, SQLite itself
/// does not wait.
fn log_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY_WAIT;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < until =>
            {
                std::thread::park_timeout(BUSY_PAUSE);
            }
            done => return done,
        }
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let known = MIGRATIONS.len() as i64;
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(Error::NewerFormat { path: path.to_owned(), found, known });
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// A column of microseconds.
pub(crate) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

/// A column of microseconds that may be null.
pub(crate) fn maybe_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column).map(|micros| micros.map(Timestamp::from_micros))
}

/// A column that holds a name of a closed vocabulary.
pub(crate) fn named<T: std::str::FromStr<Err = Error>>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<T> {
    parsed(row.get_ref(column)?.as_str()?, row.as_ref().column_index(column)?)
}

pub(crate) fn parsed<T: std::str::FromStr<Err = Error>>(
    text: &str,
    column: usize,
) -> rusqlite::Result<T> {
    text.parse().map_err(|error: Error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
    })
}
