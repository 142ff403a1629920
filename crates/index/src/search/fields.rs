//! The names that a search knows.

use super::model::{CountField, Has, TextField};

/// A field, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Text(TextField),
    Count(CountField),
    Status,
    Cost,
    Origin,
    Id,
    Trace,
    Time,
    /// `from:` is `time:>=`.
    From,
    /// `to:` is `time:<`.
    To,
    Has,
}

/// Fields by name; of several names the first is the one that is written.
const FIELDS: &[(&str, Field)] = &[
    ("source", Field::Text(TextField::Source)),
    ("user", Field::Text(TextField::User)),
    ("user_id", Field::Text(TextField::User)),
    ("session", Field::Text(TextField::Session)),
    ("session_id", Field::Text(TextField::Session)),
    ("type", Field::Text(TextField::Type)),
    ("decision_type", Field::Text(TextField::Type)),
    ("request_type", Field::Text(TextField::Type)),
    ("provider", Field::Text(TextField::Provider)),
    ("model", Field::Text(TextField::Model)),
    ("status", Field::Status),
    ("outcome", Field::Text(TextField::Outcome)),
    ("policy", Field::Text(TextField::Policy)),
    ("policy_id", Field::Text(TextField::Policy)),
    ("class", Field::Text(TextField::Class)),
    ("review", Field::Text(TextField::Review)),
    ("error", Field::Text(TextField::Error)),
    ("finish", Field::Text(TextField::Finish)),
    ("ending", Field::Text(TextField::Ending)),
    ("latency", Field::Count(CountField::Latency)),
    ("latency_ms", Field::Count(CountField::Latency)),
    ("ttft", Field::Count(CountField::Ttft)),
    ("ttft_ms", Field::Count(CountField::Ttft)),
    ("cost", Field::Cost),
    ("cost_usd", Field::Cost),
    ("tokens", Field::Count(CountField::Tokens)),
    ("total_tokens", Field::Count(CountField::Tokens)),
    ("input", Field::Count(CountField::Input)),
    ("input_tokens", Field::Count(CountField::Input)),
    ("output", Field::Count(CountField::Output)),
    ("output_tokens", Field::Count(CountField::Output)),
    ("cached", Field::Count(CountField::Cached)),
    ("cached_tokens", Field::Count(CountField::Cached)),
    ("time", Field::Time),
    ("timestamp", Field::Time),
    ("from", Field::From),
    ("to", Field::To),
    ("origin", Field::Origin),
    ("id", Field::Id),
    ("request", Field::Text(TextField::Request)),
    ("request_id", Field::Text(TextField::Request)),
    ("trace", Field::Trace),
    ("trace_id", Field::Trace),
    ("has", Field::Has),
];

/// What `has:` takes.
const HAS: &[(&str, Has)] = &[
    ("violation", Has::Violation),
    ("error", Has::Error),
    ("review", Has::Review),
    ("flag", Has::Flag),
    ("verdict", Has::Verdict),
    ("class", Has::Class),
    ("session", Has::Session),
    ("user", Has::User),
    ("cost", Has::Cost),
    ("tokens", Has::Tokens),
    ("prompt", Has::Prompt),
    ("answer", Has::Answer),
    ("stream", Has::Stream),
];

/// Outcomes, which are written without quotes in any case.
pub const OUTCOMES: &[&str] = &["ALLOW", "FLAG", "REDACT", "ESCALATE", "BLOCK"];

/// The field of this name.
pub fn field(name: &str) -> Option<Field> {
    FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
}

/// The first name of a field.
pub fn name_of(field: Field) -> &'static str {
    FIELDS.iter().find(|(_, known)| *known == field).map_or("", |(name, _)| name)
}

/// What `has:` means with this name.
pub fn has(name: &str) -> Option<Has> {
    HAS.iter().find(|(known, _)| *known == name).map(|(_, has)| *has)
}

/// The name of what `has:` asks for.
pub fn name_of_has(has: Has) -> &'static str {
    HAS.iter().find(|(_, known)| *known == has).map_or("", |(name, _)| name)
}

/// All names of fields, each once, for people.
pub fn field_names() -> String {
    let mut seen: Vec<Field> = Vec::new();
    let mut names = Vec::new();
    for (name, field) in FIELDS {
        if !seen.contains(field) {
            seen.push(*field);
            names.push(*name);
        }
    }
    names.join(", ")
}

/// All names that `has:` takes, for people.
pub fn has_names() -> String {
    HAS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
