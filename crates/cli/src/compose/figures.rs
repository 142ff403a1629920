//! Figures for Prometheus: those that have to be looked up, once a second.

use crate::failure::{Failure, Outcome};
use journal::{Position, Progress};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use recorder::Recorder;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(1);
/// Upper bounds of latencies, in seconds.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0, 60.0,
];

/// What is looked up.
#[derive(Debug)]
pub struct Figures {
    /// The write path.
    pub recorder: Recorder,
    /// Acknowledged.
    pub progress: watch::Receiver<Progress>,
    /// Indexed.
    pub indexed: watch::Receiver<Option<Position>>,
    /// Sealed.
    pub sealed: watch::Receiver<u64>,
}

/// Starts collecting for the whole process.
pub fn install() -> Outcome<PrometheusHandle> {
    let failure = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("figures cannot be collected: {error}"))
    };
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(|error| failure(&error))?
        .install_recorder()
        .map_err(|error| failure(&error))?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!("audit_layer_requests_total", "Calls that went to a provider, by status");
    describe_counter!("audit_layer_refusals_total", "Calls that were refused, by code");
    describe_counter!(
        "audit_layer_target_attempts_total",
        "Attempts at targets of models, by result"
    );
    describe_gauge!("audit_layer_target_up", "1: called, 0: left alone, 0.5: one call tries");
    describe_gauge!("audit_layer_target_in_flight", "Calls under way at a target");
    describe_histogram!("audit_layer_request_seconds", Unit::Seconds, "Calls, from arrival to end");
    describe_histogram!(
        "audit_layer_overhead_seconds",
        Unit::Seconds,
        "The part of a call that is not the provider's"
    );
    describe_gauge!("audit_layer_journal_commits", "Batches written and acknowledged");
    describe_gauge!("audit_layer_journal_leaves", "Records in them");
    describe_gauge!("audit_layer_journal_bytes", Unit::Bytes, "Bytes in them");
    describe_gauge!("audit_layer_journal_sync_p50_seconds", "fdatasync of a batch, median");
    describe_gauge!(
        "audit_layer_journal_sync_p99_seconds",
        "fdatasync of a batch, 99th percentile"
    );
    describe_gauge!("audit_layer_journal_batch_records_p50", "Appends in a batch, median");
    describe_gauge!("audit_layer_journal_queue", "Appends that wait");
    describe_gauge!("audit_layer_journal_poisoned", "1 after a failed write or sync");
    describe_gauge!("audit_layer_journal_unsynced", "1 while acknowledged records are not on disk");
    describe_gauge!("audit_layer_oldest_unsynced_seconds", "Age of the oldest record not on disk");
    describe_gauge!("audit_layer_index_lag_bytes", Unit::Bytes, "Journal that is not indexed yet");
    describe_gauge!("audit_layer_index_lag_seconds", "How long the index has been behind");
    describe_gauge!("audit_layer_unsealed_leaves", "Records that no checkpoint covers yet");
    describe_gauge!("audit_layer_open_calls", "Calls whose outcome is not recorded yet");
}

// === impl Figures ===

impl Figures {
    /// Looks up, each second, until dropped.
    pub async fn follow(self, handle: PrometheusHandle) {
        let (mut indexed_at, mut synced_at) = (Timer::default(), Timer::default());
        loop {
            self.journal();
            let progress = *self.progress.borrow();
            let indexed = *self.indexed.borrow();
            let behind = indexed.is_none_or(|at| at < progress.end);
            gauge("audit_layer_index_lag_seconds", indexed_at.since(behind));
            gauge("audit_layer_index_lag_bytes", lag_bytes(indexed, progress.end));
            let unsynced = progress.durable < progress.end;
            gauge("audit_layer_journal_unsynced", f64::from(u8::from(unsynced)));
            gauge("audit_layer_oldest_unsynced_seconds", synced_at.since(unsynced));
            let unsealed = progress.next_seq.saturating_sub(*self.sealed.borrow());
            gauge("audit_layer_unsealed_leaves", unsealed as f64);
            gauge("audit_layer_open_calls", self.recorder.open_call_count() as f64);
            handle.run_upkeep();
            tokio::time::sleep(EVERY).await;
        }
    }

    fn journal(&self) {
        let stats = self.recorder.journal().stats();
        gauge("audit_layer_journal_commits", stats.commits as f64);
        gauge("audit_layer_journal_leaves", stats.leaves as f64);
        gauge("audit_layer_journal_bytes", stats.bytes as f64);
        gauge("audit_layer_journal_queue", stats.queued as f64);
        gauge("audit_layer_journal_poisoned", f64::from(u8::from(stats.poisoned)));
        let sync = |q: f64| stats.sync_micros.quantile(q) as f64 / 1e6;
        gauge("audit_layer_journal_sync_p50_seconds", sync(0.5));
        gauge("audit_layer_journal_sync_p99_seconds", sync(0.99));
        gauge("audit_layer_journal_batch_records_p50", stats.batch_appends.quantile(0.5) as f64);
    }
}

/// Since when something has been so.
#[derive(Debug, Default)]
struct Timer(Option<tokio::time::Instant>);

impl Timer {
    fn since(&mut self, holds: bool) -> f64 {
        self.0 = holds.then(|| self.0.unwrap_or_else(tokio::time::Instant::now));
        self.0.map_or(0.0, |since| since.elapsed().as_secs_f64())
    }
}

fn gauge(name: &'static str, value: f64) {
    metrics::gauge!(name).set(value);
}

/// Exact within a segment; a lower bound across segments.
fn lag_bytes(indexed: Option<Position>, end: Position) -> f64 {
    match indexed {
        Some(at) if (at.epoch, at.segment) == (end.epoch, end.segment) => {
            end.offset.saturating_sub(at.offset) as f64
        }
        _ => end.offset as f64,
    }
}
