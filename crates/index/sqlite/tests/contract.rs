//! The contract suite, on SQLite.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use index::contract::{Backend, CASES};
use index_sqlite::{SqliteReader, SqliteWriter};

/// Runs one case; the directory lives as long as the case.
fn run(name: &str) {
    let (_, case) = CASES.iter().find(|(case, _)| *case == name).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index.db");
    let writer = Box::new(SqliteWriter::open(&path).unwrap());
    let reader = Box::new(SqliteReader::open(&path).unwrap());
    case(Backend { writer, reader });
}

macro_rules! cases {
    ($($function:ident = $name:literal,)+) => {
        $(#[test] fn $function() { run($name); })+

        #[test]
        fn every_case_is_run() {
            let here = [$($name,)+];
            for (name, _) in CASES {
                assert!(here.contains(name), "{name} is not run");
            }
        }
    };
}

cases! {
    records_become_decisions_and_events = "records become decisions and events",
    event_data_shows_the_decision = "event data shows the decision",
    applying_twice_changes_nothing = "applying twice changes nothing",
    batches_do_not_matter = "batches do not matter",
    what_was_asked_may_come_last = "what was asked may come last",
    another_writer_is_refused = "another writer's records are refused",
    administration_is_no_decision = "administration is no decision",
    filters = "filters",
    pages_are_complete_and_stable = "pages are complete and stable",
    orders = "orders",
    cursors_are_bound = "page cursors are bound to their query",
    search = "previews are searched in any script",
    equal_times = "equal times",
    events = "events by filter",
    sessions = "sessions",
    shared_sessions = "shared sessions",
    accesses_by_target = "accesses by what they are about",
    metrics = "metrics are the sums of decisions",
    kept_sums = "kept sums are the sums of decisions",
    request_ids = "request ids",
    printed_queries = "the six printed queries",
    free_queries = "free queries",
    refused_queries = "free queries that are refused",
}
