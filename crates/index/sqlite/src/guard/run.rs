//! Running a translated query within bounds.

use super::check::TABLES;
use super::functions::{self, ADDED, PLAIN};
use super::translate;
use crate::pool::{Answer, Failure};
use event::Timestamp;
use index::{Error, Relation, SqlLimits, SqlResult};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::Value;

/// Longest value that SQLite may make.
const VALUE_BYTES_MAX: i32 = 8 << 20;
/// Deepest expression, as SQLite counts it.
const EXPRESSION_DEPTH_MAX: i32 = 1_000;
/// Queries joined by UNION and the like.
const COMPOUND_MAX: i32 = 50;
/// Columns that hold JSON.
const JSON_COLUMNS: [&str; 3] = ["event_data", "violations", "data_classes"];
/// Columns that hold truth values.
const TRUTH_COLUMNS: [&str; 4] = ["flagged", "stood", "streamed", "must_change_password"];

/// How tables begin that no query may even count.
const HIDDEN: [&str; 7] =
    ["audit_records", "sqlite_", "rollups", "index_state", "audit_search", "pragma_", "json_"];

/// Prepares a connection for free queries.
pub fn setup(connection: &mut Connection) -> rusqlite::Result<()> {
    functions::register(connection)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_COMPOUND_SELECT, COMPOUND_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.authorizer(Some(authorize))
}

/// The last word: whatever the guard let through, SQLite compiles only reads of these tables.
fn authorize(context: AuthContext<'_>) -> Authorization {
    let allowed = match context.action {
        AuthAction::Select => true,
        // Where a query's own table is counted and nothing of it read, no column is named.
        AuthAction::Read { table_name, column_name: "" } => !is_hidden(table_name),
        AuthAction::Read { table_name, .. } => {
            table_name.is_empty() || TABLES.contains(&table_name)
        }
        AuthAction::Function { function_name } => {
            let name = function_name.to_lowercase();
            PLAIN.contains(&name.as_str()) || ADDED.contains(&name.as_str())
        }
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// Whether this is a table of the index's own, or one that SQLite brings.
fn is_hidden(table: &str) -> bool {
    HIDDEN.iter().any(|hidden| table.starts_with(hidden))
}

/// Runs a query.
pub fn query(
    connection: &Connection,
    sql: &str,
    beside: &[Relation],
    limits: &SqlLimits,
) -> Answer<SqlResult> {
    let translated = translate(sql, beside, Timestamp::now())?;
    let mut statement = connection.prepare(&translated).map_err(explain)?;
    if !statement.readonly() {
        return Err(Error::BadQuery("the query writes; queries only read".to_owned()).into());
    }
    let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let shown: Vec<usize> = (0..names.len()).filter(|at| !names[*at].starts_with('_')).collect();
    let mut result = SqlResult {
        columns: shown.iter().map(|at| names[*at].clone()).collect(),
        rows: Vec::new(),
        truncated: false,
    };
    let mut bytes = 0;
    let mut rows = statement.query([]).map_err(explain)?;
    while let Some(row) = rows.next().map_err(explain)? {
        if result.rows.len() >= limits.rows_max || bytes > limits.bytes_max {
            result.truncated = true;
            break;
        }
        let mut values = Vec::with_capacity(shown.len());
        for at in &shown {
            values.push(value(row, *at, &names[*at], &mut bytes)?);
        }
        result.rows.push(values);
    }
    Ok(result)
}

fn value(row: &Row<'_>, at: usize, name: &str, bytes: &mut usize) -> rusqlite::Result<Value> {
    *bytes += 8;
    Ok(match row.get_ref(at)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) if TRUTH_COLUMNS.contains(&name) => Value::Bool(number != 0),
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => {
            *bytes += text.len();
            let json = JSON_COLUMNS.contains(&name).then(|| serde_json::from_slice(text).ok());
            let plain = || Value::String(String::from_utf8_lossy(text).into_owned());
            json.flatten().unwrap_or_else(plain)
        }
        ValueRef::Blob(blob) => Value::String(format!("({} bytes)", blob.len())),
    })
}

/// SQLite's complaint about a query is the asker's to read; an interruption is not.
fn explain(error: rusqlite::Error) -> Failure {
    use rusqlite::ErrorCode;
    match &error {
        rusqlite::Error::SqliteFailure(code, Some(text))
            if matches!(
                code.code,
                ErrorCode::Unknown | ErrorCode::TooBig | ErrorCode::TypeMismatch
            ) =>
        {
            bad_query(text)
        }
        rusqlite::Error::SqliteFailure(code, _)
            if code.code == ErrorCode::AuthorizationForStatementDenied =>
        {
            bad_query("it uses a table, column or function that queries may not use")
        }
        rusqlite::Error::SqlInputError { msg, .. } => bad_query(msg),
        rusqlite::Error::UserFunctionError(text) => bad_query(&text.to_string()),
        _ => Failure::Store(error),
    }
}

fn bad_query(text: &str) -> Failure {
    Error::BadQuery(format!(
        "the query cannot be run: {text}; see the columns with SELECT * FROM audit_logs LIMIT 1"
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite itself refuses on a connection for free queries, were the guard to let it by.
    #[test]
    fn the_connection_alone_refuses_everything_but_reads_of_the_tables() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        crate::SqliteWriter::open(&path).unwrap();
        let mut connection = Connection::open(&path).unwrap();
        setup(&mut connection).unwrap();
        for sql in [
            "SELECT * FROM sqlite_master",
            "SELECT * FROM rollups",
            "SELECT count(*) FROM sqlite_master",
            "SELECT count(*) FROM rollups",
            "SELECT count(*) FROM audit_records",
            "SELECT count(*) FROM index_state",
            "SELECT count(*) FROM audit_search",
            "SELECT count(*) FROM json_each('[1]')",
            "SELECT * FROM index_state",
            "SELECT * FROM audit_search",
            "SELECT * FROM pragma_table_info('audit_logs')",
            "SELECT * FROM json_each('[1]')",
            "SELECT load_extension('x')",
            "SELECT zeroblob(10)",
            "SELECT randomblob(10)",
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t",
            "PRAGMA table_info(audit_logs)",
            "ATTACH 'x' AS y",
            "DELETE FROM index_state",
            "CREATE TABLE t (a)",
            "CREATE TEMP TABLE t (a)",
            "BEGIN",
        ] {
            assert!(connection.prepare(sql).is_err(), "{sql} was taken");
        }
        for sql in ["SELECT * FROM audit_logs", "SELECT * FROM sessions", "SELECT 1 LIKE 2"] {
            connection.prepare(sql).unwrap();
        }
    }
}
