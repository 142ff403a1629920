//! The model router: from a call to a target that answers.
//!
//! [`plan`] says who may answer, [`route`] tries them in that order. Each attempt that fails is an
//! event; what was sent is kept where it differs from what was received. Where no models are
//! configured, or the call names none, the one provider of its format is asked as it is.

mod attempts;
mod end;
mod listing;
mod plan;
mod retry;
mod rewrite;
mod route;
mod send;
mod trail;

pub(crate) use end::{Answerer, End, NoAnswer, Routed};
pub(crate) use listing::listing;
pub(crate) use plan::{Plan, Sending, plan};
pub(crate) use route::route;
pub(crate) use trail::{Trail, differ};
