//! The gateway as callers and providers see it, and what its records say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod calls;
mod chaos;
mod endings;
mod exchanges;
mod harness;
mod limits;
mod mapping;
mod models;
mod policies;
mod refusals;
mod reviews;
mod steps;
