//! Calls that wait for a person: what is held, who said what, which outcome stands.

mod decide;
mod hooks;
mod model;
mod refused;
mod rows;
mod store;

pub use hooks::{Hook, HookKind};
pub use model::{
    Fingerprint, NewReview, NewVote, Review, ReviewFilter, ReviewOutcome, ReviewPage, ReviewStage,
    ReviewState, ReviewViolation, Vote, new_review_id,
};
pub use refused::VerdictError;
pub use store::{
    ABOUT_BYTES_MAX, Claim, HELD_BYTES_MAX, PAGE_REVIEWS_MAX, RATIONALE_BYTES_MAX, Reviews,
};
