//! Policies: what they see of a call, what they decide, and the events that say so.
//!
//! [`Guard::judge_request`] is asked before the intent is recorded, [`Guard::judge_answer`] before
//! the outcome is. Neither records or answers anything: that is the steps' own matter.

mod answer;
mod content;
mod events;
mod facts;
mod guard;
mod request;
mod windows;

pub(crate) use answer::{AnswerFacts, Looks, Watch};
pub(crate) use facts::{Asked, of_request};
pub(crate) use guard::Guard;
pub(crate) use request::Verdict;
