#![doc = include_str!("../README.md")]

mod attempts;
mod control;
mod error;
mod keys;
mod kinds;
mod limits;
mod meters;
mod passwords;
mod reviews;
mod secret;
mod store;
mod table;
mod tokens;
mod users;

pub use control::Control;
pub use error::{Error, LoginError, Result};
pub use keys::{ApiKey, CreatedKey, NewKey};
pub use kinds::{Role, Scope};
pub use limits::{KeyLimits, Rate, Usd};
pub use meters::{DayUse, LimitKind, LimitReached, Meter};
pub use reviews::{
    ABOUT_BYTES_MAX, Claim, Fingerprint, HELD_BYTES_MAX, Hook, HookKind, NewReview, NewVote,
    PAGE_REVIEWS_MAX, RATIONALE_BYTES_MAX, Review, ReviewFilter, ReviewOutcome, ReviewPage,
    ReviewStage, ReviewState, ReviewViolation, Reviews, VerdictError, Vote, new_review_id,
};
pub use tokens::{AccessToken, TOKEN_LIFETIME_S};
pub use users::User;
pub use zeroize::Zeroizing;
