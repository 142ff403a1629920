//! The binary `audit-layer`: configuration, commands, and the composition of everything.

mod client;
mod commands;
mod compose;
mod config;
mod env;
mod failure;
mod output;
mod socket;
mod turns;
mod usage;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let outcome = match commands::Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => usage::explain(&error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = &failure.message {
                output::note(&format!("error: {message}"));
            }
            ExitCode::from(failure.code)
        }
    }
}
