//! `show`: one decision.

use super::{Format, Place};
use crate::client::{Operator, Query};
use crate::failure::Outcome;
use crate::output::{Out, Style, Table, plain, show_value};
use clap::Args;
use serde_json::Value;

const PATH: &str = "/api/v1/audit/logs";
/// Sections of the answer that are printed apart from the facts.
const SECTIONS: [&str; 5] = ["request", "response", "events", "integrity", "other_ids"];

/// Show one decision: facts, bodies, events, integrity
#[derive(Debug, Args)]
pub struct Show {
    /// Decision id (x-audit-id) or request id (x-request-id)
    id: String,
    #[command(flatten)]
    format: Format,
}

// === impl Show ===

impl Show {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open(&place.config()?)?;
        let path = Query::new(PATH).segment(&self.id);
        let answer = operator.get_json(path.as_str())?;
        operator.close()?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        facts(&answer, &out)?;
        for name in ["request", "response"] {
            message(name, &answer[name], &out)?;
        }
        events(&answer["events"], &out)?;
        heading("integrity", &out)?;
        pairs(&answer["integrity"], &out)?;
        others(&answer["other_ids"], &out)
    }
}

fn facts(answer: &Value, out: &Out) -> Outcome {
    let mut table = Table::new(&["", ""]);
    for (name, value) in answer.as_object().into_iter().flatten() {
        if !SECTIONS.contains(&name.as_str()) && !value.is_null() {
            table.row(vec![(name.clone(), Some(Style::Dim)), (show_value(value), None)]);
        }
    }
    table.print(out, false)
}

fn message(name: &str, message: &Value, out: &Out) -> Outcome {
    if message.is_null() {
        return Ok(());
    }
    heading(name, out)?;
    let Some(fields) = message.as_object() else {
        return out.line(show_value(message));
    };
    for (field, value) in fields {
        match (field.as_str(), value) {
            ("headers", Value::Object(_)) => pairs(value, out)?,
            ("body", Value::String(text)) => {
                out.line("")?;
                for line in text.lines() {
                    out.line(plain(line))?;
                }
            }
            ("body", Value::Object(_) | Value::Array(_)) => {
                out.line("")?;
                let text = serde_json::to_string_pretty(value).unwrap_or_default();
                for line in text.lines() {
                    out.line(plain(line))?;
                }
            }
            (_, Value::Null) => {}
            _ => out.line(format!("{field}: {}", show_value(value)))?,
        }
    }
    Ok(())
}

fn events(events: &Value, out: &Out) -> Outcome {
    heading("events", out)?;
    let mut table = Table::new(&["TIME", "COMPONENT", "EVENT", "DATA"]);
    for event in events.as_array().into_iter().flatten() {
        let cell = |name: &str| show_value(&event[name]);
        table.plain_row(vec![
            cell("timestamp"),
            cell("component"),
            cell("event_type"),
            plain(&event["event_data"].to_string()),
        ]);
    }
    table.print(out, true)
}

fn others(ids: &Value, out: &Out) -> Outcome {
    match ids.as_array() {
        Some(ids) if !ids.is_empty() => {
            heading("other decisions of this request", out)?;
            ids.iter().try_for_each(|id| out.line(show_value(id)))
        }
        _ => Ok(()),
    }
}

fn heading(text: &str, out: &Out) -> Outcome {
    out.line("")?;
    out.line(out.styled(Style::Strong, text))
}

fn pairs(object: &Value, out: &Out) -> Outcome {
    let mut table = Table::new(&["", ""]);
    for (name, value) in object.as_object().into_iter().flatten() {
        if !value.is_null() {
            table.row(vec![(plain(name), Some(Style::Dim)), (show_value(value), None)]);
        }
    }
    table.print(out, false)
}
