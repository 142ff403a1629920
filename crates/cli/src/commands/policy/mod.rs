//! `policy`: what a folder of policies says, whether its test cases hold, and what it would have
//! decided.

mod backtest;

use super::{Format, Place};
use crate::compose;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Style, Table, plain};
use clap::{Args, Subcommand};
use policy::{Bundle, Case, CaseResult, LoadError};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Check, test and try policies
#[derive(Debug, Subcommand)]
pub enum Policy {
    Check(Check),
    Test(Test),
    Backtest(Box<backtest::Backtest>),
    Schema(Schema),
}

/// Load policies and check their types: every fault with file, line and what to write
#[derive(Debug, Args)]
pub struct Check {
    /// The folder of policies
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    format: Format,
}

/// Run the test cases beside the policies (tests.toml, *.test.toml)
#[derive(Debug, Args)]
pub struct Test {
    /// The folder of policies
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    format: Format,
}

/// Print the schema: what policies can say, and what they see of a call
#[derive(Debug, Args)]
pub struct Schema {
    #[command(flatten)]
    format: Format,
}

// === impl Policy ===

impl Policy {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        match self {
            Self::Check(command) => command.run(),
            Self::Test(command) => command.run(place),
            Self::Backtest(command) => command.run(place),
            Self::Schema(command) => command.run(),
        }
    }
}

// === impl Check ===

impl Check {
    fn run(self) -> Outcome {
        let out = Out::new();
        let loaded = Bundle::load(&self.dir);
        if self.format.json {
            out.json(&checked(&loaded))?;
        }
        let bundle = match loaded {
            Ok(bundle) => bundle,
            Err(error) => return Err(refused(&error, &self.dir, &out, self.format)),
        };
        if self.format.json {
            return Ok(());
        }
        let mut table = Table::new(&["POLICY", "OUTCOME", "SEVERITY", "STAGE", "MODE", "WHERE"]);
        for policy in bundle.policies() {
            table.plain_row(vec![
                policy.id.to_string(),
                policy.outcome.to_string(),
                policy.severity.to_string(),
                policy.stage.to_string(),
                policy.mode.to_string(),
                plain(&format!("{}:{}", policy.file, policy.line)),
            ]);
        }
        table.print(&out, true)?;
        for warning in bundle.warnings() {
            out.line(
                out.styled(Style::Notice, &format!("warning: {}", plain(&warning.to_string()))),
            )?;
        }
        let policies = count(bundle.policies().len(), "policy", "policies");
        out.line(format!("{} {policies}, {}", out.styled(Style::Good, "OK"), bundle.hash()))
    }
}

fn checked(loaded: &Result<Bundle, LoadError>) -> Value {
    match loaded {
        Ok(bundle) => json!({
            "ok": true,
            "bundle": bundle.hash(),
            "policies": bundle.policies(),
            "warnings": bundle.warnings(),
            "faults": [],
        }),
        Err(error) => json!({ "ok": false, "faults": error.faults() }),
    }
}

/// Prints all faults, unless they are printed as JSON, and ends the command.
fn refused(error: &LoadError, dir: &Path, out: &Out, format: Format) -> Failure {
    let LoadError::Faults(faults) = error else { return Failure::failed(error.to_string()) };
    if !format.json {
        for fault in faults {
            let line = format!("{} {}", out.styled(Style::Bad, "FAULT"), plain(&fault.to_string()));
            if let Err(failure) = out.line(line) {
                return failure;
            }
        }
    }
    let faults = count(faults.len(), "fault", "faults");
    Failure::failed(format!("the policies of {} cannot be used: {faults}", dir.display()))
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

// === impl Schema ===

impl Schema {
    fn run(self) -> Outcome {
        let schema = policy::schema_text();
        if self.format.json {
            return Out::new().json(&json!({ "schema": schema }));
        }
        Out::new().bytes(schema.as_bytes())
    }
}

// === impl Test ===

impl Test {
    fn run(self, place: &Place) -> Outcome {
        let detectors = compose::detectors(&place.config()?)?;
        let out = Out::new();
        let loaded = Bundle::load(&self.dir)
            .and_then(|bundle| Case::load(&self.dir).map(|cases| (bundle, cases)));
        let (bundle, cases) = match loaded {
            Ok(both) => both,
            Err(error) => {
                if self.format.json {
                    out.json(&json!({ "ok": false, "faults": error.faults() }))?;
                }
                return Err(refused(&error, &self.dir, &out, self.format));
            }
        };
        if cases.is_empty() {
            return Err(Failure::failed(format!(
                "{} has no test cases; write some into tests.toml, or into a file that ends in .test.toml",
                self.dir.display()
            )));
        }
        let scan = |text: &str| policy::body(text.as_bytes(), &detectors);
        let results: Vec<_> = cases.iter().map(|case| case.run(&bundle, &scan)).collect();
        let failed = results.iter().filter(|result| !result.passed).count();
        if self.format.json {
            let (cases, ok) = (&results, failed == 0);
            out.json(
                &json!({ "ok": ok, "bundle": bundle.hash(), "failed": failed, "cases": cases }),
            )?;
        } else {
            for result in &results {
                print(result, &out)?;
            }
        }
        if failed == 0 {
            if !self.format.json {
                let cases = count(results.len(), "case", "cases");
                out.line(format!("{} {cases}", out.styled(Style::Good, "OK")))?;
            }
            return Ok(());
        }
        Err(Failure::failed(format!("{failed} of {} cases failed", results.len())))
    }
}

fn print(result: &CaseResult, out: &Out) -> Outcome {
    let place = format!("{}:{}", result.file, result.line);
    if result.passed {
        return out.line(format!(
            "{} {} ({place})",
            out.styled(Style::Good, "ok"),
            plain(&result.name)
        ));
    }
    out.line(format!("{} {} ({place})", out.styled(Style::Bad, "FAILED"), plain(&result.name)))?;
    for difference in &result.differences {
        out.line(format!("  {}", plain(difference)))?;
    }
    Ok(())
}
