//! The commands about policies: what they print, and how they exit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod backtest;
mod check;
mod support;
