//! Figures for Prometheus: those that have to be looked up, once a second.

use crate::failure::{Failure, Outcome};
use journal::{Position, Progress};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use recorder::Age;
use std::time::{Duration, Instant};
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
    /// Acknowledged.
    pub progress: watch::Receiver<Progress>,
    /// Indexed.
    pub indexed: watch::Receiver<Option<Position>>,
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
    describe_gauge!("audit_layer_oldest_unsynced_seconds", "Age of the oldest record not on disk");
    describe_gauge!("audit_layer_index_lag_bytes", Unit::Bytes, "Journal that is not indexed yet");
    describe_gauge!("audit_layer_index_lag_seconds", "Age of the oldest record not indexed");
}

// === impl Figures ===

impl Figures {
    /// Looks up, each second, until dropped.
    pub async fn follow(self, handle: PrometheusHandle) {
        let (mut index, mut disk) = (Age::default(), Age::default());
        loop {
            let progress = *self.progress.borrow();
            let indexed = *self.indexed.borrow();
            let now = Instant::now();
            gauge(
                "audit_layer_index_lag_seconds",
                index.of(progress.end, indexed, now).as_secs_f64(),
            );
            gauge("audit_layer_index_lag_bytes", lag_bytes(indexed, progress.end));
            let unsynced = disk.of(progress.end, Some(progress.durable), now).as_secs_f64();
            gauge("audit_layer_oldest_unsynced_seconds", unsynced);
            handle.run_upkeep();
            tokio::time::sleep(EVERY).await;
        }
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
