//! The roll-ups as they are kept, for a verifier.

use crate::metrics::add_row;
use crate::pool::Answer;
use crate::rollup::{DIMS_ALL, DIMS_COARSE, SPAN_DAY, SPAN_HOUR, SPAN_MINUTE};
use event::Timestamp;
use index::{Interval, KeptSums, SumKey, SumKind, Tally};
use rusqlite::Connection;

const DAYS: &str = "SELECT DISTINCT start - start % 86400 FROM rollups ORDER BY 1";
const OF_DAY: &str = "SELECT span, dims, requests, running, errors, blocked, escalated, \
    input_tokens, output_tokens, total_tokens, cost_pico, cost_unknown, latency, start, source, \
    model, provider, decision_type, outcome FROM rollups \
    WHERE span = ?1 AND dims = ?2 AND start >= ?3 AND start < ?4";
/// Rows that belong to no kind, of whatever span and dimensions.
const STRAY: &str = "SELECT COUNT(*) FROM rollups WHERE start >= ?1 AND start < ?2 \
    AND NOT (span = 60 AND dims = 31) \
    AND NOT (span IN (3600, 86400) AND dims IN (0, 1, 2, 4, 8, 16, 31))";

/// The days of which there are rows.
pub fn days(connection: &Connection) -> Answer<Vec<Timestamp>> {
    let mut statement = connection.prepare_cached(DAYS)?;
    let days = statement.query_map([], |row| row.get::<_, i64>(0))?;
    let seconds = |at: i64| Timestamp::from_micros(at.saturating_mul(1_000_000));
    Ok(days.map(|day| day.map(seconds)).collect::<Result<_, _>>()?)
}

/// The rows of the day that begins here.
pub fn of_day(connection: &Connection, day: Timestamp) -> Answer<KeptSums> {
    let from = day.as_micros() / 1_000_000;
    let to = from.saturating_add(SPAN_DAY);
    let mut kept = KeptSums::default();
    let coarse = [(Interval::Hour, SPAN_HOUR), (Interval::Day, SPAN_DAY)];
    let coarse = coarse.into_iter().flat_map(|(interval, span)| {
        DIMS_COARSE.map(|dimensions| (SumKind { interval, dimensions }, span))
    });
    let minute = SumKind { interval: Interval::Minute, dimensions: DIMS_ALL };
    let mut statement = connection.prepare_cached(OF_DAY)?;
    for (kind, span) in coarse.chain([(minute, SPAN_MINUTE)]) {
        kept.kinds.push(kind);
        let mut rows = statement.query((span, kind.dimensions, from, to))?;
        while let Some(row) = rows.next()? {
            let mut values: [String; 5] = Default::default();
            for (at, value) in values.iter_mut().enumerate() {
                *value = row.get(14 + at)?;
            }
            let mut tally = Tally::default();
            add_row(&mut tally, row)?;
            kept.sums.insert(SumKey { kind, start: row.get(13)?, values }, tally);
        }
    }
    let stray: i64 = connection.prepare_cached(STRAY)?.query_row([from, to], |row| row.get(0))?;
    if stray > 0 {
        let key = SumKey { kind: minute, start: from, values: Default::default() };
        // Nothing has such a key: it differs whatever is expected.
        kept.sums.insert(key, Tally { requests: stray, ..Tally::default() });
    }
    Ok(kept)
}
