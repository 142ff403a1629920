//! Sums, from roll-ups; by user, from base rows.

use crate::conditions::Conditions;
use crate::decision_row;
use crate::keys;
use crate::pool::{Answer, Failure};
use crate::rollup::{SPAN_DAY, SPAN_HOUR, SPAN_MINUTE, mask_for};
use event::{Decision, Timestamp};
use index::{Dimension, Error, GROUP_BY_MAX, Group, Interval, Metrics, MetricsQuery, Point, Tally};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use std::collections::BTreeMap;

/// Steps of a series at most.
const POINTS_MAX: usize = 20_000;
/// Base rows that a sum by user reads at most: the newest.
const BASE_ROWS_MAX: usize = 100_000;

/// A group's values, by dimension; empty for the unknown.
type Values = [String; GROUP_BY_MAX];
type Sums = BTreeMap<(Option<i64>, Values), Tally>;

/// Answers a query.
pub fn metrics(connection: &Connection, query: &MetricsQuery) -> Answer<Metrics> {
    let from = query.from.map(|at| floor_minute(at.as_micros()));
    let to = query.to.map(|at| floor_minute(at.as_micros() + 59_999_999));
    let mut sums = Sums::new();
    if query.group_by.len() > GROUP_BY_MAX {
        let what = format!("sums are grouped by {GROUP_BY_MAX} dimensions at most");
        return Err(Failure::Ours(Error::BadQuery(what)));
    }
    let truncated = if query.is_by_user() {
        from_base(connection, query, from, to, &mut sums)?
    } else {
        from_rollups(connection, query, from, to, &mut sums)?;
        false
    };
    let mut totals = Tally::default();
    let mut groups: BTreeMap<&Values, Tally> = BTreeMap::new();
    for ((_, values), tally) in &sums {
        totals.merge(tally);
        if !query.group_by.is_empty() {
            groups.entry(values).or_default().merge(tally);
        }
    }
    let known = |values: &Values| -> Vec<Option<String>> {
        let values = values.iter().take(query.group_by.len());
        values.map(|value| (!value.is_empty()).then(|| value.clone())).collect()
    };
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|(values, tally)| {
            let values = known(values);
            let value = values.first().cloned().flatten();
            Group { value, values, measures: tally.measures() }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.measures.requests));
    let seconds = |at: i64| Timestamp::from_micros(at.saturating_mul(1_000_000));
    let points = sums.iter().filter_map(|((start, values), tally)| {
        let values = known(values);
        Some(Point {
            start: seconds((*start)?),
            value: values.first().cloned(),
            values,
            measures: tally.measures(),
        })
    });
    Ok(Metrics {
        from: from.map(seconds),
        to: to.map(seconds),
        totals: totals.measures(),
        series: points.collect(),
        groups,
        truncated,
    })
}

fn floor_minute(micros: i64) -> i64 {
    let seconds = micros / 1_000_000;
    seconds - seconds % SPAN_MINUTE
}

fn step_of(query: &MetricsQuery, start: i64) -> Option<i64> {
    query.interval.map(|interval| start - start % interval.seconds())
}

fn from_rollups(
    connection: &Connection,
    query: &MetricsQuery,
    from: Option<i64>,
    to: Option<i64>,
    sums: &mut Sums,
) -> Answer<()> {
    let coarsest = match query.interval {
        None | Some(Interval::Day) => SPAN_DAY,
        Some(Interval::Hour) => SPAN_HOUR,
        Some(Interval::Minute) => SPAN_MINUTE,
    };
    for (span, first, end) in pieces(from.unwrap_or(0), to.unwrap_or(i64::MAX), coarsest) {
        read_span(connection, query, (span, first, end), sums)?;
    }
    Ok(())
}

/// Splits a range into days, and hours and minutes at its edges.
fn pieces(from: i64, to: i64, span: i64) -> Vec<(i64, i64, i64)> {
    if from >= to {
        return Vec::new();
    }
    let finer = match span {
        SPAN_DAY => SPAN_HOUR,
        SPAN_HOUR => SPAN_MINUTE,
        _ => return vec![(SPAN_MINUTE, from, to)],
    };
    let first = from.saturating_add(span - 1) / span * span;
    let end = if to == i64::MAX { to } else { to / span * span };
    if first >= end {
        return pieces(from, to, finer);
    }
    let mut all = pieces(from, first, finer);
    all.push((span, first, end));
    all.extend(pieces(end, to, finer));
    all
}

fn read_span(
    connection: &Connection,
    query: &MetricsQuery,
    (span, first, end): (i64, i64, i64),
    sums: &mut Sums,
) -> Answer<()> {
    let needed = Dimension::ALL.iter().enumerate().fold(0_u8, |mask, (at, dimension)| {
        let used = query.filter(*dimension).is_some() || query.group_by.contains(dimension);
        mask | u8::from(used) << at
    });
    let mut all = Conditions::default();
    all.add("span = ?", [Value::Integer(span)]);
    all.add("dims = ?", [Value::Integer(mask_for(needed, span).into())]);
    all.add("start >= ?", [Value::Integer(first)]);
    all.add("start < ?", [Value::Integer(end)]);
    for dimension in Dimension::ALL {
        all.equal(dimension.as_str(), query.filter(dimension).map(ToOwned::to_owned));
    }
    let group = |at: usize| query.group_by.get(at).map_or("''", |dimension| dimension.as_str());
    let sql = format!(
        "SELECT start, {}, requests, running, errors, blocked, escalated, input_tokens, \
         output_tokens, total_tokens, cost_pico, cost_unknown, latency, {} FROM rollups{}",
        group(0),
        group(1),
        all.clause()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(all.values()))?;
    while let Some(row) = rows.next()? {
        let key = (step_of(query, row.get(0)?), [row.get(1)?, row.get(13)?]);
        add_row(sums.entry(key).or_default(), row)?;
        bound(sums)?;
    }
    Ok(())
}

fn bound(sums: &Sums) -> Answer<()> {
    if sums.len() > POINTS_MAX {
        return Err(Failure::Ours(Error::BadQuery(format!(
            "the series has more than {POINTS_MAX} points; take a wider interval or a shorter range"
        ))));
    }
    Ok(())
}

/// Adds the sums in columns 2 to 12.
pub fn add_row(tally: &mut Tally, row: &Row<'_>) -> rusqlite::Result<()> {
    tally.requests += row.get::<_, i64>(2)?;
    tally.running += row.get::<_, i64>(3)?;
    tally.errors += row.get::<_, i64>(4)?;
    tally.blocked += row.get::<_, i64>(5)?;
    tally.escalated += row.get::<_, i64>(6)?;
    tally.input_tokens += row.get::<_, i64>(7)?;
    tally.output_tokens += row.get::<_, i64>(8)?;
    tally.total_tokens += row.get::<_, i64>(9)?;
    tally.cost_pico += i128::from(row.get::<_, i64>(10)?);
    tally.cost_unknown += row.get::<_, i64>(11)?;
    tally.latency.merge_bytes(row.get_ref(12)?.as_blob()?);
    Ok(())
}

fn from_base(
    connection: &Connection,
    query: &MetricsQuery,
    from: Option<i64>,
    to: Option<i64>,
    sums: &mut Sums,
) -> Answer<bool> {
    base_rows(connection, query, from, to, |decision| {
        let value = |at: usize| {
            let value = query.group_by.get(at).and_then(|dimension| dimension.of(decision));
            value.unwrap_or_default().to_owned()
        };
        let start = step_of(query, decision.timestamp.as_micros() / 1_000_000);
        let key = (start, [value(0), value(1)]);
        sums.entry(key).or_default().count(decision, 1);
        bound(sums)
    })
}

/// Reads the decisions that a query sums, newest first; true where a bound cut them off.
pub fn base_rows(
    connection: &Connection,
    query: &MetricsQuery,
    from: Option<i64>,
    to: Option<i64>,
    mut take: impl FnMut(&Decision) -> Answer<()>,
) -> Answer<bool> {
    let key = |seconds: i64| {
        Value::Integer(keys::first_of(Timestamp::from_micros(seconds.saturating_mul(1_000_000))))
    };
    let mut all = Conditions::default();
    all.equal("user_id", query.user_id.clone());
    if let Some(from) = from {
        all.add("_row >= ?", [key(from)]);
    }
    if let Some(to) = to {
        all.add("_row < ?", [key(to)]);
    }
    let index = if query.user_id.is_some() { " INDEXED BY audit_logs_user_id" } else { "" };
    let sql = format!(
        "SELECT {} FROM audit_logs{index}{} ORDER BY _row DESC LIMIT {}",
        decision_row::COLUMNS,
        all.clause(),
        BASE_ROWS_MAX + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(all.values()))?;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        read += 1;
        if read > BASE_ROWS_MAX {
            return Ok(true);
        }
        let (decision, _) = decision_row::read(row)?;
        let fits = |dimension: &Dimension| {
            query.filter(*dimension).is_none_or(|value| dimension.of(&decision) == Some(value))
        };
        if Dimension::ALL.iter().all(fits) {
            take(&decision)?;
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_split_without_gap_or_overlap() {
        let cases = [(60, 600), (0, i64::MAX), (86_340, 3 * 86_400 + 60), (3_540, 7_260)];
        for (from, to) in cases {
            for span in [SPAN_MINUTE, SPAN_HOUR, SPAN_DAY] {
                let pieces = pieces(from, to, span);
                assert_eq!(pieces.first().unwrap().1, from);
                assert_eq!(pieces.last().unwrap().2, to);
                for pair in pieces.windows(2) {
                    assert_eq!(pair[0].2, pair[1].1);
                }
                for (span, first, end) in pieces {
                    assert!(first % span == 0 && (end % span == 0 || end == i64::MAX));
                }
            }
        }
        let split = pieces(86_340, 3 * 86_400 + 60, SPAN_DAY);
        let spans: Vec<i64> = split.iter().map(|(span, _, _)| *span).collect();
        assert_eq!(spans, [SPAN_MINUTE, SPAN_DAY, SPAN_MINUTE]);
    }
}
