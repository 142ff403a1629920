//! What every backend must do, as one suite. A backend's tests call [`run`] with a function that
//! makes a fresh, empty index; it panics with what was wrong.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::assigning_clones,
    reason = "a test suite that lives in a library so that several crates can run it"
)]

mod answers;
mod build;
mod lists;
mod queries;
mod writes;

pub use build::{Builder, Call};
pub use queries::PRINTED;

use crate::{IndexReader, IndexWriter};

/// A fresh, empty index: its writing side, and its reading side.
pub struct Backend {
    /// The writer.
    pub writer: Box<dyn IndexWriter>,
    /// A reader that sees what the writer has written.
    pub reader: Box<dyn IndexReader>,
}

/// A case's name, and the case.
pub type Case = (&'static str, fn(Backend));

/// The suite.
pub const CASES: &[Case] = &[
    ("records become decisions and events", writes::records_become_decisions_and_events),
    ("event data shows the decision", writes::event_data_shows_the_decision),
    ("applying twice changes nothing", writes::applying_twice_changes_nothing),
    ("batches do not matter", writes::batches_do_not_matter),
    ("what was asked may come last", writes::what_was_asked_may_come_last),
    ("another writer's records are refused", writes::another_writer_is_refused),
    ("administration is no decision", writes::administration_is_no_decision),
    ("filters", lists::filters),
    ("pages are complete and stable", lists::pages_are_complete_and_stable),
    ("orders", lists::orders),
    ("page cursors are bound to their query", lists::cursors_are_bound),
    ("previews are searched in any script", lists::search),
    ("equal times", lists::equal_times),
    ("events by filter", answers::events),
    ("sessions", answers::sessions),
    ("shared sessions", answers::shared_sessions),
    ("accesses by what they are about", writes::accesses_by_target),
    ("metrics are the sums of decisions", answers::metrics),
    ("kept sums are the sums of decisions", answers::kept_sums),
    ("request ids", answers::request_ids),
    ("the six printed queries", queries::printed_queries),
    ("free queries", queries::free_queries),
    ("free queries that are refused", queries::refused_queries),
];

/// Runs the suite, each case with a fresh backend.
pub fn run(mut fresh: impl FnMut() -> Backend) {
    for (_, case) in CASES {
        case(fresh());
    }
}
