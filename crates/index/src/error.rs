//! What can go wrong in an index.

use crate::Cursor;

/// What an index answers with.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the index could not do what was asked; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The page cursor is not one of ours.
    #[error("the cursor is not valid; pass next_cursor as the last page gave it, or none to begin")]
    BadCursor,
    /// The page cursor belongs to a query with other parameters.
    #[error(
        "the cursor belongs to another query; repeat the query that it came from, or pass none to begin"
    )]
    ForeignCursor,
    /// The query cannot be answered as it stands.
    #[error("{0}")]
    BadQuery(String),
    /// The query took too long.
    #[error(
        "the query took longer than {limit_ms} ms and was stopped; narrow it by time or by filter"
    )]
    Timeout {
        /// The limit.
        limit_ms: u64,
    },
    /// All readers are taken.
    #[error("all readers of the index are busy; try again in a moment")]
    Busy,
    /// A record comes from another writer's journal.
    #[error(
        "the record at {at} is of another writer than the index, which stands at {cursor}; rebuild the index from this journal"
    )]
    OtherWriter {
        /// Where the record stands.
        at: Cursor,
        /// Where the index stands.
        cursor: Cursor,
    },
    /// The index was made by another version.
    #[error(
        "the index has version {found}, this program reads version {expected}; run `audit-layer rebuild`"
    )]
    Version {
        /// Version found.
        found: i64,
        /// Version that this program writes.
        expected: i64,
    },
    /// The index's contents contradict themselves.
    #[error("the index is damaged ({0}); run `audit-layer rebuild`")]
    Corrupt(String),
    /// The store below failed.
    #[error(
        "the index cannot be read or written: {0}; check the disk, then run `audit-layer doctor`"
    )]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Wraps a store's own error.
    pub fn backend(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Backend(error.into())
    }
}
