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
pub(crate) use hold::{Held, answer_escalated, claim, hold, request_escalated};
pub(crate) use keep::tee;
pub(crate) use release::{failed, held_ms, release_answer};
pub(crate) use stored::{AnswerHead, RequestHead, pack, unpack};
