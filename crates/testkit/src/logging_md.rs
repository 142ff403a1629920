//! The generated part of `LOGGING.md`: every event type with its fields, from the catalogue.

use event::{Catalogued, EventData, FieldSpec, catalogue};
use serde_json::{Map, Value};
use std::fmt::Write as _;

const BEGIN: &str = "<!-- events: begin; written by `make docs` -->";
const END: &str = "<!-- events: end -->";

/// Why the document cannot be brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggingError {
    /// The marks between which the generated part stands are missing.
    MarksMissing,
    /// An event's example fields do not fit the event's type.
    BadExample(String),
}

/// The document with its generated part written anew.
pub fn update_logging_md(document: &str) -> Result<String, LoggingError> {
    let (before, rest) = document.split_once(BEGIN).ok_or(LoggingError::MarksMissing)?;
    let (_, after) = rest.split_once(END).ok_or(LoggingError::MarksMissing)?;
    Ok(format!("{before}{BEGIN}\n\n{}{END}{after}", events()?))
}

fn events() -> Result<String, LoggingError> {
    let mut text = String::new();
    for entry in catalogue() {
        write_event(entry, &mut text)?;
    }
    Ok(text)
}

fn write_event(entry: &Catalogued, text: &mut String) -> Result<(), LoggingError> {
    let bad = |what: &str, error: serde_json::Error| {
        LoggingError::BadExample(format!("{}{what}: {error}", entry.event_type))
    };
    let mut examples = Map::new();
    for field in entry.fields {
        // A negative number stands in parentheses in the catalogue's source.
        let example = field.example.trim_matches(['(', ')']);
        let value = serde_json::from_str(example).map_err(|error| bad(field.name, error))?;
        examples.insert(field.name.to_owned(), value);
    }
    let example = Value::Object(examples);
    EventData::read(entry.event_type, &example.to_string()).map_err(|error| bad("", error))?;
    let _ = writeln!(text, "### `{}`\n\n{}\n", entry.event_type, entry.about.trim());
    if entry.fields.is_empty() {
        text.push_str("It has no fields.\n\n");
        return Ok(());
    }
    text.push_str("| field | class | meaning | example |\n| --- | --- | --- | --- |\n");
    for field in entry.fields {
        write_field(field, &example[field.name].to_string(), text);
    }
    text.push('\n');
    Ok(())
}

fn write_field(field: &FieldSpec, example: &str, text: &mut String) {
    let cell = |content: &str| content.trim().replace('|', "\\|");
    let about = cell(field.about);
    let example = cell(example);
    let _ = writeln!(text, "| `{}` | {} | {about} | `{example}` |", field.name, field.class);
}

impl std::fmt::Display for LoggingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MarksMissing => write!(f, "LOGGING.md needs the lines {BEGIN:?} and {END:?}"),
            Self::BadExample(what) => {
                write!(f, "the catalogue's example does not fit its type: {what}")
            }
        }
    }
}

impl std::error::Error for LoggingError {}
