//! Relations that come with a query, as common table expressions in front of it.

use index::Relation;
use serde_json::Value;

/// The query with those relations that it reads; `own`: it begins with expressions of its own.
pub fn put_before<'a>(
    query: String,
    own: bool,
    beside: impl Iterator<Item = &'a Relation>,
) -> String {
    let written: Vec<String> = beside.map(written).collect();
    match (written.is_empty(), own) {
        (true, _) => query,
        (false, true) => query.replacen("WITH ", &format!("WITH {}, ", written.join(", ")), 1),
        (false, false) => format!("WITH {} {query}", written.join(", ")),
    }
}

fn written(relation: &Relation) -> String {
    let row = |row: &Vec<Value>| {
        let values: Vec<String> = row.iter().map(literal).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = relation.rows.iter().map(row).collect();
    let body = match rows.as_slice() {
        [] => format!("SELECT {} WHERE 0", vec!["NULL"; relation.columns.len()].join(", ")),
        rows => format!("VALUES {}", rows.join(", ")),
    };
    format!("{} ({}) AS ({body})", relation.name, relation.columns.join(", "))
}

fn literal(value: &Value) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\0', "").replace('\'', "''"));
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(truth) => u8::from(*truth).to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        other => quoted(&other.to_string()),
    }
}
