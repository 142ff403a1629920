//! Measures indexing and queries and prints JSON: `index_rate [DECISIONS] [FILE] [DAYS]` indexes
//! made-up decisions (two records, four events, previews of 200 characters each), spread over so
//! many days, in batches of 2,000, then asks what lists and dashboards ask.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own")]

mod made_up;

use index::{
    DecisionFilter, Dimension, IndexReader, IndexWriter as _, Interval, MetricsQuery, Page,
    ProjectedRecord, SessionFilter, SqlLimits, StatusFilter,
};
use index_sqlite::{Rebuild, SqliteReader, SqliteWriter};
use made_up::{MadeUp, START_MICROS};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Error = Box<dyn std::error::Error>;
type Query<'q> = Box<dyn Fn(&SqliteReader, u64) -> index::Result<()> + 'q>;

const BATCH_DECISIONS: u64 = 2_000;
const ROUNDS: u64 = 40;

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let decisions: u64 = args.next().map_or(Ok(100_000), |text| text.parse())?;
    let path =
        args.next().map_or_else(|| std::env::temp_dir().join("index_rate.db"), PathBuf::from);
    let days: i64 = args.next().map_or(Ok(30), |text| text.parse())?;
    for suffix in ["", "-wal", "-shm"] {
        let _gone = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let mut source = MadeUp::new(days * 86_400_000_000 / i64::try_from(decisions)?, 0);
    let indexing = index_all(&mut source, &path, decisions)?;
    let reader = SqliteReader::open(&path)?;
    let queries = measure_queries(&reader, &source, decisions, days)?;
    let bytes = std::fs::metadata(&path)?.len();
    let report = json!({
        "decisions": decisions,
        "days": days,
        "indexing": indexing,
        "indexing_beside_load": beside_load(&path.with_extension("load"), decisions.min(200_000))?,
        "file_bytes": bytes,
        "queries_ms": queries,
        "rebuilding": rebuild(&path.with_extension("rebuilt"), decisions.min(200_000), days)?,
    });
    println!("{report}");
    Ok(())
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanos)
}

fn per_second(decisions: u64, time: Duration) -> f64 {
    (decisions as f64 / time.as_secs_f64()).round()
}

fn index_all(source: &mut MadeUp, path: &Path, decisions: u64) -> Result<Value, Error> {
    let mut writer = SqliteWriter::open(path)?;
    let (mut wall, mut processor, mut slowest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut curve = Vec::new();
    let mut done = 0;
    while done < decisions {
        let count = BATCH_DECISIONS.min(decisions - done);
        let batch: Vec<ProjectedRecord> = source.by_ref().take(count as usize * 2).collect();
        let cursor = batch.last().ok_or("nothing made up")?.next.clone();
        let (began, processor_began) = (Instant::now(), processor_time());
        writer.apply(&batch, &cursor)?;
        let took = began.elapsed();
        processor += processor_time().saturating_sub(processor_began);
        wall += took;
        slowest = slowest.max(took);
        done += count;
        if done * 10 / decisions > (done - count) * 10 / decisions {
            curve.push(per_second(done, wall));
        }
    }
    Ok(json!({
        "decisions_per_second": per_second(decisions, wall),
        "decisions_per_processor_second": per_second(decisions, processor),
        "slowest_batch_ms": slowest.as_millis() as u64,
        "per_second_after_each_tenth": curve,
    }))
}

/// Calls as they happen: 5,000 a second, each a second long, so that a call's records lie in
/// different batches.
fn beside_load(path: &Path, decisions: u64) -> Result<Value, Error> {
    let measured = index_all(&mut MadeUp::new(200, 5_000), path, decisions)?;
    for suffix in ["", "-wal", "-shm"] {
        let _gone = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    Ok(measured)
}

fn rebuild(path: &Path, decisions: u64, days: i64) -> Result<Value, Error> {
    let mut source = MadeUp::new(days * 86_400_000_000 / i64::try_from(decisions)?, 0);
    let mut rebuild = Rebuild::start(path)?;
    let mut wall = Duration::ZERO;
    for _ in 0..decisions.div_ceil(BATCH_DECISIONS) {
        let batch: Vec<ProjectedRecord> =
            source.by_ref().take(BATCH_DECISIONS as usize * 2).collect();
        let cursor = batch.last().ok_or("nothing made up")?.next.clone();
        let began = Instant::now();
        index::IndexWriter::apply(&mut rebuild, &batch, &cursor)?;
        wall += began.elapsed();
    }
    let began = Instant::now();
    rebuild.finish()?;
    wall += began.elapsed();
    std::fs::remove_file(path)?;
    Ok(json!({ "decisions": decisions, "decisions_per_second": per_second(decisions, wall) }))
}

fn measure_queries(
    reader: &SqliteReader,
    source: &MadeUp,
    decisions: u64,
    days: i64,
) -> Result<Value, Error> {
    let mut all = serde_json::Map::new();
    for (name, query) in queries(source, decisions, days) {
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let began = Instant::now();
            query(reader, round)?;
            times.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = ((times.len() - 1) as f64 * share).round() as usize;
            (times[place] * 100.0).round() / 100.0
        };
        let summary = json!({ "p50": at(0.5), "p95": at(0.95), "max": at(1.0) });
        all.insert(name.to_owned(), summary);
    }
    Ok(all.into())
}

#[expect(clippy::unnecessary_wraps, reason = "filters hold options")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn lists() -> Vec<(&'static str, DecisionFilter)> {
    vec![
        ("list", DecisionFilter::default()),
        ("list by source", DecisionFilter { source: some("app-3"), ..<_>::default() }),
        ("list by user", DecisionFilter { user_id: some("user-77"), ..<_>::default() }),
        ("list by model", DecisionFilter { model: some("mistral-8b"), ..<_>::default() }),
        (
            "list by status",
            DecisionFilter { status: Some(StatusFilter::Class(5)), ..<_>::default() },
        ),
        (
            "list by source, outcome, status and latency",
            DecisionFilter {
                source: some("app-3"),
                outcome: some("FLAG"),
                status: Some(StatusFilter::Code(429)),
                min_latency_ms: Some(1_500.0),
                ..<_>::default()
            },
        ),
        ("list of nothing", DecisionFilter { provider: some("none"), ..<_>::default() }),
        ("search of a rare word", DecisionFilter { q: "退款申请".parse().ok(), ..<_>::default() }),
        (
            "search of two common words",
            DecisionFilter { q: "refund hotel".parse().ok(), ..<_>::default() },
        ),
    ]
}

fn sums() -> Vec<(&'static str, MetricsQuery)> {
    vec![
        ("metrics", MetricsQuery::default()),
        ("metrics by day", MetricsQuery { interval: Some(Interval::Day), ..<_>::default() }),
        ("metrics by hour", MetricsQuery { interval: Some(Interval::Hour), ..<_>::default() }),
        (
            "metrics by model and day",
            MetricsQuery {
                interval: Some(Interval::Day),
                group_by: vec![Dimension::Model],
                ..<_>::default()
            },
        ),
        (
            "metrics by model of a source",
            MetricsQuery {
                source: some("app-3"),
                group_by: vec![Dimension::Model],
                ..<_>::default()
            },
        ),
        ("metrics of a user", MetricsQuery { user_id: some("user-77"), ..<_>::default() }),
    ]
}

fn queries<'q>(source: &'q MadeUp, decisions: u64, days: i64) -> Vec<(&'static str, Query<'q>)> {
    let mut all: Vec<(&str, Query<'q>)> = Vec::new();
    for (name, filter) in lists() {
        let ask = move |reader: &SqliteReader, round: u64| {
            // First pages, and pages from the middle of the time.
            let mut filter = filter.clone();
            if round % 2 == 1 {
                let share = days * 86_400_000_000 / ROUNDS as i64 * round as i64;
                filter.to = Some(event::Timestamp::from_micros(START_MICROS + share));
            }
            reader.list(&filter, &Page::default()).map(drop)
        };
        all.push((name, Box::new(ask)));
    }
    for (name, query) in sums() {
        all.push((name, Box::new(move |reader, _| reader.metrics(&query).map(drop))));
    }
    let pick = move |round: u64| round * 7_919 % decisions;
    all.push((
        "one decision with events and records",
        Box::new(move |reader, round| {
            let id = source.decision_id(pick(round));
            reader.decision(id)?;
            reader.events_of(id)?;
            reader.records(id).map(drop)
        }),
    ));
    all.push((
        "one trace",
        Box::new(move |reader, round| reader.trace(MadeUp::trace_id(pick(round))).map(drop)),
    ));
    all.push((
        "by request id",
        Box::new(move |reader, round| {
            reader.by_request_id(&MadeUp::request_id(pick(round))).map(drop)
        }),
    ));
    all.push((
        "sessions",
        Box::new(|reader, _| {
            reader.sessions(&SessionFilter::default(), &Page::default()).map(drop)
        }),
    ));
    all.push((
        "sql: events of a user",
        Box::new(|reader, _| {
            let sql = "SELECT * FROM audit_events WHERE event_data->>'user_id' = 'user-77' \
                ORDER BY timestamp DESC LIMIT 100";
            reader.sql(sql, &[], &SqlLimits::default()).map(drop)
        }),
    ));
    all
}
