//! `recover`: going on where continuity cannot be proved.

use super::{Format, Place};
use crate::compose;
use crate::failure::Outcome;
use crate::output::Out;
use clap::Args;
use serde_json::json;

/// Go on in a data directory that was restored from a backup (no server may run meanwhile)
#[derive(Debug, Args)]
pub struct Recover {
    /// Begin a new epoch: a new log whose first record holds the last signed checkpoint. Nothing
    /// that is there is changed; what was written after the backup stays lost, and provably so.
    #[arg(long, required = true)]
    new_epoch: bool,
    #[command(flatten)]
    format: Format,
}

// === impl Recover ===

impl Recover {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let config = place.config()?;
        let epoch = compose::start_epoch(&config)?;
        let out = Out::new();
        if self.format.json {
            return out.json(&json!({ "epoch": epoch }));
        }
        out.line(format!("epoch {epoch} begins with the next start of the server"))
    }
}
