//! What can go wrong with a review.

use control::VerdictError;
use recorder::{ReadError, RecordError};

/// Why a review could not be held, decided or picked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The verdict did not count; it says which outcome stands.
    #[error(transparent)]
    Verdict(#[from] VerdictError),
    /// The call is the reviewer's own.
    #[error("{reviewer} made the call of the review {id}; somebody else has to approve it")]
    OwnCall {
        /// The review.
        id: String,
        /// The reviewer.
        reviewer: String,
    },
    /// What is held is about somebody who was erased.
    #[error("what the review {id} holds is about somebody who was erased; it can only be rejected")]
    Erased {
        /// The review.
        id: String,
    },
    /// The verdict stands, and has no effect before it is recorded.
    #[error("the verdict on {id} stands and takes effect once it can be recorded: {source}")]
    Unrecorded {
        /// The review.
        id: String,
        /// Why it cannot be recorded now.
        source: RecordError,
    },
    /// Something could not be sealed or recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Something sealed could not be opened.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The control store failed.
    #[error(transparent)]
    Store(#[from] control::Error),
    /// What a review says about persons is damaged.
    #[error("the review {id} is damaged ({what}); reject it, and restore control.db from a backup")]
    Damaged {
        /// The review.
        id: String,
        /// What is wrong.
        what: String,
    },
    /// A thread of ours failed.
    #[error("something failed inside; the log of the server says what")]
    Internal,
}
