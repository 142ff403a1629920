//! The commands, a file each.

mod checkpoint;
mod doctor;
mod keys;
mod logs;
mod policy;
mod proof;
mod rebuild;
mod recover;
mod reviews;
mod serve;
mod show;
mod sql;
mod times;
mod trace;
mod users;
mod verify;
mod verify_proof;

use crate::config::{self, Config, Flags};
use crate::env;
use crate::failure::Outcome;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Audit Layer: an LLM gateway that records every call durably, seals it in a Merkle log, and
/// proves it.
#[derive(Debug, Parser)]
#[command(name = "audit-layer", version, propagate_version = true, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where things are.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Configuration file [default: ./audit-layer.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory [default: ./audit-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Format {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Users(users::Users),
    Logs(Box<logs::Logs>),
    Show(show::Show),
    Trace(trace::Trace),
    Sql(sql::Sql),
    Verify(verify::Verify),
    Proof(proof::Proof),
    VerifyProof(verify_proof::VerifyProof),
    Checkpoint(checkpoint::Checkpoint),
    #[command(subcommand)]
    Policy(policy::Policy),
    Rebuild(rebuild::Rebuild),
    Recover(recover::Recover),
    #[command(subcommand)]
    Reviews(reviews::Reviews),
    Doctor(doctor::Doctor),
}

// === impl Cli ===

impl Cli {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let place = self.place;
        match self.command {
            Command::Serve(command) => command.run(&place),
            Command::Keys(command) => command.run(&place),
            Command::Users(command) => command.run(&place),
            Command::Logs(command) => command.run(&place),
            Command::Show(command) => command.run(&place),
            Command::Trace(command) => command.run(&place),
            Command::Sql(command) => command.run(&place),
            Command::Verify(command) => command.run(&place),
            Command::Proof(command) => command.run(&place),
            Command::VerifyProof(command) => command.run(),
            Command::Checkpoint(command) => command.run(&place),
            Command::Policy(command) => command.run(&place),
            Command::Rebuild(command) => command.run(&place),
            Command::Recover(command) => command.run(&place),
            Command::Reviews(command) => command.run(&place),
            Command::Doctor(command) => command.run(&place),
        }
    }
}

// === impl Place ===

impl Place {
    /// The configuration for a command that has no flags of its own for it.
    fn config(&self) -> Outcome<Config> {
        config::load(&self.flags(), &env::vars())
    }

    fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data: self.data.clone(), ..Flags::default() }
    }
}
