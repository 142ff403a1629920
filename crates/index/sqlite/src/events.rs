//! Events, traces and the places of records.

use crate::conditions::Conditions;
use crate::decision_row::parsed;
use crate::pool::Answer;
use crate::writer::State;
use event::Timestamp;
use index::{Cursor, EventFilter, EventPage, EventRow, Events, Page, PageKey, RecordPointer};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Events of a trace or decision that are shown at most.
const EVENTS_MAX: usize = 10_000;
/// Records of a decision that are shown at most.
const RECORDS_MAX: usize = 10_000;
const COLUMNS: &str = "event_id, decision_id, trace_id, request_id, event_type, component, \
    timestamp, event_data, _row";

/// A page of events, newest first.
pub fn page(connection: &Connection, filter: &EventFilter, page: &Page) -> Answer<EventPage> {
    let start = page.start(filter)?;
    let transaction = connection.unchecked_transaction()?;
    let as_of = State::load(connection)?.cursor;
    let limit = page.limit();
    let (sql, values) = statement(filter, start, limit + 1);
    let mut found = read(connection, &sql, &values)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let key = |(event, row): &(EventRow, i64)| {
        PageKey { key: event.timestamp.as_micros(), row: *row }.encode(filter)
    };
    let next_cursor = found.last().filter(|_| more).map(key);
    transaction.commit()?;
    Ok(EventPage { items: found.into_iter().map(|(event, _)| event).collect(), next_cursor, as_of })
}

fn statement(filter: &EventFilter, start: Option<PageKey>, limit: usize) -> (String, Vec<Value>) {
    let text = |id: Uuid| id.to_string();
    let mut all = Conditions::default();
    all.equal("decision_id", filter.decision_id.map(text));
    all.equal("trace_id", filter.trace_id.map(text));
    all.equal("request_id", filter.request_id.clone());
    all.equal("event_data->>'user_id'", filter.user_id.clone());
    all.equal("event_type", filter.event_type.map(|name| name.as_str().to_owned()));
    all.equal("component", filter.component.map(|name| name.as_str().to_owned()));
    if let Some(target) = &filter.target {
        // Said in words: the index holds accesses alone.
        all.add_plain("event_type = 'access'");
        all.add("event_data->>'target' = ?", [Value::Text(target.clone())]);
    }
    if let Some(from) = filter.from {
        all.add("timestamp >= ?", [Value::Text(from.to_string())]);
    }
    if let Some(to) = filter.to {
        all.add("timestamp < ?", [Value::Text(to.to_string())]);
    }
    if let Some(start) = start {
        let at = Timestamp::from_micros(start.key).to_string();
        all.add("timestamp <= ?", [Value::Text(at.clone())]);
        all.add("(timestamp, _row) < (?, ?)", [Value::Text(at), Value::Integer(start.row)]);
    }
    // The most selective index that the filter has.
    let index = match filter {
        EventFilter { decision_id: Some(_), .. } => "decision_id",
        EventFilter { trace_id: Some(_), .. } => "trace_id",
        EventFilter { request_id: Some(_), .. } => "request_id",
        EventFilter { user_id: Some(_), .. } => "user_id",
        EventFilter { target: Some(_), .. } => "target",
        EventFilter { event_type: Some(_), .. } => "event_type",
        _ => "timestamp",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_events INDEXED BY audit_events_{index}{} \
         ORDER BY timestamp DESC, _row DESC LIMIT {limit}",
        all.clause()
    );
    (sql, all.values().cloned().collect())
}

fn read(connection: &Connection, sql: &str, values: &[Value]) -> Answer<Vec<(EventRow, i64)>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), event_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A trace's events, oldest first.
pub fn of_trace(connection: &Connection, trace_id: Uuid) -> Answer<Events> {
    all_of(connection, "trace_id", trace_id)
}

/// A decision's events, oldest first.
pub fn of_decision(connection: &Connection, decision_id: Uuid) -> Answer<Events> {
    all_of(connection, "decision_id", decision_id)
}

fn all_of(connection: &Connection, column: &str, id: Uuid) -> Answer<Events> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_events INDEXED BY audit_events_{column} \
         WHERE {column} = ? ORDER BY timestamp, _row LIMIT {}",
        EVENTS_MAX + 1
    );
    let mut found = read(connection, &sql, &[Value::Text(id.to_string())])?;
    let truncated = found.len() > EVENTS_MAX;
    found.truncate(EVENTS_MAX);
    Ok(Events { items: found.into_iter().map(|(event, _)| event).collect(), truncated })
}

/// Where a decision's records stand.
pub fn records(connection: &Connection, decision_id: Uuid) -> Answer<Vec<RecordPointer>> {
    let sql = format!(
        "SELECT writer, epoch, segment, offset, seq, record_id, ts FROM audit_records \
         WHERE decision_id = ? ORDER BY epoch, seq LIMIT {RECORDS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([decision_id.to_string()], |row| {
        let (offset, seq): (i64, i64) = (row.get(3)?, row.get(4)?);
        Ok(RecordPointer {
            at: Cursor::new(
                row.get::<_, String>(0)?,
                row.get(1)?,
                row.get(2)?,
                offset.unsigned_abs(),
            ),
            seq: seq.unsigned_abs(),
            record_id: parsed(row, 5)?,
            ts: Timestamp::from_micros(row.get(6)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<(EventRow, i64)> {
    let event_data = RawValue::from_string(row.get(7)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(7, rusqlite::types::Type::Text, error.into())
    })?;
    let event = EventRow {
        event_id: parsed(row, 0)?,
        decision_id: parsed(row, 1)?,
        trace_id: parsed(row, 2)?,
        request_id: row.get(3)?,
        event_type: parsed(row, 4)?,
        component: parsed(row, 5)?,
        timestamp: parsed(row, 6)?,
        event_data,
    };
    Ok((event, row.get(8)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::EventType;

    fn plan(filter: &EventFilter) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        crate::SqliteWriter::open(&path).unwrap();
        let connection = crate::connect::reader(&path, 1 << 20).unwrap();
        let (sql, values) = statement(filter, Some(PageKey { key: 5, row: 5 }), 51);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines =
            statement.query_map(params_from_iter(&values), |row| row.get::<_, String>(3)).unwrap();
        lines.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    }

    #[test]
    fn each_filter_has_its_index() {
        let id = Some(Uuid::from_u128(1));
        let name = || Some("x".to_owned());
        let event_type = Some(EventType::RequestFailed);
        let cases = [
            (
                EventFilter { trace_id: id, ..<_>::default() },
                "trace_id (ANY(_chunk) AND trace_id=?",
            ),
            (
                EventFilter { request_id: name(), ..<_>::default() },
                "request_id (ANY(_chunk) AND request_id=?",
            ),
            (EventFilter { decision_id: id, ..<_>::default() }, "decision_id (decision_id=?"),
            (
                EventFilter { user_id: name(), ..<_>::default() },
                "user_id (ANY(_chunk) AND <expr>=?",
            ),
            (
                EventFilter { event_type, ..<_>::default() },
                "event_type (event_type=? AND timestamp<?",
            ),
            (EventFilter { target: name(), ..<_>::default() }, "target (<expr>=? AND timestamp<?"),
            (EventFilter::default(), "timestamp (timestamp<?"),
        ];
        for (filter, expected) in cases {
            let plan = plan(&filter);
            let expected = format!("SEARCH audit_events USING INDEX audit_events_{expected}");
            assert!(plan.starts_with(&expected), "{plan}, not {expected}");
        }
    }
}
