//! Why a verdict did not count.

use super::model::{ReviewOutcome, ReviewState};
use crate::Error;

/// Why a verdict did not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerdictError {
    /// Somebody else was first, or time was.
    #[error("the review {id} is {outcome}{by} already, and that stands")]
    Decided {
        /// The review.
        id: String,
        /// The outcome that stands.
        outcome: ReviewOutcome,
        /// Where the review is now.
        state: ReviewState,
        /// Who decided, as " by alice"; empty where time did.
        by: String,
    },
    /// Its time is over, and nobody has written that down yet: expire it.
    #[error("the review {id} is not answered in time; it expires now")]
    Due {
        /// The review.
        id: String,
    },
    /// One person counts once.
    #[error("{reviewer} has approved the review {id} already; it needs another person")]
    Voted {
        /// The review.
        id: String,
        /// The person.
        reviewer: String,
    },
    /// The review or the rationale is none, or the store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<rusqlite::Error> for VerdictError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
