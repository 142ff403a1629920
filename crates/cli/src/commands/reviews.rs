//! `reviews`: calls that wait for a person.

use super::{Format, Place};
use crate::client::{Operator, Query};
use crate::failure::Outcome;
use crate::output::{Out, Style, Table, plain, show_value};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/reviews";
/// Sections of a review that are printed apart from the facts.
const SECTIONS: [&str; 7] =
    ["request", "response", "events", "integrity", "facts", "votes", "violations"];

/// List, show, approve and reject calls that wait for a person
#[derive(Debug, Subcommand)]
pub enum Reviews {
    /// List reviews, newest first
    List(List),
    /// Show one review: what is held, and what the policies saw
    Show(Show),
    /// Let the call through
    Approve(Verdict),
    /// Refuse the call
    Reject(Verdict),
}

#[derive(Debug, Args)]
pub struct List {
    /// Only reviews in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// How many at most, up to 500
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Goes on behind a page
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct Show {
    /// The review's id (see `reviews list`)
    id: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct Verdict {
    /// The review's id (see `reviews list`)
    id: String,
    /// Why; it is recorded with your name
    #[arg(long, value_name = "TEXT")]
    rationale: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// Waits for a person
    Pending,
    /// May be picked up
    Approved,
    /// Refused
    Rejected,
    /// Not answered in time
    Expired,
    /// Picked up; its answer is under way
    Running,
    /// Its answer is there
    Answered,
    /// Was approved and came to nothing
    Failed,
}

// === impl Reviews ===

impl Reviews {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open(&place.config()?)?;
        match self {
            Self::List(command) => command.run(&operator)?,
            Self::Show(command) => command.run(&operator)?,
            Self::Approve(command) => command.run(&operator, "approve")?,
            Self::Reject(command) => command.run(&operator, "reject")?,
        }
        operator.close()
    }
}

impl List {
    fn run(self, operator: &Operator) -> Outcome {
        let mut path = Query::new(PATH);
        path.maybe("state", self.state.map(State::name));
        path.push("limit", &self.limit.to_string());
        path.maybe("cursor", self.cursor.as_deref());
        let answer = operator.get_json(path.as_str())?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        let headings =
            ["ID", "STATE", "CREATED", "EXPIRES", "SOURCE", "USER", "MODEL", "POLICIES", "PROMPT"];
        let mut table = Table::new(&headings);
        for review in answer["items"].as_array().into_iter().flatten() {
            let cell = |name: &str| (show_value(&review[name]), None);
            table.row(vec![
                cell("id"),
                state_of(review),
                cell("created_at"),
                cell("expires_at"),
                cell("source"),
                cell("user_id"),
                cell("model"),
                cell("policy_ids"),
                cell("prompt_preview"),
            ]);
        }
        table.print(&out, true)?;
        match answer["next_cursor"].as_str() {
            Some(cursor) => out.line(
                out.styled(Style::Dim, &format!("There are more: --cursor {}", plain(cursor))),
            ),
            None => Ok(()),
        }
    }
}

impl Show {
    fn run(self, operator: &Operator) -> Outcome {
        let answer = operator.get_json(Query::new(PATH).segment(&self.id).as_str())?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        facts(&answer, &out)?;
        rows("violations", &answer["violations"], &["policy_id", "outcome", "message"], &out)?;
        rows("votes", &answer["votes"], &["at", "reviewer", "verdict", "rationale"], &out)?;
        if !answer["facts"].is_null() {
            heading("what the policies saw", &out)?;
            text(&answer["facts"].to_string(), &out)?;
        }
        body("request", &answer["request"]["body"], &out)?;
        for sent in answer["request"]["upstream"].as_array().into_iter().flatten() {
            body("request, as it goes on", sent, &out)?;
        }
        body("response", &answer["response"]["body"], &out)?;
        for sent in answer["response"]["upstream"].as_array().into_iter().flatten() {
            body("response, provider's side", sent, &out)?;
        }
        rows("events", &answer["events"], &["timestamp", "component", "event_type"], &out)
    }
}

impl Verdict {
    fn run(self, operator: &Operator, verb: &str) -> Outcome {
        let path = Query::new(PATH).segment(&self.id).segment(verb);
        let answer = operator.post_json(path.as_str(), &json!({"rationale": self.rationale}))?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        let (state, style) = state_of(&answer);
        let state = style.map_or_else(|| state.clone(), |style| out.styled(style, &state));
        let approvals = answer["votes"]
            .as_array()
            .map_or(0, |votes| votes.iter().filter(|vote| vote["verdict"] == "approved").count());
        let line = format!("{} is {state}", show_value(&answer["id"]));
        if !answer["outcome"].is_null() {
            return out.line(line);
        }
        let needed = show_value(&answer["reviewers_needed"]);
        out.line(format!("{line}: {approvals} of {needed} approvals"))
    }
}

// === impl State ===

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Running => "running",
            Self::Answered => "answered",
            Self::Failed => "failed",
        }
    }
}

fn state_of(review: &Value) -> (String, Option<Style>) {
    let state = show_value(&review["state"]);
    let style = match state.as_str() {
        "approved" | "running" | "answered" => Style::Good,
        "rejected" | "expired" | "failed" => Style::Bad,
        _ => Style::Notice,
    };
    (state, Some(style))
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

fn rows(name: &str, items: &Value, columns: &[&str], out: &Out) -> Outcome {
    let items = items.as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return Ok(());
    }
    heading(name, out)?;
    let headings: Vec<_> = columns.iter().map(|name| name.to_uppercase()).collect();
    let mut table = Table::new(&headings);
    for item in items {
        table.plain_row(columns.iter().map(|name| show_value(&item[*name])).collect());
    }
    table.print(out, true)
}

fn body(name: &str, body: &Value, out: &Out) -> Outcome {
    if body.is_null() {
        return Ok(());
    }
    heading(name, out)?;
    if body["erased"] == Value::Bool(true) {
        return out.line(out.styled(Style::Notice, "(erased)"));
    }
    text(body["data"].as_str().unwrap_or_default(), out)?;
    if body["truncated"] == Value::Bool(true) {
        let all = format!("(the beginning of {} bytes)", show_value(&body["bytes"]));
        out.line(out.styled(Style::Dim, &all))?;
    }
    Ok(())
}

/// JSON with line breaks; anything else as it is.
fn text(text: &str, out: &Out) -> Outcome {
    let readable = serde_json::from_str::<Value>(text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned());
    readable.lines().try_for_each(|line| out.line(plain(line)))
}

fn heading(text: &str, out: &Out) -> Outcome {
    out.line("")?;
    out.line(out.styled(Style::Strong, text))
}
