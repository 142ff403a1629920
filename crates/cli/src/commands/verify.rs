//! `verify`: the whole data directory, offline or beside a server.

use super::{Format, Place};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Progress, Style, plain};
use clap::Args;
use index_sqlite::SqliteReader;
use ledger::VerifierKey;
use seal::{KeyRing, LocalKeyFile, SigningKey};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use verify::{KeptCheckpoint, Mode, Options, Report, Trust};

/// A kept checkpoint is shorter than this.
const CHECKPOINT_BYTES_MAX: u64 = 1 << 20;

/// Verify the data directory: every record, body, tile and signature
#[derive(Debug, Args)]
pub struct Verify {
    /// Only leaves, tiles and signatures; bodies are passed over
    #[arg(long, conflicts_with = "index")]
    ledger: bool,
    /// A checkpoint that was kept elsewhere; may be repeated
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The index against the journal, too
    #[arg(long)]
    index: bool,
    /// The log's verifier key, kept elsewhere; may be repeated [default: the data directory's own]
    #[arg(long, value_name = "VKEY")]
    vkey: Vec<VerifierKey>,
    /// Do not open what is sealed (faster, needs no keys)
    #[arg(long, conflicts_with = "index")]
    sealed: bool,
    #[command(flatten)]
    format: Format,
}

// === impl Verify ===

impl Verify {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let config = place.config()?;
        let started = Instant::now();
        let report = self.verify(&config)?;
        let seconds = started.elapsed().as_secs_f64();
        let out = Out::new();
        if self.format.json {
            out.json(&as_json(&report, seconds)?)?;
        } else {
            print(&report, seconds, &out)?;
        }
        if report.ok() {
            return Ok(());
        }
        Err(Failure::failed(format!("verification failed: {} faults", report.fault_count())))
    }

    fn verify(&self, config: &Config) -> Outcome<Report> {
        let mode = if self.ledger { Mode::LedgerOnly } else { Mode::Full };
        let keys = if self.ledger || self.sealed { None } else { keys(config)? };
        let mut bar = Progress::new("verifying");
        let mut progress = |done: u64, total: u64| bar.at(done, total);
        let options = Options {
            mode,
            trust: self.trust(config),
            kept: self.kept()?,
            state_dir: Some(config.state_dir()),
            keys: keys.as_ref(),
            progress: Some(&mut progress),
            ..Options::new(&config.data)
        };
        let verified = if self.index {
            let index = SqliteReader::open(&config.index_file())
                .map_err(|error| Failure::failed(error.to_string()))?;
            verify::verify_index(options, &index)
        } else {
            verify::verify_data(options)
        };
        verified.map_err(|error| Failure::failed(error.to_string()))
    }

    /// Keys that were given, else the one that signs here, else what the log says of itself.
    fn trust(&self, config: &Config) -> Trust {
        let own = SigningKey::load(&config.data.join("keys"));
        Trust {
            pinned: self.vkey.clone(),
            public: own.map(|key| key.public()).into_iter().collect(),
        }
    }

    fn kept(&self) -> Outcome<Vec<KeptCheckpoint>> {
        let read = |path: &PathBuf| {
            let note = std::fs::metadata(path).and_then(|file| {
                if file.len() > CHECKPOINT_BYTES_MAX {
                    return Err(std::io::Error::other("it is too long for a checkpoint"));
                }
                std::fs::read(path)
            });
            let note = note.map_err(|error| Failure::file("read", path, &error))?;
            Ok(KeptCheckpoint { name: path.display().to_string(), note })
        };
        self.checkpoint.iter().map(read).collect()
    }
}

/// The keys of this data directory; none where it was copied without them.
fn keys(config: &Config) -> Outcome<Option<KeyRing>> {
    let file = config.data.join("subjects.db");
    if !file.exists() {
        return Ok(None);
    }
    let failure = |error: seal::Error| {
        Failure::failed(format!(
            "the keys cannot be used: {error}; to verify without them: --sealed"
        ))
    };
    let provider = LocalKeyFile::load(&config.data.join("keys")).map_err(failure)?;
    KeyRing::open_read_only(&file, Arc::new(provider)).map(Some).map_err(failure)
}

fn as_json(report: &Report, seconds: f64) -> Outcome<Value> {
    let mut value = serde_json::to_value(report).map_err(std::io::Error::from)?;
    value["ok"] = json!(report.ok());
    value["seconds"] = json!(seconds);
    Ok(value)
}

fn print(report: &Report, seconds: f64, out: &Out) -> Outcome {
    let count = |number: u64, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    out.line(format!(
        "checked {}, {}, {}, {} in {seconds:.2} s ({:.0} MB/s)",
        count(report.records, "record", "records"),
        count(report.events, "event", "events"),
        count(report.parts, "part of a body", "parts of bodies"),
        count(report.segments, "segment", "segments"),
        report.bytes as f64 / 1e6 / seconds.max(1e-6),
    ))?;
    out.line(format!(
        "checked {}, {}; opened {}, {} erased",
        count(report.tiles, "tile", "tiles"),
        count(report.checkpoints, "signed checkpoint", "signed checkpoints"),
        count(report.opened, "sealed piece", "sealed pieces"),
        report.erased,
    ))?;
    for log in &report.logs {
        out.line(format!(
            "log {}: {}, root {}, checkpoint at {}, {} not sealed yet{}",
            plain(log.origin.as_deref().unwrap_or("(no checkpoint)")),
            count(log.leaves, "leaf", "leaves"),
            log.root,
            log.checkpoint_size.map_or_else(|| "none".to_owned(), |size| size.to_string()),
            log.unsealed,
            if log.self_asserted_key { "; its key is only its own word (give --vkey)" } else { "" },
        ))?;
    }
    if report.live {
        out.line("a server is writing: what it wrote after the start was left out")?;
    }
    for note in &report.notes {
        out.line(out.styled(Style::Dim, &format!("note: {}", plain(note))))?;
    }
    for fault in &report.faults {
        out.line(format!("{} {}", out.styled(Style::Bad, "FAULT"), plain(&fault.to_string())))?;
    }
    let listed = report.faults.len() as u64;
    if listed < report.fault_count() {
        out.line(format!("… and {} more faults", report.fault_count() - listed))?;
    }
    if report.ok() {
        out.line(out.styled(Style::Good, "OK"))?;
    }
    Ok(())
}
