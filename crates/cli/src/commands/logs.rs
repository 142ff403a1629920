//! `logs`: the list of decisions.

use super::{Format, Place, times};
use crate::client::{Ended, Operator, Query};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Style, Table, note, show_value};
use clap::Args;
use event::Timestamp;
use index::Search;
use serde_json::Value;
use std::time::{Duration, Instant};

const PATH: &str = "/api/v1/audit/logs";
const HEADINGS: [&str; 11] =
    ["TIME", "SOURCE", "USER", "TYPE", "MODEL", "STATUS", "OUTCOME", "MS", "TOKENS", "COST", "ID"];
const FEED: &str = "/api/v1/feed";
/// How long `--follow` waits for a server that went away, and how often it looks.
const COME_BACK_MAX: Duration = Duration::from_secs(120);
const COME_BACK_EVERY: Duration = Duration::from_millis(250);

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
        let mut query = self.filters(PATH);
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

    fn filters(&self, path: &str) -> Query {
        let mut query = Query::new(path);
        query.maybe("source", self.source.as_deref());
        query.maybe("user_id", self.user.as_deref());
        query.maybe("session_id", self.session.as_deref());
        query.maybe("decision_type", self.kind.as_deref());
        query.maybe("model", self.model.as_deref());
        query.maybe("provider", self.provider.as_deref());
        query.maybe("status", self.status.as_deref());
        query.maybe("outcome", self.outcome.as_deref());
        query.maybe("policy_id", self.policy.as_deref());
        query.maybe("from", self.from.map(|from| from.to_string()).as_deref());
        query.maybe("to", self.to.map(|to| to.to_string()).as_deref());
        query.maybe("q", self.query.as_ref().map(ToString::to_string).as_deref());
        query.maybe("min_latency_ms", self.min_latency_ms.map(|ms| ms.to_string()).as_deref());
        query.maybe("min_cost_usd", self.min_cost_usd.as_deref());
        query
    }

    /// The last decisions, then each one as it ends, until the reader goes away.
    fn follow(&self, operator: &Operator) -> Outcome {
        let out = Out::new();
        let mut query = self.filters(PATH);
        query.push("limit", &self.limit.to_string());
        let answer = operator.get_json(query.as_str())?;
        let mut last = items(&answer);
        // Those under way follow when they end.
        last.retain(|decision| !is_running(decision));
        last.reverse();
        self.print(&last, true, &out)?;
        let mut cursor = answer["as_of"].as_str().map(str::to_owned);
        let mut lost_at: Option<Instant> = None;
        loop {
            let mut query = self.filters(FEED);
            query.maybe("since", cursor.as_deref());
            let ended = operator.events(query.as_str(), |message| {
                lost_at = None;
                cursor = message["cursor"].as_str().map(str::to_owned);
                match message["type"].as_str() {
                    Some("decision") => self.print(&[message["decision"].clone()], false, &out),
                    Some("missed") => {
                        let count = &message["count"];
                        note(&format!("{count} more ended than could be shown"));
                        Ok(())
                    }
                    _ => Ok(()),
                }
            });
            let lost = match ended? {
                Ended::Refused(answer) => return answer.json().map(|_| ()),
                Ended::Lost(failure) => failure,
            };
            if lost_at.is_none() {
                note("the server is gone; waiting for it to come back");
            }
            if lost_at.get_or_insert_with(Instant::now).elapsed() > COME_BACK_MAX {
                return Err(lost);
            }
            std::thread::sleep(COME_BACK_EVERY);
        }
    }

    fn print(&self, decisions: &[Value], headings: bool, out: &Out) -> Outcome {
        if self.format.json {
            return decisions.iter().try_for_each(|decision| out.json_line(decision));
        }
        table(decisions.iter().collect()).print(out, headings)
    }
}

fn is_running(decision: &Value) -> bool {
    decision["status_code"].is_null() && decision["error_code"].is_null()
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
