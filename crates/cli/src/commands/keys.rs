//! `keys`: API keys.

use super::{Format, Place, times};
use crate::client::{Operator, Query};
use crate::failure::Outcome;
use crate::output::{Out, Style, Table, plain, show_value};
use clap::{Args, Subcommand, ValueEnum};
use control::{KeyLimits, Rate, Usd};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/keys";

/// Make, list, rotate and revoke API keys
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key and print it; it is shown only once
    Create(Create),
    /// List keys, ended ones too
    List(List),
    /// Make a key like this one, which then ends
    Rotate(Rotate),
    /// Revoke a key at once and for good
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// The application that uses the key; it may name no other
    #[arg(long, value_name = "NAME")]
    source: String,
    /// What the key may do; may be repeated [default: gateway]
    #[arg(long, value_enum)]
    scope: Vec<Scope>,
    /// When the key ends, as 90d [default: never]
    #[arg(long, value_name = "SPAN", value_parser = times::span_s)]
    expires_in: Option<u64>,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    format: Format,
}

/// How much the key may be used; what is not given is as configured under [limits]
#[derive(Debug, Args)]
struct Limits {
    /// Requests in a second, minute or hour, as 10/s, 600/m or 5000/h
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// Requests at once, where none came for a while [default: those of a second]
    #[arg(long, value_name = "N", requires = "rate")]
    burst: Option<u32>,
    /// Requests of a day (UTC)
    #[arg(long, value_name = "N")]
    requests_per_day: Option<u64>,
    /// Tokens of a day, read and written
    #[arg(long, value_name = "N")]
    tokens_per_day: Option<u64>,
    /// Cost of a day in US dollars, as 25 or 0.50
    #[arg(long, value_name = "USD")]
    cost_per_day: Option<Usd>,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct Rotate {
    /// The key's id (see `keys list`)
    id: String,
    /// For how long the old key still works, as 24h
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = times::span_s)]
    overlap: u64,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// The key's id (see `keys list`)
    id: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Call providers through the gateway
    Gateway,
    /// Report events and decisions
    Ingest,
    /// Read the audit
    Read,
}

// === impl Keys ===

impl Keys {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open_or_create(&place.config()?)?;
        match self {
            Self::Create(command) => command.run(&operator)?,
            Self::List(command) => command.run(&operator)?,
            Self::Rotate(command) => command.run(&operator)?,
            Self::Revoke(command) => command.run(&operator)?,
        }
        operator.close()
    }
}

impl Create {
    fn run(self, operator: &Operator) -> Outcome {
        let scopes = if self.scope.is_empty() { vec![Scope::Gateway] } else { self.scope };
        let scopes: Vec<_> = scopes.into_iter().map(Scope::name).collect();
        let expires_at = self.expires_in.map(times::after);
        let Limits { rate, burst, requests_per_day, tokens_per_day, cost_per_day } = self.limits;
        let limits = KeyLimits { rate, burst, requests_per_day, tokens_per_day, cost_per_day };
        let body = json!({
            "source": self.source, "scopes": scopes, "expires_at": expires_at, "limits": limits,
        });
        show_created(&operator.post_json(PATH, &body)?, self.format)
    }
}

impl List {
    fn run(self, operator: &Operator) -> Outcome {
        let answer = operator.get_json(PATH)?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        let headings = ["ID", "KEY", "SOURCE", "SCOPES", "CREATED", "LAST USED", "LIMITS", "STATE"];
        let mut table = Table::new(&headings);
        for key in answer["items"].as_array().into_iter().flatten() {
            let cell = |name: &str| (show_value(&key[name]), None);
            let hint = (format!("{}…", show_value(&key["hint"])), None);
            let (state, style) = state_of(key);
            table.row(vec![
                cell("id"),
                hint,
                cell("source"),
                cell("scopes"),
                cell("created_at"),
                cell("last_used_at"),
                (limits_of(key), None),
                (state, Some(style)),
            ]);
        }
        table.print(&out, true)
    }
}

impl Rotate {
    fn run(self, operator: &Operator) -> Outcome {
        let path = Query::new(PATH).segment(&self.id).segment("rotate");
        let answer = operator.post_json(path.as_str(), &json!({"overlap_s": self.overlap}))?;
        show_created(&answer, self.format)
    }
}

impl Revoke {
    fn run(self, operator: &Operator) -> Outcome {
        let path = Query::new(PATH).segment(&self.id).segment("revoke");
        let answer = operator.post_json(path.as_str(), &json!({}))?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        out.line(format!("revoked {}", plain(&self.id)))
    }
}

// === impl Scope ===

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Ingest => "ingest",
            Self::Read => "read",
        }
    }
}

fn limits_of(key: &Value) -> String {
    let limits = &key["limits"];
    let units = [
        ("rate", ""),
        ("burst", " at once"),
        ("requests_per_day", " requests/day"),
        ("tokens_per_day", " tokens/day"),
        ("cost_per_day", " USD/day"),
    ];
    let given = units.iter().filter(|(name, _)| !limits[*name].is_null());
    let shown: Vec<_> =
        given.map(|(name, unit)| format!("{}{unit}", show_value(&limits[*name]))).collect();
    shown.join(", ")
}

fn state_of(key: &Value) -> (String, Style) {
    let now = event::Timestamp::now();
    let ends = key["expires_at"].as_str().and_then(|text| text.parse::<event::Timestamp>().ok());
    if !key["revoked_at"].is_null() {
        return ("revoked".to_owned(), Style::Bad);
    }
    match ends {
        Some(ends) if ends <= now => ("expired".to_owned(), Style::Bad),
        Some(ends) => (format!("until {ends}"), Style::Notice),
        None => ("live".to_owned(), Style::Good),
    }
}

fn show_created(answer: &Value, format: Format) -> Outcome {
    let out = Out::new();
    if format.json {
        return out.json(answer);
    }
    let key = show_value(&answer["key"]);
    if !out.is_terminal() {
        return out.line(key);
    }
    out.line(out.styled(Style::Strong, &key))?;
    out.line(format!(
        "id {}, source {}, scopes {}",
        show_value(&answer["id"]),
        show_value(&answer["source"]),
        show_value(&answer["scopes"])
    ))?;
    out.line(out.styled(Style::Dim, "Keep it now: it is not shown again."))
}
