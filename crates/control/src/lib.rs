#![doc = include_str!("../README.md")]

mod attempts;
#[cfg(feature = "testing")]
pub mod contract;
mod control;
mod directory;
mod error;
mod identity;
mod keys;
mod kinds;
mod limits;
mod meters;
mod passwords;
mod people;
mod reviews;
mod secret;
mod sessions;
mod store;
mod table;
mod tokens;
mod users;

pub use control::Control;
pub use error::{Error, LoginError, RefreshError, Result};
pub use identity::{IdentityStore, SigningKey, SqliteIdentity};
pub use keys::{ApiKey, CreatedKey, NewKey, StoredKey};
pub use kinds::{Role, Scope};
pub use limits::{DayUse, KeyLimits, Rate, Usd};
pub use meters::{LimitKind, LimitReached, Meter};
pub use passwords::new_password;
pub use people::{Signed, SignedIn};
pub use reviews::{
    ABOUT_BYTES_MAX, Claim, Fingerprint, HELD_BYTES_MAX, Hook, HookKind, NewReview, NewVote,
    PAGE_REVIEWS_MAX, RATIONALE_BYTES_MAX, Review, ReviewFilter, ReviewOutcome, ReviewPage,
    ReviewStage, ReviewState, ReviewViolation, Reviews, VerdictError, Vote, new_review_id,
};
pub use sessions::{From, Refresh, SESSION_IDLE, SESSION_MAX, SESSIONS_MAX, Session, Turn, Which};
pub use tokens::{AccessToken, TOKEN_LIFETIME_S};
pub use users::{Account, AccountChange, NewUser, User, UserChange};
pub use zeroize::Zeroizing;
