//! The commands as people and scripts use them: what they print, where, and how they exit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod beside;
mod directories;
mod feed;
mod models;
mod policies;
mod reviews;
mod serve;
mod supervise;
mod support;
mod traces;
mod usage;
mod users;
