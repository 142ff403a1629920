//! The index file as others find it: who may change it, which versions it has, how it is swapped.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use index::contract::{Builder, Call};
use index::{DecisionFilter, Error, IndexReader as _, IndexWriter as _, Page, SqlLimits};
use index_sqlite::{Rebuild, SqliteReader, SqliteWriter, rebuild};
use rusqlite::Connection;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

struct Index {
    _directory: tempfile::TempDir,
    path: PathBuf,
    journal: Builder,
}

fn calls(count: u64) -> Vec<Call> {
    let one = |number| Call {
        number,
        second: number as i64 * 61,
        session: (number % 2 == 0).then_some("s-1"),
        violations: if number % 3 == 0 { &["pii"] } else { &[] },
        prompt: "退款 refund",
        ..Call::default()
    };
    (0..count).map(one).collect()
}

fn index(count: u64) -> Index {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index.db");
    let mut journal = Builder::default();
    let records = journal.calls(&calls(count));
    let mut writer = SqliteWriter::open(&path).unwrap();
    // A few at a time, so that calls begin in one batch and end in another.
    for batch in records.chunks(3) {
        writer.apply(batch, &batch[batch.len() - 1].next).unwrap();
    }
    Index { _directory: directory, path, journal }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

#[test]
fn others_cannot_change_what_is_recorded() {
    let index = index(3);
    let connection = Connection::open(&index.path).unwrap();
    let refused = [
        "UPDATE audit_events SET event_data = '{}'",
        "UPDATE audit_events SET event_type = 'access' WHERE _row = 1",
        "DELETE FROM audit_events",
        "INSERT INTO audit_events SELECT 99, event_id, decision_id, trace_id, request_id, event_type, component, timestamp, event_data, 0 FROM audit_events LIMIT 1",
        "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events LIMIT 1",
        "REPLACE INTO audit_logs SELECT * FROM audit_logs LIMIT 1",
        "UPDATE audit_logs SET outcome = 'ALLOW'",
        "DELETE FROM audit_logs",
        "UPDATE audit_records SET seq = 0",
        "DELETE FROM audit_records",
    ];
    let dump = |connection: &Connection| -> String {
        let sql = "SELECT (SELECT group_concat(event_data || event_type) FROM audit_events) || \
            (SELECT group_concat(id || coalesce(outcome, '')) FROM audit_logs) || \
            (SELECT group_concat(seq) FROM audit_records)";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let before = dump(&connection);
    for sql in refused {
        assert!(connection.execute(sql, []).is_err(), "{sql} was taken");
        assert_eq!(dump(&connection), before, "{sql}");
    }
    for sql in ["UPDATE audit_events SET event_data = '{}'", "DELETE FROM audit_events"] {
        let error = connection.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("write-once"), "{error}");
    }
}

#[test]
fn the_file_is_the_owners_alone() {
    let index = index(1);
    for suffix in ["", "-wal"] {
        if let Ok(found) = std::fs::metadata(beside(&index.path, suffix)) {
            assert_eq!(found.permissions().mode() & 0o777, 0o600, "{suffix}");
        }
    }
}

#[test]
fn other_versions_and_other_files_are_told_apart() {
    let index = index(1);
    let connection = Connection::open(&index.path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let version = |error: Error| match error {
        Error::Version { found, .. } => found,
        other => panic!("{other}"),
    };
    assert_eq!(version(SqliteWriter::open(&index.path).unwrap_err()), 99);
    assert_eq!(version(SqliteReader::open(&index.path).unwrap_err()), 99);
    // A rebuild helps.
    assert_eq!(rebuild(&index.path, []).unwrap(), 0);
    SqliteWriter::open(&index.path).unwrap();

    let other = index.path.with_file_name("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(matches!(SqliteWriter::open(&other), Err(Error::Corrupt(_))));
    let garbage = index.path.with_file_name("garbage.db");
    std::fs::write(&garbage, vec![7; 8192]).unwrap();
    assert!(matches!(SqliteWriter::open(&garbage), Err(Error::Corrupt(_))));
    assert!(SqliteReader::open(&index.path.with_file_name("missing.db")).is_err());
}

/// Every row of every table, in order.
fn dump(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut all = String::new();
    for table in ["audit_logs", "audit_events", "audit_records", "rollups", "index_state"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for at in 0..columns {
                write!(all, "{:?} ", row.get_ref(at).unwrap()).unwrap();
            }
            all.push('\n');
        }
    }
    all
}

#[test]
fn a_rebuild_gives_the_same_rows_and_serves_readers_after_reopening() {
    let mut index = index(40);
    let before = dump(&index.path);
    let reader = SqliteReader::open(&index.path).unwrap();
    let mut journal = Builder::default();
    let records = journal.calls(&calls(40));
    let count = rebuild(&index.path, records.into_iter().map(Ok)).unwrap();
    assert_eq!(count, 80);
    assert_eq!(dump(&index.path), before);
    assert!(!beside(&index.path, ".rebuild").exists());

    // Go on with the new file; readers of the old one see it once they are reopened.
    let mut writer = SqliteWriter::open(&index.path).unwrap();
    assert_eq!(writer.cursor(), Some(index.journal.end()));
    let more = index.journal.calls(&[Call { number: 77, second: 9_000, ..Call::default() }]);
    writer.apply(&more, &index.journal.end()).unwrap();
    assert_eq!(reader.status().unwrap().decisions, 40);
    reader.reopen();
    assert_eq!(reader.status().unwrap().decisions, 41);
    let search = DecisionFilter { q: Some("退款".parse().unwrap()), ..DecisionFilter::default() };
    assert_eq!(reader.list(&search, &Page::first(500)).unwrap().items.len(), 40);
    let plan = Connection::open(&index.path)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
        .unwrap();
    assert_eq!(plan, "ok");
}

#[test]
fn a_rebuild_that_fails_leaves_the_index_as_it_was() {
    let index = index(5);
    let before = dump(&index.path);
    let mut journal = Builder::default();
    let records = journal.calls(&calls(5));
    let failing = records.into_iter().map(Ok).chain([Err(Error::Corrupt("unreadable".to_owned()))]);
    assert!(rebuild(&index.path, failing).is_err());
    assert_eq!(dump(&index.path), before);
    drop(Rebuild::start(&index.path).unwrap());
    assert_eq!(dump(&index.path), before);
    // What the failed ones left is no obstacle.
    assert_eq!(rebuild(&index.path, []).unwrap(), 0);
    assert_eq!(SqliteReader::open(&index.path).unwrap().status().unwrap().decisions, 0);
}

#[test]
fn a_failed_batch_leaves_nothing_and_can_be_repeated() {
    let mut index = index(2);
    let mut writer = SqliteWriter::open(&index.path).unwrap();
    let before = dump(&index.path);
    let records = index.journal.calls(&[Call { number: 50, second: 500, ..Call::default() }]);
    // Somebody else's table in the way of the roll-ups makes the batch fail half-way.
    let other = Connection::open(&index.path).unwrap();
    other.execute_batch("ALTER TABLE rollups RENAME TO elsewhere").unwrap();
    assert!(writer.apply(&records, &index.journal.end()).is_err());
    other.execute_batch("ALTER TABLE elsewhere RENAME TO rollups").unwrap();
    assert_eq!(dump(&index.path), before);
    writer.apply(&records, &index.journal.end()).unwrap();
    let reader = SqliteReader::open(&index.path).unwrap();
    assert_eq!(reader.status().unwrap().decisions, 3);
    assert_eq!(reader.metrics(&<_>::default()).unwrap().totals.requests, 3);
}

#[test]
fn the_printed_queries_go_by_index() {
    let index = index(1);
    let connection = Connection::open(&index.path).unwrap();
    let expected = [
        "audit_events_trace_id (ANY(_chunk) AND trace_id=?)",
        "audit_events_request_id (ANY(_chunk) AND request_id=?)",
        "audit_events_user_id (ANY(_chunk) AND <expr>=?)",
        "audit_events_event_type (event_type=?)",
        "audit_events_event_type (event_type=? AND timestamp>?)",
        "audit_events_timestamp (timestamp>? AND timestamp<?)",
    ];
    // The functions that translated queries may call, as far as these do.
    let flags = rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("json_text", 1, flags, |_| Ok(1)).unwrap();
    connection.create_scalar_function("to_time", 1, flags, |_| Ok(1)).unwrap();
    connection.create_scalar_function("time_add", 3, flags, |_| Ok(1)).unwrap();
    for (sql, expected) in index::contract::PRINTED.iter().zip(expected) {
        let sql = index_sqlite::translate(sql, &[], event::Timestamp::now()).unwrap();
        let plan: String = connection
            .query_row(&format!("EXPLAIN QUERY PLAN {sql}"), [], |row| row.get(3))
            .unwrap();
        assert_eq!(plan, format!("SEARCH audit_events USING INDEX {expected}"), "{sql}");
    }
}

#[test]
fn a_long_chain_is_answered_on_a_small_stack() {
    let index = index(1);
    let reader = SqliteReader::open(&index.path).unwrap();
    let chains = [
        format!("SELECT 1{} FROM audit_logs", " + 1".repeat(970)),
        format!("SELECT id{} FROM audit_logs", "::text".repeat(490)),
        format!("SELECT id FROM audit_logs WHERE {} true", "true AND ".repeat(490)),
        format!("SELECT id{} FROM audit_logs", " IS NULL".repeat(490)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(490)),
        format!("SELECT event_data{} FROM audit_events", " -> 'a'".repeat(480)),
        format!("SELECT {} 1", "NOT ".repeat(970)),
        format!("SELECT {}1{}", "(".repeat(490), ")".repeat(490)),
    ];
    // The stack that async runtimes give their blocking threads.
    let small = std::thread::Builder::new().stack_size(2 << 20);
    let ask = move || {
        for sql in chains {
            let answer = reader.sql(&sql, &[], &SqlLimits::default());
            assert!(matches!(answer, Ok(_) | Err(Error::BadQuery(_))), "{answer:?}");
        }
    };
    small.spawn(ask).unwrap().join().unwrap();
}

#[test]
fn the_terms_of_calls_that_overlap_are_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index.db");
    let mut journal = Builder::default();
    let calls = calls(40);
    // Ten are under way at any time.
    let mut records = Vec::new();
    for together in calls.chunks(10) {
        records.extend(together.iter().map(|call| journal.intent(call)));
        records.extend(together.iter().map(|call| journal.outcome(call)));
    }
    SqliteWriter::open(&path).unwrap().apply(&records, &journal.end()).unwrap();
    // The upper bits of a key name what was written at once (SQLite, `fts5_index.c`).
    let pieces: i64 = Connection::open(&path)
        .unwrap()
        .query_row(
            "SELECT count(DISTINCT id >> 37) FROM audit_search_data WHERE id > 10",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(pieces, 1);
}
