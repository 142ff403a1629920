//! `proof`: the bundle that proves one decision.

use super::Place;
use crate::client::{Operator, Query};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, note};
use clap::Args;
use std::path::PathBuf;

const PATH: &str = "/api/v1/audit/logs";

/// Write the bundle that proves one decision on another machine
#[derive(Debug, Args)]
pub struct Proof {
    /// Decision id (x-audit-id) or request id (x-request-id)
    id: String,
    /// File to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave the keys out: it proves the record without showing what is sealed
    #[arg(long)]
    sealed: bool,
    /// Print JSON (a bundle is JSON anyway)
    #[arg(long)]
    json: bool,
}

// === impl Proof ===

impl Proof {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open(&place.config()?)?;
        let mut path = Query::new(PATH).segment(&self.id).segment("proof");
        if self.sealed {
            path.push("sealed", "true");
        }
        let bundle = operator.get(path.as_str())?.bytes()?;
        operator.close()?;
        match &self.output {
            None => Out::new().bytes(&bundle),
            Some(path) => {
                std::fs::write(path, &bundle)
                    .map_err(|error| Failure::file("written", path, &error))?;
                note(&format!("wrote {} ({} bytes)", path.display(), bundle.len()));
                Ok(())
            }
        }
    }
}
