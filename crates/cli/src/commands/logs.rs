//! `logs`: the list of decisions.

use super::{Format, Place, times};
use crate::client::{Operator, Query};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Style, Table, show_value};
use clap::Args;
use event::Timestamp;
use index::Search;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const PATH: &str = "/api/v1/audit/logs";
const HEADINGS: [&str; 11] =
    ["TIME", "SOURCE", "USER", "TYPE", "MODEL", "STATUS", "OUTCOME", "MS", "TOKENS", "COST", "ID"];
/// `--follow` asks this often.
const FOLLOW_EVERY: Duration = Duration::from_millis(1_000);
/// A call that is under way is waited for this long before it is shown as it is.
const FOLLOW_OPEN_US: i64 = 15 * 60 * 1_000_000;

/// List decisions, newest first
#[derive(Debug, Args)]
pub struct Logs {
    /// Calling application
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// End user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Request type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Model, asked for or served
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Status: 200, 5xx, error, running
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// What policies decided: ALLOW, FLAG, REDACT, ESCALATE, BLOCK
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Violated policy
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// Not before: RFC 3339, a date, or a span back from now as 2h
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    from: Option<Timestamp>,
    /// Before
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    to: Option<Timestamp>,
    /// Words of the previews, field:value, -, OR, brackets: see docs/search.md
    #[arg(long, short, value_name = "SEARCH", allow_hyphen_values = true)]
    query: Option<Search>,
    /// At least this slow
    #[arg(long, value_name = "MS")]
    min_latency_ms: Option<f64>,
    /// At least this dear
    #[arg(long, value_name = "USD")]
    min_cost_usd: Option<String>,
    /// Order: -timestamp, timestamp, -latency_ms, -cost_usd
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true, conflicts_with = "follow")]
    sort: Option<String>,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Go on where the last page ended (its next_cursor)
    #[arg(long, value_name = "CURSOR", conflicts_with = "follow")]
    cursor: Option<String>,
    /// Keep printing decisions as they end, oldest first
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    format: Format,
}

// === impl Logs ===

impl Logs {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open(&place.config()?)?;
        if self.follow {
            if !operator.is_remote() {
                return Err(Failure::failed(
                    "no server runs on this data directory, so there is nothing to follow; start `audit-layer serve`, or leave --follow out",
                ));
            }
            return self.follow(&operator);
        }
        let mut query = self.filters();
        query.maybe("sort", self.sort.as_deref());
        query.maybe("cursor", self.cursor.as_deref());
        query.push("limit", &self.limit.to_string());
        let answer = operator.get_json(query.as_str())?;
        operator.close()?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        table(items(&answer).iter().collect()).print(&out, true)?;
        match answer["next_cursor"].as_str() {
            Some(cursor) if out.is_terminal() => {
                out.line(out.styled(Style::Dim, &format!("more: --cursor {cursor}")))
            }
            _ => Ok(()),
        }
    }

    fn filters(&self) -> Query {
        let mut query = Query::new(PATH);
        query.maybe("source", self.source.as_deref());
        query.maybe("user_id", self.user.as_deref());
        query.maybe("session_id", self.session.as_deref());
        query.maybe("decision_type", self.kind.as_deref());
        query.maybe("model", self.model.as_deref());
        query.maybe("provider", self.provider.as_deref());
        query.maybe("status", self.status.as_deref());
        query.maybe("outcome", self.outcome.as_deref());
        query.maybe("policy_id", self.policy.as_deref());
        query.maybe("to", self.to.map(|to| to.to_string()).as_deref());
        query.maybe("q", self.query.as_ref().map(ToString::to_string).as_deref());
        query.maybe("min_latency_ms", self.min_latency_ms.map(|ms| ms.to_string()).as_deref());
        query.maybe("min_cost_usd", self.min_cost_usd.as_deref());
        query
    }

    /// The last decisions, then each one as it ends, until the reader goes away.
    fn follow(&self, operator: &Operator) -> Outcome {
        let out = Out::new();
        let mut shown = BTreeSet::new();
        let mut since = self.from;
        let mut first = true;
        loop {
            let mut query = self.filters();
            query.maybe("from", since.map(|from| from.to_string()).as_deref());
            query.push(
                "limit",
                if first { self.limit.to_string() } else { "500".to_owned() }.as_str(),
            );
            let answer = operator.get_json(query.as_str())?;
            let mut found = items(&answer);
            found.reverse();
            since = self.print_new(&found, &mut shown, first, &out)?.or(since);
            first = false;
            std::thread::sleep(FOLLOW_EVERY);
        }
    }

    /// Prints what has ended since; from where to ask next.
    fn print_new(
        &self,
        found: &[Value],
        shown: &mut BTreeSet<String>,
        headings: bool,
        out: &Out,
    ) -> Outcome<Option<Timestamp>> {
        let patience = Timestamp::from_micros(Timestamp::now().as_micros() - FOLLOW_OPEN_US);
        let mut since = None;
        let mut fresh = Vec::new();
        let mut seen_now = BTreeSet::new();
        for decision in found {
            let id = show_value(&decision["id"]);
            let at = decision["timestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            let open = decision["status_code"].is_null() && decision["error_code"].is_null();
            if open && at.is_some_and(|at| at > patience) {
                since = since.or(at);
                continue;
            }
            if !shown.contains(&id) {
                fresh.push(decision);
            }
            seen_now.insert(id);
        }
        let newest = found.last().and_then(|last| last["timestamp"].as_str()?.parse().ok());
        if self.format.json {
            for decision in &fresh {
                out.json_line(decision)?;
            }
        } else if headings || !fresh.is_empty() {
            table(fresh).print(out, headings)?;
        }
        if !seen_now.is_empty() {
            *shown = seen_now;
        }
        Ok(since.or(newest))
    }
}

fn items(answer: &Value) -> Vec<Value> {
    answer["items"].as_array().cloned().unwrap_or_default()
}

fn table(decisions: Vec<&Value>) -> Table {
    let mut table = Table::new(&HEADINGS);
    for decision in decisions {
        let cell = |name: &str| (show_value(&decision[name]), None);
        let status = decision["status_code"].as_u64();
        let style = match status {
            Some(200..400) => Style::Good,
            Some(_) => Style::Bad,
            None => Style::Notice,
        };
        let status = status.map_or_else(
            || decision["error_code"].as_str().unwrap_or("running").to_owned(),
            |status| status.to_string(),
        );
        let ms = decision["latency_ms"].as_f64().map(|ms| format!("{ms:.1}")).unwrap_or_default();
        table.row(vec![
            cell("timestamp"),
            cell("source"),
            cell("user_id"),
            cell("decision_type"),
            cell(if decision["model"].is_null() { "model_requested" } else { "model" }),
            (status, Some(style)),
            cell("outcome"),
            (ms, None),
            cell("total_tokens"),
            cell("cost_usd"),
            cell("id"),
        ]);
    }
    table
}
