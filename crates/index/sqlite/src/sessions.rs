//! Sessions: decisions that share a session id, summed when asked for.

use crate::conditions::Conditions;
use crate::keys;
use crate::pool::Answer;
use crate::writer::State;
use event::Timestamp;
use index::{Money, Page, PageKey, Session, SessionFilter, SessionPage};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

/// Decisions of one session that are summed at most: the newest.
const DECISIONS_MAX: i64 = 100_000;

/// A page of sessions. A session stands where its newest decision stands, so the list is a walk
/// over decisions that skips those with a newer one in their session.
pub fn page(connection: &Connection, filter: &SessionFilter, page: &Page) -> Answer<SessionPage> {
    let start = page.start(filter)?;
    let transaction = connection.unchecked_transaction()?;
    let as_of = State::load(connection)?.cursor;
    let limit = page.limit();
    let (sql, values) = statement(filter, start, limit + 1);
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement
        .query_map(params_from_iter(&values), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut items = Vec::with_capacity(found.len().min(limit));
    for (_, id) in found.iter().take(limit) {
        items.extend(one(connection, id, filter)?);
    }
    let last = found.get(limit - 1).filter(|_| found.len() > limit);
    let next_cursor = last.map(|(row, _)| PageKey { key: *row, row: *row }.encode(filter));
    drop(statement);
    transaction.commit()?;
    Ok(SessionPage { items, next_cursor, as_of })
}

fn statement(filter: &SessionFilter, start: Option<PageKey>, limit: usize) -> (String, Vec<Value>) {
    let mut all = Conditions::default();
    all.add_plain("session_id IS NOT NULL");
    all.equal("source", filter.source.clone());
    all.equal("user_id", filter.user_id.clone());
    if let Some(from) = filter.from {
        all.add("_row >= ?", [Value::Integer(keys::first_of(from))]);
    }
    if let Some(to) = filter.to {
        all.add("_row < ?", [Value::Integer(keys::first_of(to))]);
    }
    if let Some(start) = start {
        all.add("_row < ?", [Value::Integer(start.row)]);
    }
    let same_user = if filter.user_id.is_some() { " AND newer.user_id = this.user_id" } else { "" };
    let same_source = if filter.source.is_some() { " AND newer.source = this.source" } else { "" };
    let sql = format!(
        "SELECT _row, session_id FROM audit_logs AS this{} AND NOT EXISTS (\
           SELECT 1 FROM audit_logs AS newer INDEXED BY audit_logs_session_id \
           WHERE newer.session_id = this.session_id AND newer._row > this._row\
           {same_user}{same_source}) \
         ORDER BY _row DESC LIMIT {limit}",
        all.clause()
    );
    (sql, all.values().cloned().collect())
}

/// One session, as far as it is of the filter's user and source.
pub fn one(
    connection: &Connection,
    session_id: &str,
    of: &SessionFilter,
) -> Answer<Option<Session>> {
    let mut whose = Conditions::default();
    whose.equal("session_id", Some(session_id.to_owned()));
    whose.equal("source", of.source.clone());
    whose.equal("user_id", of.user_id.clone());
    let clause = whose.clause();
    let sql = format!(
        "SELECT count(*), min(timestamp), max(timestamp), \
           count(CASE WHEN outcome IS NOT 'BLOCK' AND (status_code >= 400 OR status_code IS NULL \
             AND error_code IS NOT NULL) THEN 1 END), \
           count(CASE WHEN outcome = 'BLOCK' THEN 1 END), \
           coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), \
           coalesce(sum(total_tokens), 0), sum(_cost_pico), \
           count(CASE WHEN _cost_pico IS NULL THEN 1 END) \
         FROM (SELECT * FROM audit_logs INDEXED BY audit_logs_session_id{clause} \
           ORDER BY _row DESC LIMIT {DECISIONS_MAX})"
    );
    let count = |value: i64| value.unsigned_abs();
    let sums =
        connection.prepare_cached(&sql)?.query_row(params_from_iter(whose.values()), |row| {
            let decisions = row.get::<_, i64>(0)?;
            if decisions == 0 {
                return Ok(None);
            }
            let time = |at| crate::decision_row::parsed::<Timestamp>(row, at);
            Ok(Some(Session {
                session_id: session_id.to_owned(),
                decisions: count(decisions),
                first_at: time(1)?,
                last_at: time(2)?,
                errors: count(row.get(3)?),
                blocked: count(row.get(4)?),
                input_tokens: count(row.get(5)?),
                output_tokens: count(row.get(6)?),
                total_tokens: count(row.get(7)?),
                cost_usd: row
                    .get::<_, Option<i64>>(8)?
                    .map(|pico| Money::from_pico(pico).to_string()),
                cost_unknown: count(row.get(9)?),
                source: None,
                user_id: None,
            }))
        })?;
    let Some(mut session) = sums else { return Ok(None) };
    let newest = connection
        .prepare_cached(&format!(
            "SELECT source, user_id FROM audit_logs INDEXED BY audit_logs_session_id{clause} \
             ORDER BY _row DESC LIMIT 1"
        ))?
        .query_row(params_from_iter(whose.values()), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    (session.source, session.user_id) = newest.unwrap_or_default();
    Ok(Some(session))
}
