//! Policies from the outside: what loads, what is refused and how, what is decided.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod cases;
mod decide;
mod document;
mod holder;
mod load;
mod support;
