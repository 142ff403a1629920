//! Calls that are held for persons: holding them, waiting, and what comes of it.
//!
//! What is common to requests and answers that are held. Going on with a request that was let
//! through is another step's matter.

mod follow;
mod hold;
mod keep;
mod release;
mod stored;

pub(crate) use follow::{Followed, find, follow, unavailable};
pub(crate) use hold::{Held, claim, escalated, hold};
pub(crate) use keep::tee;
pub(crate) use release::{failed, release_answer};
pub(crate) use stored::{AnswerHead, RequestHead, pack, unpack};
