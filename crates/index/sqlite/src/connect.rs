//! Connections and their errors.

use index::{Error, Histogram};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, OpenFlags, types::ValueRef};
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for another's lock.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// The log is copied into the database whenever it has grown by this many pages: they go to the
/// disk as single small writes, and a record that is synced meanwhile waits behind all of them.
const CHECKPOINT_PAGES: i64 = 256;
const PAGE_BYTES: i64 = 4_096;
/// What the log's file keeps when it begins anew: a large transaction finds its blocks there.
const LOG_KEPT_BYTES: i64 = 16 << 20;

/// The error of this crate for one of SQLite's; `limit_ms` is the running query's time limit.
pub fn error(error: rusqlite::Error, limit_ms: u64) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Error::Timeout { limit_ms },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::Corrupt(error.to_string())
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy,
        _ => Error::backend(error),
    }
}

/// Opens (and where missing makes, readable for the owner alone: the index holds names in clear)
/// the indexer's connection. `bulk`: for a file that is thrown away if anything fails.
pub fn writer(path: &Path, cache_bytes: usize, bulk: bool) -> Result<Connection, Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::backend)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Error::backend)?;
    prepare_writer(&connection, cache_bytes, bulk).map_err(|e| error(e, 0))?;
    Ok(connection)
}

fn prepare_writer(connection: &Connection, cache_bytes: usize, bulk: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    if bulk {
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    } else {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // The log is synced with every transaction, not for what it holds (it can be indexed
        // again) but so that no checkpoint has to push out all of it while records wait.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
    }
    connection.pragma_update(None, "cache_size", cache_kib(cache_bytes))?;
    // A page that is written out early in a transaction is written again at its end. But nothing
    // else bounds how many a transaction holds in memory.
    connection.pragma_update(None, "cache_spill", cache_kib(spill_bytes(cache_bytes)))?;
    // Copies of pages that a statement may have to undo, in memory; but not the sorting of a
    // whole table, which a bulk load ends with.
    connection.pragma_update(None, "temp_store", if bulk { "FILE" } else { "MEMORY" })?;
    connection.set_prepared_statement_cache_capacity(32);
    // What refuses everybody else (`schema`): without triggers, a statement that writes one row
    // keeps no copies of the pages that it changes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("latency_merge", 2, flags, |context| {
        let mut sum = Histogram::default();
        for at in 0..2 {
            if let ValueRef::Blob(bytes) = context.get_raw(at) {
                sum.merge_bytes(bytes);
            }
        }
        Ok(sum.to_bytes())
    })
}

/// Opens a connection that can only read.
pub fn reader(path: &Path, cache_bytes: usize) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Error::backend)?;
    let prepare = || -> rusqlite::Result<()> {
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", cache_kib(cache_bytes))?;
        connection.pragma_update(None, "temp_store", "FILE")?;
        connection.set_prepared_statement_cache_capacity(64);
        // "text" in double quotes is a column's name or an error, never quietly a string.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_scalar_function("audit_layer_phrase", 2, flags, |context| {
            let (text, phrase) = (context.get_raw(0).as_str_or_null()?, context.get_raw(1));
            Ok(text.is_some_and(|text| {
                phrase.as_str().is_ok_and(|phrase| index::holds_phrase(text, phrase))
            }))
        })
    };
    prepare().map_err(|e| error(e, 0))?;
    Ok(connection)
}

/// What a transaction may have changed before the first of it is written out.
const fn spill_bytes(cache_bytes: usize) -> usize {
    cache_bytes + cache_bytes / 4
}

/// SQLite takes a negative cache size as KiB.
fn cache_kib(bytes: usize) -> i64 {
    -i64::try_from(bytes / 1024).unwrap_or(i64::from(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_transaction_is_written_early_only_where_it_changes_more_than_memory_should_hold() {
        let dir = tempfile::tempdir().unwrap();
        let connection = writer(&dir.path().join("index.db"), 1 << 20, false).unwrap();
        connection.execute_batch("CREATE TABLE t (bytes BLOB)").unwrap();
        let log = || fs::metadata(dir.path().join("index.db-wal")).unwrap().len();
        let transaction = connection.unchecked_transaction().unwrap();
        let mut insert = connection.prepare("INSERT INTO t VALUES (zeroblob(65536))").unwrap();
        let before = log();
        (0..16).for_each(|_| assert_eq!(insert.execute([]), Ok(1)));
        assert_eq!(log(), before, "1 MiB");
        (0..48).for_each(|_| assert_eq!(insert.execute([]), Ok(1)));
        assert!(log() - before > 2 << 20, "of 4 MiB only {} are in the log", log() - before);
        drop(insert);
        transaction.commit().unwrap();
    }
}
