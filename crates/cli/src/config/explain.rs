//! Errors of the configuration, as one line: the key, what was found, what is allowed, where.

use figment::Error;
use figment::error::{Actual, Kind};

/// One line for the first thing that is wrong.
pub fn line(error: &Error) -> String {
    let source = error.metadata.as_ref().map(|metadata| metadata.name.to_string());
    let whole = error.path.join(".");
    let key = if whole.is_empty() { "the configuration" } else { &whole };
    let what = match &error.kind {
        Kind::UnknownField(name, known) => {
            let section = error
                .path
                .split_last()
                .map_or(&[][..], |(last, rest)| if last == name { rest } else { &error.path[..] });
            let key = section.iter().map(String::as_str).chain([name.as_str()]);
            let key = key.collect::<Vec<_>>().join(".");
            let unknown = format!("{key}: unknown key; allowed here: {}", known.join(", "));
            return from(unknown, source);
        }
        Kind::MissingField(name) => format!("the key {name} is missing; add it"),
        Kind::UnknownVariant(name, allowed) => {
            format!("found {name:?}, allowed: {}", allowed.join(", "))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("found {}, allowed: {}", actual(found, key), type_name(expected))
        }
        Kind::InvalidLength(length, expected) => {
            format!("found {length} items, allowed: {expected}")
        }
        Kind::Message(message) => message.replace('\n', " "),
        other => other.to_string(),
    };
    from(format!("{key}: {what}"), source)
}

fn from(line: String, source: Option<String>) -> String {
    match source {
        Some(source) => format!("{line} (from {source})"),
        None => line,
    }
}

/// What was found; never what stands where a secret may.
fn actual(found: &Actual, key: &str) -> String {
    if key.ends_with("api_key") {
        "something else (not shown)".to_owned()
    } else {
        found.to_string()
    }
}

/// Rust's names of types are not our users'.
fn type_name(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list, as [\"a\", \"b\"]",
        "a string" => "text in quotes",
        other if other.starts_with("struct ") => "a section with keys",
        other => other,
    }
}
