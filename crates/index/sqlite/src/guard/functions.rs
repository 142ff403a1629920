//! Functions that queries may call, and those that we add to SQLite.

use super::literal::{self, Span};
use event::Timestamp;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Result};

/// SQLite's own functions that queries may call.
pub const PLAIN: [&str; 37] = [
    "abs",
    "avg",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "group_concat",
    "instr",
    "json_array_length",
    "lag",
    "last_value",
    "lead",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "substr",
    "sum",
    "total",
    "trim",
    "upper",
    "starts_with",
];

/// Functions that we add. (`->`, `->>` and `LIKE` are functions to SQLite, too.)
pub const ADDED: [&str; 12] = [
    "->",
    "->>",
    "ceil",
    "date_trunc",
    "extract_field",
    "floor",
    "ilike",
    "json_text",
    "like",
    "time_add",
    "to_date",
    "to_time",
];

/// Adds them.
pub fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("time_add", 3, flags, |context| {
        let span = Span { months: context.get(1)?, micros: context.get(2)? };
        with_time(context, 0, |at| literal::add(at, span).map(|at| at.to_string()))
    })?;
    connection.create_scalar_function("date_trunc", 2, flags, |context| {
        let unit: String = context.get(0)?;
        with_time(context, 1, |at| literal::truncate(&unit, at).map(|at| at.to_string()))
    })?;
    connection.create_scalar_function("extract_field", 2, flags, |context| {
        let name: String = context.get(0)?;
        with_time(context, 1, |at| literal::field(&name, at))
    })?;
    connection.create_scalar_function("to_time", 1, flags, |context| {
        with_time(context, 0, |at| Some(at.to_string()))
    })?;
    connection.create_scalar_function("to_date", 1, flags, |context| {
        with_time(context, 0, |at| at.to_string().get(..10).map(ToOwned::to_owned))
    })?;
    connection.create_scalar_function("ceil", 1, flags, |context| {
        Ok(context.get::<Option<f64>>(0)?.map(f64::ceil))
    })?;
    connection.create_scalar_function("floor", 1, flags, |context| {
        Ok(context.get::<Option<f64>>(0)?.map(f64::floor))
    })?;
    connection.create_scalar_function("json_text", 1, flags, |context| {
        let json: Option<String> = context.get(0)?;
        Ok(json.and_then(|json| json_text(&json)))
    })?;
    connection.create_scalar_function("starts_with", 2, flags, |context| {
        let (text, prefix) = (texts(context, 0)?, texts(context, 1)?);
        Ok(text.zip(prefix).map(|(text, prefix)| text.starts_with(&prefix)))
    })?;
    for (name, fold) in [("like", false), ("ilike", true)] {
        for arguments in [2, 3] {
            connection.create_scalar_function(name, arguments, flags, move |context| {
                let (pattern, text) = (texts(context, 0)?, texts(context, 1)?);
                let escape = if arguments == 3 {
                    texts(context, 2)?.and_then(|text| text.chars().next())
                } else {
                    Some('\\')
                };
                Ok(pattern.zip(text).map(|(pattern, text)| like(&pattern, &text, escape, fold)))
            })?;
        }
    }
    Ok(())
}

/// An argument as text; numbers as SQLite would write them.
fn texts(context: &Context<'_>, at: usize) -> Result<Option<String>> {
    use rusqlite::types::ValueRef;
    Ok(match context.get_raw(at) {
        ValueRef::Null | ValueRef::Blob(_) => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(std::str::from_utf8(text)?.to_owned()),
    })
}

fn with_time<T>(
    context: &Context<'_>,
    at: usize,
    found: impl FnOnce(Timestamp) -> Option<T>,
) -> Result<Option<T>> {
    let Some(text) = texts(context, at)? else { return Ok(None) };
    match literal::time(&text, Timestamp::now()) {
        Some(time) => Ok(found(time)),
        None => Err(rusqlite::Error::UserFunctionError(
            format!("{:?} is not a time", text.chars().take(64).collect::<String>()).into(),
        )),
    }
}

/// What PostgreSQL's `->>` gives of a JSON value: strings without quotes, `null` as NULL.
fn json_text(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'n' => None,
        b'"' => serde_json::from_str(json).ok(),
        _ => Some(json.to_owned()),
    }
}

/// `LIKE` in one pass with one place to go back to, so that no pattern is slow.
fn like(pattern: &str, text: &str, escape: Option<char>, fold: bool) -> bool {
    let fold = |text: &str| if fold { text.to_lowercase() } else { text.to_owned() };
    let pattern = pieces(&fold(pattern), escape);
    let text: Vec<char> = fold(text).chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Piece::Many) => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(Piece::One) => (p, t) = (p + 1, t + 1),
            Some(Piece::Is(character)) if *character == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|piece| *piece == Piece::Many)
}

#[derive(PartialEq, Clone, Copy)]
enum Piece {
    Many,
    One,
    Is(char),
}

fn pieces(pattern: &str, escape: Option<char>) -> Vec<Piece> {
    let mut characters = pattern.chars();
    let mut pieces: Vec<Piece> = Vec::new();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            pieces.extend(characters.next().map(Piece::Is));
        } else if character != '%' {
            pieces.push(if character == '_' { Piece::One } else { Piece::Is(character) });
        } else if pieces.last() != Some(&Piece::Many) {
            pieces.push(Piece::Many);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_as_postgresql() {
        let exact = |pattern, text| like(pattern, text, Some('\\'), false);
        assert!(exact("%late%", "delivered late again"));
        assert!(exact("a_c%", "abcdef"));
        assert!(exact("50\\%", "50%") && !exact("50\\%", "505"));
        assert!(!exact("ABC", "abc") && like("ABC", "abc", None, true));
        assert!(exact("%", "") && !exact("_", "") && exact("%%a%%", "a"));
        assert!(!exact(&"%a".repeat(500), &"a".repeat(400)));
    }

    #[test]
    fn json_values_as_text() {
        assert_eq!(json_text("\"a\\\"b\""), Some("a\"b".to_owned()));
        assert_eq!(json_text("200"), Some("200".to_owned()));
        assert_eq!(json_text("true"), Some("true".to_owned()));
        assert_eq!(json_text("null"), None);
    }
}
