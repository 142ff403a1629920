//! Lists of decisions.
//!
//! A page is found in two steps: keys first, from narrow indexes, then the rows of one page. Where
//! the keys come from is chosen by looking: each filter that has an index is asked whether it
//! leaves few rows; the first that does drives the query. Otherwise one pass over
//! `audit_logs_timestamp`, which holds every column that is filtered by, finds the page soon.

use crate::conditions::Conditions;
use crate::decision_row;
use crate::keys;
use crate::pool::Answer;
use crate::writer::State;
use event::Decision;
use index::{DecisionFilter, DecisionPage, Page, PageKey, SearchTerm, Sort, StatusFilter};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// An index with fewer rows for a filter than this drives the query.
const FEW_ROWS: i64 = 2_000;
/// The index that holds every filtered column, in the order of time.
const BY_TIME: &str = "audit_logs_timestamp";

/// A filter that an index answers.
struct Driver {
    index: &'static str,
    clause: String,
    values: Vec<Value>,
    /// One value of one column: its rows are in the order of time.
    ordered: bool,
}

/// A page of decisions.
pub fn list(connection: &Connection, filter: &DecisionFilter, page: &Page) -> Answer<DecisionPage> {
    let start = page.start(filter)?;
    // One state for the page and what it says of itself.
    let transaction = connection.unchecked_transaction()?;
    let as_of = State::load(connection)?.cursor;
    let limit = page.limit();
    let mut keys = find_keys(connection, filter, start, limit + 1)?;
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next_cursor = keys.last().filter(|_| more).map(|key| key.encode(filter));
    let items = rows(connection, &keys)?;
    transaction.commit()?;
    Ok(DecisionPage { items, next_cursor, as_of })
}

fn rows(connection: &Connection, keys: &[PageKey]) -> Answer<Vec<Decision>> {
    let sql = format!("SELECT {} FROM audit_logs WHERE _row = ?1", decision_row::COLUMNS);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut items = Vec::with_capacity(keys.len());
    for key in keys {
        items.push(statement.query_row([key.row], decision_row::read)?.0);
    }
    Ok(items)
}

fn find_keys(
    connection: &Connection,
    filter: &DecisionFilter,
    start: Option<PageKey>,
    limit: usize,
) -> Answer<Vec<PageKey>> {
    let terms = filter.q.as_deref().map(index::search_terms).unwrap_or_default();
    if filter.q.is_some() && terms.is_empty() {
        return Ok(Vec::new());
    }
    let driver = choose(connection, filter)?;
    let few = driver.as_ref().is_some_and(|(_, few)| *few);
    if !terms.is_empty() && !few && matches!(filter.sort, Sort::Newest | Sort::Oldest) {
        return by_search(connection, filter, &terms, start, limit);
    }
    let sql = by_index(filter, driver.map(|(driver, _)| driver), &terms, start, limit);
    run(connection, &sql.0, &sql.1)
}

fn run(connection: &Connection, sql: &str, values: &[Value]) -> Answer<Vec<PageKey>> {
    let mut statement = connection.prepare_cached(sql)?;
    let keys = statement.query_map(params_from_iter(values), |row| {
        Ok(PageKey { key: row.get(1)?, row: row.get(0)? })
    })?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// The statement that finds a page's keys by index.
fn by_index(
    filter: &DecisionFilter,
    driver: Option<Driver>,
    terms: &[SearchTerm],
    start: Option<PageKey>,
    limit: usize,
) -> (String, Vec<Value>) {
    let mut conditions = conditions(filter, driver.as_ref().map(|driver| driver.index));
    let mut index = BY_TIME;
    if let Some(driver) = driver {
        if driver.ordered {
            conditions.add(&driver.clause, driver.values);
            index = driver.index;
        } else {
            let clause = format!(
                "_row IN (SELECT _row FROM audit_logs INDEXED BY {} WHERE {})",
                driver.index, driver.clause
            );
            conditions.add(&clause, driver.values);
            index = "";
        }
    }
    if !terms.is_empty() {
        let hit = "EXISTS (SELECT 1 FROM audit_search WHERE audit_search MATCH ? AND rowid = ";
        let clause = format!("({hit}_row * 2) OR {hit}_row * 2 + 1))");
        let query = Value::Text(search_text(terms));
        conditions.add(&clause, [query.clone(), query]);
    }
    let order = position(filter, &mut conditions, start, index);
    let hint = if index.is_empty() { String::new() } else { format!(" INDEXED BY {index}") };
    let sql = format!(
        "SELECT _row, {} FROM audit_logs{hint}{} ORDER BY {} LIMIT {limit}",
        order.key,
        conditions.clause(),
        order.by
    );
    (sql, conditions.values().cloned().collect())
}

struct Order {
    key: &'static str,
    by: &'static str,
}

/// Adds where the page starts; answers the order.
fn position(
    filter: &DecisionFilter,
    conditions: &mut Conditions,
    start: Option<PageKey>,
    index: &str,
) -> Order {
    let by_time = index == BY_TIME;
    let row = start.map(|start| Value::Integer(start.row));
    match filter.sort {
        Sort::Newest | Sort::Oldest => {
            let newest = filter.sort == Sort::Newest;
            if let Some(start) = start {
                conditions.add(if newest { "_row < ?" } else { "_row > ?" }, row);
                if by_time {
                    // Lets the index begin in the right place; the row alone decides.
                    let at = keys::time_of(start.row).to_string();
                    let clause = if newest { "timestamp <= ?" } else { "timestamp >= ?" };
                    conditions.add(clause, [Value::Text(at)]);
                }
            }
            let by = match (newest, by_time) {
                (true, true) => "timestamp DESC, _row DESC",
                (true, false) => "_row DESC",
                (false, true) => "timestamp, _row",
                (false, false) => "_row",
            };
            Order { key: "_row", by }
        }
        Sort::Slowest => {
            conditions.add_plain("latency_ms IS NOT NULL");
            let key = "CAST(latency_ms * 1000 AS INTEGER)";
            if let Some(start) = start {
                let values = [Value::Integer(start.key), Value::Integer(start.row)];
                conditions.add(&format!("({key}, _row) < (?, ?)"), values);
            }
            Order { key, by: "2 DESC, 1 DESC" }
        }
        Sort::Dearest => {
            conditions.add_plain("_cost_pico IS NOT NULL");
            if let Some(start) = start {
                let values = [Value::Integer(start.key), Value::Integer(start.row)];
                conditions.add("(_cost_pico, _row) < (?, ?)", values);
            }
            Order { key: "_cost_pico", by: "2 DESC, 1 DESC" }
        }
    }
}

/// Decisions whose previews hold all terms, in the order of time: the search table is read in
/// that order, and each hit's row is looked at.
fn by_search(
    connection: &Connection,
    filter: &DecisionFilter,
    terms: &[SearchTerm],
    start: Option<PageKey>,
    limit: usize,
) -> Answer<Vec<PageKey>> {
    let newest = filter.sort == Sort::Newest;
    let mut search = Conditions::default();
    search.add("audit_search MATCH ?", [Value::Text(search_text(terms))]);
    if let Some(start) = start {
        let (clause, bound) = if newest {
            ("audit_search.rowid < ?", start.row.saturating_mul(2))
        } else {
            ("audit_search.rowid > ?", start.row.saturating_mul(2).saturating_add(1))
        };
        search.add(clause, [Value::Integer(bound)]);
    }
    let rest = conditions(filter, None);
    let direction = if newest { "DESC" } else { "ASC" };
    // Both texts of a decision may hold the terms; its two hits follow each other.
    let sql = format!(
        "SELECT _row, _row FROM audit_search CROSS JOIN audit_logs ON _row = audit_search.rowid >> 1\
         {}{} ORDER BY audit_search.rowid {direction} LIMIT {}",
        search.clause(),
        rest.and_clause(),
        limit * 2
    );
    let values: Vec<Value> = search.values().chain(rest.values()).cloned().collect();
    let mut keys = run(connection, &sql, &values)?;
    keys.dedup();
    keys.truncate(limit);
    Ok(keys)
}

fn search_text(terms: &[SearchTerm]) -> String {
    let quoted = |term: &SearchTerm| {
        let star = if term.prefix { "*" } else { "" };
        format!("\"{}\"{star}", term.text.replace('"', "\"\""))
    };
    terms.iter().map(quoted).collect::<Vec<_>>().join(" AND ")
}

/// The filter with an index that drives the query, and whether it leaves few rows.
fn choose(connection: &Connection, filter: &DecisionFilter) -> Answer<Option<(Driver, bool)>> {
    let drivers = drivers(filter);
    let alone =
        drivers.len() == 1 && conditions(filter, drivers.first().map(|d| d.index)).is_empty();
    for driver in drivers {
        if (alone && driver.ordered) || !covered(driver.index) {
            return Ok(Some((driver, false)));
        }
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM audit_logs INDEXED BY {} WHERE {} LIMIT {FEW_ROWS})",
            driver.index, driver.clause
        );
        let rows: i64 = connection
            .prepare_cached(&sql)?
            .query_row(params_from_iter(&driver.values), |row| row.get(0))?;
        if rows < FEW_ROWS {
            return Ok(Some((driver, true)));
        }
    }
    Ok(None)
}

/// Whether `audit_logs_timestamp` holds the column, too.
fn covered(index: &str) -> bool {
    !matches!(index, "audit_logs_user_id" | "audit_logs_session_id" | "audit_logs_trace_id")
}

/// Filters with indexes, the most selective kind first.
fn drivers(filter: &DecisionFilter) -> Vec<Driver> {
    let text = |value: &String| vec![Value::Text(value.clone())];
    let mut drivers = Vec::new();
    let mut add = |index, clause: &str, values, ordered| {
        drivers.push(Driver { index, clause: clause.to_owned(), values, ordered });
    };
    if let Some(id) = filter.trace_id {
        add("audit_logs_trace_id", "trace_id = ?", text(&id.to_string()), false);
    }
    if let Some(id) = &filter.session_id {
        add("audit_logs_session_id", "session_id = ?", text(id), true);
    }
    if let Some(id) = &filter.user_id {
        add("audit_logs_user_id", "user_id = ?", text(id), true);
    }
    if let Some(StatusFilter::Code(code)) = filter.status {
        let values = vec![Value::Integer(code.into())];
        add("audit_logs_status_code", "status_code = ?", values, true);
    }
    if let Some(StatusFilter::Class(class)) = filter.status {
        let first = i64::from(class) * 100;
        let values = vec![Value::Integer(first), Value::Integer(first + 99)];
        add("audit_logs_status_code", "status_code BETWEEN ? AND ?", values, false);
    }
    if let Some(outcome) = &filter.outcome {
        add("audit_logs_outcome", "outcome = ?", text(outcome), true);
    }
    if let Some(source) = &filter.source {
        add("audit_logs_source", "source = ?", text(source), true);
    }
    drivers
}

/// Every restriction but the driver's own.
fn conditions(filter: &DecisionFilter, driver: Option<&str>) -> Conditions {
    let mut all = Conditions::default();
    let free = |index: &str| driver != Some(index);
    if free("audit_logs_trace_id") {
        all.equal("trace_id", filter.trace_id.map(|id| id.to_string()));
    }
    if free("audit_logs_session_id") {
        all.equal("session_id", filter.session_id.clone());
    }
    if free("audit_logs_user_id") {
        all.equal("user_id", filter.user_id.clone());
    }
    if free("audit_logs_outcome") {
        all.equal("outcome", filter.outcome.clone());
    }
    if free("audit_logs_source") {
        all.equal("source", filter.source.clone());
    }
    all.equal("decision_type", filter.decision_type.clone());
    all.equal("provider", filter.provider.clone());
    all.equal("origin", filter.origin.map(|origin| origin.as_str().to_owned()));
    if let Some(model) = &filter.model {
        let value = Value::Text(model.clone());
        all.add("(model = ? OR model_requested = ?)", [value.clone(), value]);
    }
    if let Some(policy) = &filter.policy_id {
        all.add(
            "violations <> '[]' AND EXISTS (SELECT 1 FROM json_each(violations) WHERE value = ?)",
            [Value::Text(policy.clone())],
        );
    }
    if free("audit_logs_status_code") {
        status(filter.status, &mut all);
    }
    if let Some(from) = filter.from {
        all.add("timestamp >= ?", [Value::Text(from.to_string())]);
        all.add("_row >= ?", [Value::Integer(keys::first_of(from))]);
    }
    if let Some(to) = filter.to {
        all.add("timestamp < ?", [Value::Text(to.to_string())]);
    }
    if let Some(ms) = filter.min_latency_ms {
        all.add("latency_ms >= ?", [Value::Real(ms)]);
    }
    if let Some(cost) = filter.min_cost_usd {
        all.add("_cost_pico >= ?", [Value::Integer(cost.as_pico())]);
    }
    all
}

fn status(status: Option<StatusFilter>, all: &mut Conditions) {
    match status {
        None => {}
        Some(StatusFilter::Code(code)) => {
            all.add("status_code = ?", [Value::Integer(code.into())]);
        }
        Some(StatusFilter::Class(class)) => {
            let first = i64::from(class) * 100;
            let values = [Value::Integer(first), Value::Integer(first + 99)];
            all.add("status_code BETWEEN ? AND ?", values);
        }
        Some(StatusFilter::Error) => {
            all.add_plain("(status_code >= 400 OR status_code IS NULL AND error_code IS NOT NULL)");
        }
        Some(StatusFilter::Running) => {
            all.add_plain("status_code IS NULL AND error_code IS NULL");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plan of the statement that a filter leads to, with this driver.
    pub fn plan(filter: &DecisionFilter, drive: bool) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        crate::SqliteWriter::open(&path).unwrap();
        let connection = crate::connect::reader(&path, 1 << 20).unwrap();
        let driver = if drive { drivers(filter).into_iter().next() } else { None };
        let start = Some(PageKey { key: 5, row: 5 });
        let (sql, values) = by_index(filter, driver, &[], start, 51);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines =
            statement.query_map(params_from_iter(&values), |row| row.get::<_, String>(3)).unwrap();
        lines.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    }

    #[test]
    fn each_filter_walks_its_index_in_order() {
        let name = || Some("x".to_owned());
        let status = Some(StatusFilter::Code(500));
        let cases = [
            (DecisionFilter { source: name(), ..<_>::default() }, "audit_logs_source (source=?"),
            (DecisionFilter { user_id: name(), ..<_>::default() }, "audit_logs_user_id (user_id=?"),
            (
                DecisionFilter { session_id: name(), ..<_>::default() },
                "audit_logs_session_id (session_id=?",
            ),
            (DecisionFilter { outcome: name(), ..<_>::default() }, "audit_logs_outcome (outcome=?"),
            (DecisionFilter { status, ..<_>::default() }, "audit_logs_status_code (status_code=?"),
        ];
        for (filter, expected) in cases {
            let plan = plan(&filter, true);
            let expected =
                format!("SEARCH audit_logs USING COVERING INDEX {expected} AND rowid<?)");
            assert_eq!(plan, expected);
        }
    }

    #[test]
    fn the_rest_is_one_covered_pass_in_the_order_of_time() {
        let filter = DecisionFilter {
            model: Some("x".to_owned()),
            provider: Some("x".to_owned()),
            decision_type: Some("x".to_owned()),
            source: Some("x".to_owned()),
            outcome: Some("x".to_owned()),
            status: Some(StatusFilter::Error),
            min_latency_ms: Some(5.0),
            min_cost_usd: Some("0.1".parse().unwrap()),
            from: Some(event::Timestamp::default()),
            to: Some(event::Timestamp::now()),
            ..<_>::default()
        };
        for filter in [filter, DecisionFilter::default()] {
            let plan = plan(&filter, false);
            assert!(
                plan.starts_with("SEARCH audit_logs USING COVERING INDEX audit_logs_timestamp (")
                    && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
    }

    #[test]
    fn a_trace_is_looked_up_chunk_by_chunk() {
        let filter = DecisionFilter { trace_id: Some(uuid::Uuid::from_u128(1)), ..<_>::default() };
        let plan = plan(&filter, true);
        assert!(plan.contains("audit_logs_trace_id (ANY(_chunk) AND trace_id=?)"), "{plan}");
    }
}
