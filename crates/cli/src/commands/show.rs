//! `show`: one decision.

use super::{Format, Place};
use crate::client::{Operator, Query};
use crate::failure::Outcome;
use crate::output::{Out, Style, Table, plain, show_value};
use clap::Args;
use serde_json::Value;

const PATH: &str = "/api/v1/audit/logs";
/// Sections of the answer that are printed apart from the facts.
const SECTIONS: [&str; 6] = ["request", "response", "events", "integrity", "other_ids", "accesses"];

/// Show one decision: facts, bodies, events, integrity
#[derive(Debug, Args)]
pub struct Show {
    /// Decision id (x-audit-id) or request id (x-request-id)
    id: String,
    /// Show bodies and headers as they are, and not redacted; needs --purpose, and is recorded
    #[arg(long, requires = "purpose")]
    reveal: bool,
    /// What for
    #[arg(long, value_name = "TEXT", requires = "reveal")]
    purpose: Option<String>,
    #[command(flatten)]
    format: Format,
}

// === impl Show ===

impl Show {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open(&place.config()?)?;
        let mut path = Query::new(PATH).segment(&self.id);
        if let Some(purpose) = &self.purpose {
            path.push("reveal", "true");
            path.push("purpose", purpose);
        }
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
        integrity(&answer["integrity"], &out)?;
        accesses(&answer["accesses"], &out)?;
        others(&answer["other_ids"], &out)
    }
}

/// Who looked before.
fn accesses(accesses: &Value, out: &Out) -> Outcome {
    let Some(accesses) = accesses.as_array().filter(|accesses| !accesses.is_empty()) else {
        return Ok(());
    };
    heading("looked at before", out)?;
    let mut table = Table::new(&["WHEN", "WHO", "ROLE", "WHAT", "RESULT", "PURPOSE"]);
    for access in accesses {
        let names = ["timestamp", "actor", "role", "action", "result", "purpose"];
        table.row(names.iter().map(|name| (show_value(&access[*name]), None)).collect());
    }
    table.print(out, true)
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
    let mut line = Vec::new();
    for name in ["method", "path", "query", "status_code"] {
        if !message[name].is_null() {
            line.push(show_value(&message[name]));
        }
    }
    if !line.is_empty() {
        out.line(line.join(" "))?;
    }
    for header in message["headers"].as_array().into_iter().flatten() {
        let name = out.styled(Style::Dim, &format!("{}:", show_value(&header[0])));
        out.line(format!("{name} {}", show_value(&header[1])))?;
    }
    body(&message["body"], out)?;
    for sent in message["upstream"].as_array().into_iter().flatten() {
        heading(&format!("{name}, provider's side, attempt {}", sent["attempt"]), out)?;
        body(sent, out)?;
    }
    Ok(())
}

fn body(body: &Value, out: &Out) -> Outcome {
    if body.is_null() {
        return Ok(());
    }
    out.line("")?;
    if body["erased"] == Value::Bool(true) {
        return out.line(out.styled(Style::Notice, "(erased)"));
    }
    if body["redacted"] == Value::Bool(true) {
        let note = "(redacted; --reveal --purpose TEXT shows it as it is)";
        out.line(out.styled(Style::Notice, note))?;
    }
    let text = body["data"].as_str().unwrap_or_default();
    for line in readable(text).lines() {
        out.line(plain(line))?;
    }
    if body["truncated"] == Value::Bool(true) {
        let all =
            format!("(the beginning of {} bytes; `proof` has all)", show_value(&body["bytes"]));
        out.line(out.styled(Style::Dim, &all))?;
    }
    Ok(())
}

/// JSON with line breaks; anything else as it is.
fn readable(text: &str) -> String {
    serde_json::from_str::<Value>(text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
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

fn integrity(integrity: &Value, out: &Out) -> Outcome {
    heading("integrity", out)?;
    let state = show_value(&integrity["state"]);
    let style = match state.as_str() {
        "sealed" => Style::Good,
        "damaged" => Style::Bad,
        _ => Style::Notice,
    };
    let log = show_value(&integrity["log"]);
    let size = show_value(&integrity["checkpoint_size"]);
    out.line(format!("{} in {log}, checkpoint at {size}", out.styled(style, &state)))?;
    let mut table = Table::new(&["SEQ", "WRITTEN", "POSITION", "LEAF"]);
    for record in integrity["records"].as_array().into_iter().flatten() {
        let cell = |name: &str| show_value(&record[name]);
        table.plain_row(vec![cell("seq"), cell("timestamp"), cell("position"), cell("leaf_hash")]);
    }
    table.print(out, true)?;
    for fault in integrity["faults"].as_array().into_iter().flatten() {
        out.line(format!("{} {}", out.styled(Style::Bad, "FAULT"), show_value(fault)))?;
    }
    Ok(())
}
