//! Puts the parts together: one data directory, one gateway, one API.

mod backtest;
mod control_socket;
mod demo;
mod failure;
mod figures;
mod format;
mod local;
mod logging;
mod policies;
mod readiness;
mod rebuild;
mod reviews;
mod serve;
mod settings;
mod signals;
mod store;
mod supervise;
mod webhook;

pub use backtest::{Trial, Tried, backtest};
pub use failure::OpenFailure;
pub use local::Local;
pub use logging::start as start_logging;
pub use policies::detectors;
pub use rebuild::rebuild;
pub use serve::{Serve, serve};
pub use settings::providers;
pub use store::{Store, inspect_directory, is_locked, prepare_directory, start_epoch};
