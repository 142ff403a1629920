//! `doctor`: is everything as it must be?

mod checks;

use super::{Format, Place};
use crate::config::{self};
use crate::env;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Style, Table, plain};
use clap::Args;
use serde::Serialize;
use serde_json::json;

/// Check configuration, disk, clock, keys and that providers can be reached
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    format: Format,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Failed,
}

/// One check.
#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    state: State,
    message: String,
}

// === impl Doctor ===

impl Doctor {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let findings = match config::load(&place.flags(), &env::vars()) {
            Ok(config) => {
                let mut findings =
                    vec![Finding::ok("configuration", "every key and value is allowed")];
                findings.extend(checks::all(&config));
                findings
            }
            Err(failure) => {
                vec![Finding::failed("configuration", failure.message.unwrap_or_default())]
            }
        };
        let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
        let out = Out::new();
        if self.format.json {
            out.json(&json!({ "ok": failed == 0, "checks": findings }))?;
        } else {
            print(&findings, &out)?;
        }
        if failed == 0 {
            return Ok(());
        }
        let of = findings.len();
        Err(Failure::failed(format!("{failed} of {of} checks failed; each says what to do")))
    }
}

// === impl Finding ===

impl Finding {
    fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Ok, message: message.into() }
    }

    fn warning(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { state: State::Warning, ..Self::ok(check, message) }
    }

    fn failed(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { state: State::Failed, ..Self::ok(check, message) }
    }
}

fn print(findings: &[Finding], out: &Out) -> Outcome {
    let mut table = Table::new(&["", "CHECK", "RESULT"]);
    for finding in findings {
        let (word, style) = match finding.state {
            State::Ok => ("ok", Style::Good),
            State::Warning => ("warning", Style::Notice),
            State::Failed => ("failed", Style::Bad),
        };
        table.row(vec![
            (word.to_owned(), Some(style)),
            (finding.check.clone(), None),
            (plain(&finding.message), None),
        ]);
    }
    table.print(out, false)
}
