//! `verify-proof`: a bundle, on another machine.

use super::Format;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Style, Table, plain};
use clap::Args;
use ledger::VerifierKey;
use record::{BUNDLE_BYTES_MAX, ProofBundle};
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use verify::{BundleReport, verify_bundle};

/// Verify a proof bundle, with nothing but the log's key
#[derive(Debug, Args)]
pub struct VerifyProof {
    /// The bundle (from `proof`)
    file: PathBuf,
    /// The log's verifier key, from a place that you trust; may be repeated
    #[arg(long = "key", value_name = "VKEY", required = true)]
    keys: Vec<VerifierKey>,
    #[command(flatten)]
    format: Format,
}

// === impl VerifyProof ===

impl VerifyProof {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let bundle = self.read()?;
        let report = verify_bundle(&bundle, &self.keys);
        let out = Out::new();
        if self.format.json {
            let mut value = serde_json::to_value(&report).map_err(std::io::Error::from)?;
            value["ok"] = json!(report.ok());
            out.json(&value)?;
        } else {
            print(&report, &out)?;
        }
        if report.ok() {
            return Ok(());
        }
        let faults = report.faults.len();
        Err(Failure::failed(format!("verification failed: {faults} faults; nothing is proven")))
    }

    fn read(&self) -> Outcome<ProofBundle> {
        let failure = |error: &std::io::Error| Failure::file("read", &self.file, error);
        let file = File::open(&self.file).map_err(|error| failure(&error))?;
        let reader = BufReader::new(file).take(BUNDLE_BYTES_MAX);
        serde_json::from_reader(reader).map_err(|error| {
            Failure::failed(format!(
                "{} is no proof bundle ({error}); make one with `audit-layer proof ID -o FILE`",
                self.file.display()
            ))
        })
    }
}

fn print(report: &BundleReport, out: &Out) -> Outcome {
    out.line(format!("decision {}", report.decision_id))?;
    for log in &report.earlier_logs {
        out.line(format!("log {}", plain(&log.origin)))?;
    }
    if let Some(origin) = &report.origin {
        out.line(format!("log {}", plain(origin)))?;
    }
    let mut table = Table::new(&["SEQ", "WRITTEN", "EVENT", "OPENED"]);
    for record in &report.records {
        for event in &record.events {
            let closed = record.closed_groups;
            table.plain_row(vec![
                record.seq.to_string(),
                record.ts.to_string(),
                event.data.event_type().to_string(),
                if closed == 0 { "yes".to_owned() } else { format!("{closed} groups closed") },
            ]);
        }
    }
    table.print(out, true)?;
    for body in report.records.iter().flat_map(|record| &record.bodies) {
        out.line(format!(
            "body {}: {} bytes, sha256 {}{}",
            body.role,
            body.length.map_or_else(|| "?".to_owned(), |length| length.to_string()),
            body.sha256.as_deref().unwrap_or("(sealed)"),
            if body.complete { "" } else { ", cut off" }
        ))?;
    }
    for fault in &report.faults {
        let record = fault.record.map(|number| format!("record {number}: ")).unwrap_or_default();
        let text = format!("{record}{}", plain(&fault.message));
        out.line(format!("{} {text}", out.styled(Style::Bad, "FAULT")))?;
    }
    if report.ok() {
        out.line(out.styled(Style::Good, "OK"))?;
    }
    Ok(())
}
