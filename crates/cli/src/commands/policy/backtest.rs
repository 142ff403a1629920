//! `policy backtest`: what a folder of policies would have decided about recorded calls.

use super::super::{Format, Place, times};
use super::refused;
use crate::compose::{self, Trial, Tried};
use crate::failure::Outcome;
use crate::output::{Out, Progress, Style, Table, plain};
use clap::Args;
use event::Timestamp;
use policy::{Bundle, Example};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

/// Try policies on recorded calls: what they would have decided, and what changes
#[derive(Debug, Args)]
pub struct Backtest {
    /// The folder of policies
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Calls from then on: RFC 3339, a date, or a span back from now as 7d
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    from: Option<Timestamp>,
    /// Calls until then, that time left out
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    to: Option<Timestamp>,
    /// Run the detectors again over the recorded bodies
    #[arg(long)]
    redetect: bool,
    /// Calls that are shown as examples, at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    examples: usize,
    #[command(flatten)]
    format: Format,
}

// === impl Backtest ===

impl Backtest {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let config = place.config()?;
        let out = Out::new();
        let bundle = match Bundle::load(&self.dir) {
            Ok(bundle) => bundle,
            Err(error) => return Err(refused(&error, &self.dir, &out, self.format)),
        };
        let started = Instant::now();
        let trial = Trial {
            bundle: &bundle,
            from: self.from,
            to: self.to,
            redetect: self.redetect,
            examples_max: self.examples,
        };
        let mut bar = Progress::new("trying");
        let tried = compose::backtest(&config, &trial, |done, total| bar.at(done, total))?;
        drop(bar);
        let seconds = started.elapsed().as_secs_f64();
        if self.format.json {
            return out.json(&as_json(&tried, &bundle, seconds));
        }
        print(&tried, &bundle, seconds, &out)
    }
}

fn as_json(tried: &Tried, bundle: &Bundle, seconds: f64) -> Value {
    let found = &tried.backtest;
    let outcomes = found.outcomes.iter().map(
        |((recorded, now), count)| json!({ "recorded": recorded, "now": now, "count": count }),
    );
    json!({
        "bundle": bundle.hash(),
        "decisions": found.decisions(),
        "changed": found.changed(),
        "evaluations": found.evaluations,
        "outcomes": outcomes.collect::<Vec<_>>(),
        "policies": found.policies,
        "shadow": found.shadow,
        "errors": found.errors,
        "examples": found.examples.iter().map(example).collect::<Vec<_>>(),
        "erased": tried.erased,
        "without_facts": tried.without_facts,
        "without_body": tried.without_body,
        "seconds": seconds,
    })
}

fn example(example: &Example) -> Value {
    json!({
        "id": id(example),
        "timestamp": Timestamp::from_micros(example.at),
        "stage": example.stage,
        "source": example.source,
        "model": example.model,
        "recorded": example.recorded,
        "now": example.now,
        "policies": example.policies,
    })
}

fn id(example: &Example) -> String {
    uuid::Uuid::from_bytes(example.decision_id).to_string()
}

fn print(tried: &Tried, bundle: &Bundle, seconds: f64, out: &Out) -> Outcome {
    let found = &tried.backtest;
    out.line(format!(
        "tried {} on {} recorded calls ({} decisions of policies) in {seconds:.1} s",
        bundle.hash(),
        found.decisions(),
        found.evaluations,
    ))?;
    for (count, what) in [
        (tried.erased, "cannot be opened: a person was erased"),
        (tried.without_facts, "hold nothing to decide on"),
        (tried.without_body, "kept the recorded findings: their body is not beside them"),
    ] {
        if count > 0 {
            out.line(out.styled(Style::Dim, &format!("note: {count} {what}")))?;
        }
    }
    let mut outcomes = Table::new(&["RECORDED", "NOW", "COUNT"]);
    for ((recorded, now), count) in &found.outcomes {
        outcomes.plain_row(vec![recorded.to_string(), now.to_string(), count.to_string()]);
    }
    outcomes.print(out, true)?;
    out.line("")?;
    let mut policies = Table::new(&["POLICY", "RECORDED", "NOW"]);
    for (id, counts) in &found.policies {
        policies.plain_row(vec![plain(id), counts.recorded.to_string(), counts.now.to_string()]);
    }
    for (what, counts) in [("shadow", &found.shadow), ("cannot be evaluated", &found.errors)] {
        for (id, count) in counts {
            policies.plain_row(vec![
                format!("{} ({what})", plain(id)),
                String::new(),
                count.to_string(),
            ]);
        }
    }
    policies.print(out, true)?;
    out.line("")?;
    if !found.examples.is_empty() {
        let headings = ["CALL", "TIME", "STAGE", "SOURCE", "MODEL", "RECORDED", "NOW", "POLICIES"];
        let mut examples = Table::new(&headings);
        for example in &found.examples {
            examples.plain_row(vec![
                id(example),
                Timestamp::from_micros(example.at).to_string(),
                example.stage.to_string(),
                plain(&example.source),
                plain(&example.model),
                example.recorded.to_string(),
                example.now.to_string(),
                plain(&example.policies.join(", ")),
            ]);
        }
        examples.print(out, true)?;
        out.line("")?;
    }
    let style = if found.changed() == 0 { Style::Good } else { Style::Notice };
    out.line(out.styled(style, &format!("{} calls would be decided otherwise", found.changed())))
}
