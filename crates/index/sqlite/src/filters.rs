//! A filter as conditions, and as what indexes answer of it.

use crate::conditions::Conditions;
use crate::keys;
use crate::search;
use event::Timestamp;
use index::{DecisionFilter, Search, StatusFilter};
use rusqlite::types::Value;

/// Decisions of one microsecond beyond those that fit their own slot have keys of the next ones:
/// bounds of keys are this much wider than those of times.
const SLACK_MICROS: i64 = 1_000;

/// A restriction that an index answers.
#[derive(Debug, Clone)]
pub struct Driver {
    /// The index.
    pub index: &'static str,
    /// The restriction, on columns of the index.
    pub clause: &'static str,
    /// Its values.
    pub values: Vec<Value>,
    /// Whether the index gives its rows in the order of time.
    pub ordered: bool,
    /// Whether the clause is all of the restriction.
    pub whole: bool,
    /// Whether `audit_logs_timestamp` holds the column, too.
    pub covered: bool,
}

impl Driver {
    fn one(index: &'static str, clause: &'static str, value: impl Into<Value>) -> Self {
        let values = vec![value.into()];
        Self { index, clause, values, ordered: true, whole: true, covered: true }
    }
}

/// What indexes answer of a filter, the most selective kind first.
pub fn drivers(filter: &DecisionFilter) -> Vec<Driver> {
    let mut all = Vec::new();
    let text = |value: &Option<String>| value.clone();
    if let Some(id) = filter.trace_id {
        let driver = Driver::one("trace_id", "trace_id = ?", id.to_string());
        all.push(Driver { ordered: false, covered: false, ..driver });
    }
    if let Some(id) = text(&filter.session_id) {
        let driver = Driver::one("session_id", "session_id = ?", id);
        all.push(Driver { covered: false, ..driver });
    }
    if let Some(id) = text(&filter.user_id) {
        let driver = Driver::one("user_id", "user_id = ?", id);
        all.push(Driver { covered: false, ..driver });
    }
    match filter.status {
        Some(StatusFilter::Code(code)) => {
            all.push(Driver::one("status_code", "status_code = ?", i64::from(code)));
        }
        Some(StatusFilter::Class(class)) => {
            let first = i64::from(class) * 100;
            let driver = Driver::one("status_code", "status_code BETWEEN ? AND ?", first);
            let values = vec![first.into(), (first + 99).into()];
            all.push(Driver { values, ordered: false, ..driver });
        }
        _ => {}
    }
    if let Some(outcome) = text(&filter.outcome) {
        all.push(Driver::one("outcome", "outcome = ?", outcome));
    }
    if filter.policy_id.is_some() {
        let driver = Driver::one("violations", "violations <> '[]'", 0);
        all.push(Driver { values: Vec::new(), whole: false, ..driver });
    }
    if let Some(source) = text(&filter.source) {
        all.push(Driver::one("source", "source = ?", source));
    }
    if let Some(provider) = text(&filter.provider) {
        all.push(Driver::one("provider", "provider = ?", provider));
    }
    if let Some(decision_type) = text(&filter.decision_type) {
        all.push(Driver::one("decision_type", "decision_type = ?", decision_type));
    }
    all
}

/// Bounds of keys that a filter's times imply.
pub fn key_bounds(filter: &DecisionFilter) -> (Option<i64>, Option<i64>) {
    let end = |to: Timestamp| {
        keys::first_of(Timestamp::from_micros(to.as_micros().saturating_add(SLACK_MICROS)))
    };
    (filter.from.map(keys::first_of), filter.to.map(end))
}

/// Adds the bounds of keys.
pub fn bound_keys(filter: &DecisionFilter, all: &mut Conditions) {
    let (first, end) = key_bounds(filter);
    if let Some(first) = first {
        all.add("_row >= ?", [first.into()]);
    }
    if let Some(end) = end {
        all.add("_row < ?", [end.into()]);
    }
}

/// Every restriction but those that these drivers answer whole.
pub fn conditions(filter: &DecisionFilter, answered: &[&Driver]) -> Conditions {
    let mut all = Conditions::default();
    let is_answered = |index: &str| answered.iter().any(|one| one.index == index && one.whole);
    for driver in drivers(filter) {
        if driver.whole && !is_answered(driver.index) {
            all.add(driver.clause, driver.values);
        }
    }
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
    match filter.status {
        Some(StatusFilter::Error) => {
            all.add_plain("(status_code >= 400 OR status_code IS NULL AND error_code IS NOT NULL)");
        }
        Some(StatusFilter::Running) => {
            all.add_plain("status_code IS NULL AND error_code IS NULL");
        }
        _ => {}
    }
    if let Some(from) = filter.from {
        all.add("timestamp >= ?", [Value::Text(from.to_string())]);
    }
    if let Some(to) = filter.to {
        all.add("timestamp < ?", [Value::Text(to.to_string())]);
    }
    bound_keys(filter, &mut all);
    if let Some(ms) = filter.min_latency_ms {
        all.add("latency_ms >= ?", [Value::Real(ms)]);
    }
    if let Some(cost) = filter.min_cost_usd {
        all.add("_cost_pico >= ?", [Value::Integer(cost.as_pico())]);
    }
    for one in filter.q.iter().flat_map(Search::conjuncts) {
        let mut values = Vec::new();
        all.add(&search::clause(one, &mut values), values);
    }
    all
}
