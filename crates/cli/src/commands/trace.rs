//! `trace`: the events of a trace, as a waterfall.

use super::{Format, Place};
use crate::client::{Operator, Query};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Style, Table, show_value};
use clap::Args;
use event::Timestamp;
use serde_json::Value;
use uuid::Uuid;

const PATH: &str = "/api/v1/audit/traces";
const BAR_COLUMNS: i64 = 40;
/// Fields of `event_data` that are shown beside the bars.
const WHY: [&str; 20] = [
    "stage",
    "policy_id",
    "outcome",
    "applied",
    "mode",
    "message",
    "violations",
    "policy_ids",
    "review_id",
    "reviewer",
    "rationale",
    "waited_ms",
    "held_ms",
    "provider",
    "model",
    "attempt",
    "status_code",
    "code",
    "error",
    "next_target",
];

/// Show the events of a trace in order, as a waterfall
#[derive(Debug, Args)]
pub struct Trace {
    /// The trace (x-trace-id)
    trace_id: Uuid,
    #[command(flatten)]
    format: Format,
}

// === impl Trace ===

impl Trace {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open(&place.config()?)?;
        let path = Query::new(PATH).segment(&self.trace_id.to_string());
        let answer = operator.get_json(path.as_str())?;
        operator.close()?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        let events = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        if events.is_empty() {
            let id = self.trace_id;
            return Err(Failure::failed(format!("there is no trace {id}; see `audit-layer logs`")));
        }
        waterfall(events).print(&out, true)
    }
}

fn waterfall(events: &[Value]) -> Table {
    let at = |event: &Value| {
        let time = event["timestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        time.map_or(0, Timestamp::as_micros)
    };
    let times: Vec<i64> = events.iter().map(at).collect();
    let begin = times.iter().copied().min().unwrap_or_default();
    let span = times.iter().copied().max().unwrap_or_default().saturating_sub(begin).max(1);
    let mut table = Table::new(&["+MS", "WATERFALL", "COMPONENT", "EVENT", "WHY", "DECISION"]);
    let mut previous = begin;
    for (event, time) in events.iter().zip(times) {
        let kind = show_value(&event["event_type"]);
        let style = style_of(&kind);
        let reason = why(&kind, &event["event_data"]);
        table.row(vec![
            (format!("{:.3}", (time - begin) as f64 / 1000.0), None),
            (bar(previous.min(time) - begin, time - begin, span), style),
            (show_value(&event["component"]), None),
            (kind, style),
            (reason, None),
            (show_value(&event["decision_id"]), Some(Style::Dim)),
        ]);
        previous = time;
    }
    table
}

/// What of an event says why the call went on as it did, in the order in which a person reads it.
fn why(kind: &str, data: &Value) -> String {
    // The index joins the call's outcome to every event; it is told where it was decided.
    let decides =
        kind.starts_with("policy_") || matches!(style_of(kind), Some(Style::Bad | Style::Good));
    let told = WHY.iter().filter(|name| decides || **name != "outcome").filter_map(|name| {
        let value = data.get(*name).filter(|value| !value.is_null())?;
        let text = show_value(value);
        // A second outcome would be taken for the first.
        let named = !value.is_string() || *name == "applied";
        (!text.is_empty()).then(|| if named { format!("{name} {text}") } else { text })
    });
    told.collect::<Vec<_>>().join(" · ")
}

/// A bar from the event before to this one.
fn bar(from: i64, to: i64, span: i64) -> String {
    let column = |time: i64| time.saturating_mul(BAR_COLUMNS - 1) / span;
    let (from, to) = (column(from), column(to));
    (0..BAR_COLUMNS)
        .map(|at| match at {
            at if at == to => '■',
            at if (from..to).contains(&at) => '─',
            _ => '·',
        })
        .collect()
}

fn style_of(kind: &str) -> Option<Style> {
    if kind.ends_with("_failed") || kind.ends_with("_rejected") || kind.ends_with("_blocked") {
        Some(Style::Bad)
    } else if kind.ends_with("_completed") || kind.ends_with("_success") {
        Some(Style::Good)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_why_and_the_outcome_only_where_it_was_decided() {
        let data = serde_json::json!({"outcome": "BLOCK", "policy_id": "secrets", "attempt": 2,
            "message": "A secret.", "violations": ["secrets"], "provider": null});
        let told = "secrets · BLOCK · A secret. · violations secrets · attempt 2";
        assert_eq!(why("policy_evaluated", &data), told);
        let received = serde_json::json!({"outcome": "BLOCK", "model": "m"});
        assert_eq!(why("request_received", &received), "m");
        assert_eq!(why("request_blocked", &received), "BLOCK · m");
    }

    #[test]
    fn a_bar_spans_from_the_event_before_to_this_one() {
        assert_eq!(bar(0, 0, 1), format!("■{}", "·".repeat(39)));
        assert_eq!(bar(0, 100, 100), format!("{}■", "─".repeat(39)));
        assert_eq!(bar(50, 100, 100), format!("{}{}■", "·".repeat(19), "─".repeat(20)));
    }
}
