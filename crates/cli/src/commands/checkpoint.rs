//! `checkpoint`: the newest signed checkpoint.

use super::{Format, Place};
use crate::failure::{Failure, Outcome};
use crate::output::Out;
use clap::Args;
use journal::Meta;
use recorder::LedgerFiles;
use serde_json::json;
use std::path::Path;

/// Print the newest signed checkpoint; keep it elsewhere to check the log against later
#[derive(Debug, Args)]
pub struct Checkpoint {
    #[command(flatten)]
    format: Format,
}

// === impl Checkpoint ===

impl Checkpoint {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let config = place.config()?;
        let epoch = epoch_of(&config.data)?;
        let files = LedgerFiles::new(&config.data.join("ledger"), epoch);
        let ledger = config.data.join("ledger");
        let read = |what: std::io::Result<Option<String>>| {
            what.map_err(|error| Failure::file("read", &ledger, &error))
        };
        let Some(checkpoint) = read(files.checkpoint())? else {
            return Err(Failure::failed(
                "nothing is sealed yet; a checkpoint follows within a second of the first record",
            ));
        };
        let out = Out::new();
        if !self.format.json {
            return out.bytes(checkpoint.as_bytes());
        }
        let vkey = read(files.vkey())?.map(|line| line.trim_end().to_owned());
        let mut lines = checkpoint.lines();
        out.json(&json!({
            "origin": lines.next(),
            "size": lines.next().and_then(|size| size.parse::<u64>().ok()),
            "root": lines.next(),
            "vkey": vkey,
            "checkpoint": checkpoint,
        }))
    }
}

/// The epoch in which the data directory's writer is.
pub fn epoch_of(data: &Path) -> Outcome<u32> {
    let path = data.join("journal").join("meta.json");
    let bytes = std::fs::read(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Failure::failed(format!(
                "{} holds no journal; give the data directory with --data",
                data.display()
            ));
        }
        Failure::file("read", &path, &error)
    })?;
    let meta: Meta = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::failed(format!("{} is damaged ({error}); restore it", path.display()))
    })?;
    Ok(meta.epoch)
}
