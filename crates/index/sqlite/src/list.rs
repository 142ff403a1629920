//! Lists of decisions.
//!
//! A page is found in two steps: keys first, from narrow indexes, then the rows of one page. Where
//! the keys come from is chosen by looking: each filter that has an index is asked how many rows
//! it leaves, up to a bound; the one that leaves fewest drives the query, and the others are
//! looked up in their indexes, row by row. Where all leave many, one pass over
//! `audit_logs_timestamp`, which holds every column that is filtered by, finds a page soon.

use crate::conditions::Conditions;
use crate::decision_row;
use crate::filters::{Driver, bound_keys, conditions, drivers, key_bounds};
use crate::keys;
use crate::pool::Answer;
use crate::search::{HIT, search_text};
use crate::writer::State;
use event::Decision;
use index::{DecisionFilter, DecisionPage, Page, PageKey, SearchTerm, Sort, Unfolded};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

/// Rows that an index is asked for, to see whether it has fewer.
const PROBE_ROWS: i64 = 20_000;
/// An index that leaves fewer rows goes before the search table, and before the order of time.
const FEW_ROWS: i64 = 2_000;
/// The index that holds every filtered column, in the order of time.
const BY_TIME: &str = "timestamp";

/// The index that drives a query, and how many rows it has for the filter, as far as was looked.
type Choice = Option<(Driver, i64)>;

/// A page of decisions.
pub fn list(connection: &Connection, filter: &DecisionFilter, page: &Page) -> Answer<DecisionPage> {
    let start = page.start(filter)?;
    let Unfolded { filter: narrowed, words } = filter.unfold();
    let terms = index::search_terms(&words);
    // One state for the page and what it says of itself.
    let transaction = connection.unchecked_transaction()?;
    let as_of = State::load(connection)?.cursor;
    let limit = page.limit();
    let mut keys = find_keys(connection, &narrowed, &terms, start, limit + 1)?;
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next_cursor = keys.last().filter(|_| more).map(|key| key.encode(filter));
    let items = rows(connection, &keys)?;
    transaction.commit()?;
    Ok(DecisionPage { items, next_cursor, as_of })
}

fn rows(connection: &Connection, keys: &[PageKey]) -> Answer<Vec<Decision>> {
    let mut statement = connection.prepare_cached(decision_row::SELECT_BY_ROW)?;
    let mut items = Vec::with_capacity(keys.len());
    for key in keys {
        items.push(statement.query_row([key.row], decision_row::read)?.0);
    }
    Ok(items)
}

fn find_keys(
    connection: &Connection,
    filter: &DecisionFilter,
    terms: &[SearchTerm],
    start: Option<PageKey>,
    limit: usize,
) -> Answer<Vec<PageKey>> {
    let choice = choose(connection, filter, !terms.is_empty())?;
    let few = choice.as_ref().is_some_and(|(_, rows)| *rows < FEW_ROWS);
    if !terms.is_empty() && !few && matches!(filter.sort, Sort::Newest | Sort::Oldest) {
        return by_search(connection, filter, terms, start, limit);
    }
    let start = match start {
        Some(key) => Some((key, time_at(connection, key.row)?)),
        None => None,
    };
    let driver = choice.as_ref().map(|(driver, _)| driver);
    let (sql, values) = by_index(filter, driver, terms, start.as_ref(), limit);
    run(connection, &sql, &values)
}

/// The time of the decision with this key; of one that is gone, about.
fn time_at(connection: &Connection, row: i64) -> rusqlite::Result<String> {
    let found = connection
        .prepare_cached("SELECT timestamp FROM audit_logs WHERE _row = ?1")?
        .query_row([row], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or_else(|| keys::time_of(row).to_string()))
}

fn run(connection: &Connection, sql: &str, values: &[Value]) -> Answer<Vec<PageKey>> {
    let mut statement = connection.prepare_cached(sql)?;
    let keys = statement.query_map(params_from_iter(values), |row| {
        Ok(PageKey { key: row.get(1)?, row: row.get(0)? })
    })?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// The index that drives the query; none: all decisions in the order of time. Rows are counted
/// where the choice hangs on them.
fn choose(connection: &Connection, filter: &DecisionFilter, searching: bool) -> Answer<Choice> {
    let mut best: Choice = None;
    for driver in drivers(filter) {
        // A single restriction with an ordered index needs no other way, however many rows; and
        // one that no other index knows must be this one's.
        let alone = driver.ordered && conditions(filter, &[&driver]).is_empty();
        if alone || !driver.covered {
            let rows = if searching { count(connection, filter, &driver)? } else { 0 };
            return Ok(Some((driver, rows)));
        }
        let rows = count(connection, filter, &driver)?;
        // Rows that must be sorted first are worth it only where they are few.
        let bound = if driver.ordered { PROBE_ROWS } else { FEW_ROWS };
        if rows < best.as_ref().map_or(bound, |(_, rows)| bound.min(*rows)) {
            best = Some((driver, rows));
        }
    }
    Ok(best)
}

fn count(connection: &Connection, filter: &DecisionFilter, driver: &Driver) -> Answer<i64> {
    let mut all = Conditions::default();
    all.add(driver.clause, driver.values.clone());
    bound_keys(filter, &mut all);
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM audit_logs INDEXED BY audit_logs_{}{} LIMIT {PROBE_ROWS})",
        driver.index,
        all.clause()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params_from_iter(all.values()), |row| row.get(0))?)
}

/// The statement that finds a page's keys by index. `start` is the last page's last decision,
/// with its time.
fn by_index(
    filter: &DecisionFilter,
    driver: Option<&Driver>,
    terms: &[SearchTerm],
    start: Option<&(PageKey, String)>,
    limit: usize,
) -> (String, Vec<Value>) {
    let looked_up: Vec<Driver> = match driver {
        Some(driver) => drivers(filter)
            .into_iter()
            .filter(|other| other.index != driver.index && other.ordered && other.whole)
            .collect(),
        None => Vec::new(),
    };
    let answered: Vec<&Driver> = looked_up.iter().chain(driver).collect();
    let rest = conditions(filter, &answered);
    let mut all = Conditions::default();
    let mut index = BY_TIME;
    if let Some(driver) = driver {
        if driver.ordered {
            all.add(driver.clause, driver.values.clone());
            index = driver.index;
        } else {
            let clause = format!(
                "_row IN (SELECT _row FROM audit_logs INDEXED BY audit_logs_{} WHERE {})",
                driver.index, driver.clause
            );
            all.add(&clause, driver.values.clone());
            index = "";
        }
    }
    for other in looked_up {
        let clause = format!(
            "EXISTS (SELECT 1 FROM audit_logs AS other INDEXED BY audit_logs_{} \
             WHERE other.{} AND other._row = audit_logs._row)",
            other.index, other.clause
        );
        all.add(&clause, other.values);
    }
    all.append(rest);
    if !terms.is_empty() {
        let query = Value::Text(search_text(terms));
        all.add(HIT, [query.clone(), query]);
    }
    let order = position(filter, &mut all, start, index);
    let hint =
        if index.is_empty() { String::new() } else { format!(" INDEXED BY audit_logs_{index}") };
    let sql = format!(
        "SELECT _row, {} FROM audit_logs{hint}{} ORDER BY {} LIMIT {limit}",
        order.key,
        all.clause(),
        order.by
    );
    (sql, all.values().cloned().collect())
}

struct Order {
    key: &'static str,
    by: &'static str,
}

/// Adds where the page starts; answers the order.
fn position(
    filter: &DecisionFilter,
    all: &mut Conditions,
    start: Option<&(PageKey, String)>,
    index: &str,
) -> Order {
    let by_time = index == BY_TIME;
    let after = |all: &mut Conditions, columns: &str| {
        if let Some((key, _)) = start {
            let clause = format!("({columns}, _row) < (?, ?)");
            all.add(&clause, [key.key.into(), key.row.into()]);
        }
    };
    match filter.sort {
        Sort::Newest | Sort::Oldest => {
            let newest = filter.sort == Sort::Newest;
            let than = if newest { "<" } else { ">" };
            match start {
                Some((key, time)) if by_time => {
                    let values = [time.clone().into(), key.row.into()];
                    all.add(&format!("(timestamp, _row) {than} (?, ?)"), values);
                }
                Some((key, _)) => all.add(&format!("_row {than} ?"), [key.row.into()]),
                None => {}
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
            all.add_plain("latency_ms IS NOT NULL");
            after(all, "CAST(latency_ms * 1000 AS INTEGER)");
            Order { key: "CAST(latency_ms * 1000 AS INTEGER)", by: "2 DESC, 1 DESC" }
        }
        Sort::Dearest => {
            all.add_plain("_cost_pico IS NOT NULL");
            after(all, "_cost_pico");
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
    // A decision's two texts have twice its key, and one more.
    let (mut first, mut end) = key_bounds(filter);
    match start {
        Some(start) if newest => end = Some(end.map_or(start.row, |end| end.min(start.row))),
        Some(start) => first = Some(first.map_or(start.row + 1, |at| at.max(start.row + 1))),
        None => {}
    }
    let mut all = Conditions::default();
    all.add("audit_search MATCH ?", [Value::Text(search_text(terms))]);
    if let Some(first) = first {
        all.add("audit_search.rowid >= ?", [first.saturating_mul(2).into()]);
    }
    if let Some(end) = end {
        all.add("audit_search.rowid < ?", [end.saturating_mul(2).into()]);
    }
    all.append(conditions(filter, &[]));
    let direction = if newest { "DESC" } else { "ASC" };
    // Both texts of a decision may hold the terms; its two hits follow each other.
    let sql = format!(
        "SELECT _row, _row FROM audit_search CROSS JOIN audit_logs ON _row = audit_search.rowid >> 1\
         {} ORDER BY audit_search.rowid {direction} LIMIT {}",
        all.clause(),
        limit * 2
    );
    let values: Vec<Value> = all.values().cloned().collect();
    let mut keys = run(connection, &sql, &values)?;
    keys.dedup();
    keys.truncate(limit);
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use index::StatusFilter;

    /// The plan of the statement that a filter leads to, with this driver.
    fn plan(filter: &DecisionFilter, drive: bool) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        crate::SqliteWriter::open(&path).unwrap();
        let connection = crate::connect::reader(&path, 1 << 20).unwrap();
        let driver = if drive { drivers(filter).into_iter().next() } else { None };
        let start = Some((PageKey { key: 5, row: 5 }, "2026-11-21T00:00:00.000000Z".to_owned()));
        let (sql, values) = by_index(filter, driver.as_ref(), &[], start.as_ref(), 51);
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
            (
                DecisionFilter { provider: name(), ..<_>::default() },
                "audit_logs_provider (provider=?",
            ),
            (
                DecisionFilter { decision_type: name(), ..<_>::default() },
                "audit_logs_decision_type (decision_type=?",
            ),
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

    #[test]
    fn several_filters_meet_in_their_indexes() {
        let name = || Some("x".to_owned());
        let filter = DecisionFilter {
            status: Some(StatusFilter::Code(429)),
            outcome: name(),
            source: name(),
            ..<_>::default()
        };
        let plan = plan(&filter, true);
        let expected = [
            "SEARCH audit_logs USING COVERING INDEX audit_logs_status_code (status_code=?",
            "SEARCH other EXISTS USING COVERING INDEX audit_logs_outcome (outcome=? AND rowid=?)",
            "SEARCH other EXISTS USING COVERING INDEX audit_logs_source (source=? AND rowid=?)",
        ];
        for part in expected {
            assert!(plan.contains(part), "{plan}");
        }
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
