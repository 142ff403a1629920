//! Operational logs, on standard error.

use crate::config::{Config, LogFormat};
use crate::failure::{Failure, Outcome};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts logging for the whole process.
pub fn start(config: &Config) -> Outcome {
    let filter = EnvFilter::try_new(&config.log.level).map_err(|_| {
        Failure::usage(format!(
            "log.level: found {:?}, allowed: error, warn, info, debug, trace, or a filter as info,gateway=debug",
            config.log.level
        ))
    })?;
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.log.format {
        LogFormat::Pretty => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::failed(format!("logging cannot be started: {error}")))
}
