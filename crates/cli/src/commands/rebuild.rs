//! `rebuild`: the index, from the journal.

use super::{Format, Place};
use crate::client::check_directory;
use crate::compose;
use crate::failure::Outcome;
use crate::output::{Out, Progress};
use clap::Args;
use serde_json::json;
use std::time::Instant;

/// Rebuild the index from the journal (no server may run meanwhile)
#[derive(Debug, Args)]
pub struct Rebuild {
    #[command(flatten)]
    format: Format,
}

// === impl Rebuild ===

impl Rebuild {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let config = place.config()?;
        check_directory(&config)?;
        let started = Instant::now();
        let mut bar = Progress::new("indexing");
        let rebuilt = compose::rebuild(&config, |done, total| bar.at(done, total))?;
        drop(bar);
        let seconds = started.elapsed().as_secs_f64();
        let out = Out::new();
        if self.format.json {
            return out.json(&json!({
                "records": rebuilt.records,
                "events": rebuilt.events,
                "seconds": seconds,
            }));
        }
        out.line(format!(
            "indexed {} records with {} events in {seconds:.2} s",
            rebuilt.records, rebuilt.events
        ))
    }
}
