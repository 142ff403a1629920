//! Figures of the write path, in Prometheus' text format, beside the process's own.

use crate::state::Shared;
use journal::Histogram;
use std::fmt::Write;

/// All figures.
pub(crate) fn render(shared: &Shared) -> String {
    let mut out = (shared.parts.figures)();
    let recorder = &shared.parts.recorder;
    let stats = recorder.journal().stats();
    let progress = *shared.progress.borrow();
    let sealed = *shared.parts.sealed.borrow();
    let behind = progress.next_seq.saturating_sub(sealed);
    let indexed = shared.parts.indexed.borrow().is_some_and(|at| at >= progress.end);
    let keys = recorder.keys().stats();
    let figures: &[(&str, &str, &str, u64)] = &[
        ("journal_commits_total", "counter", "Batches written and acknowledged.", stats.commits),
        ("journal_records_total", "counter", "Records written.", stats.leaves),
        ("journal_bytes_total", "counter", "Bytes written to the journal.", stats.bytes),
        (
            "journal_refused_disk_full_total",
            "counter",
            "Appends refused: disk full.",
            stats.disk_full,
        ),
        ("journal_waits_total", "counter", "Commits that waited for space.", stats.waits),
        ("journal_queued", "gauge", "Appends that wait to be written.", stats.queued as u64),
        ("journal_poisoned", "gauge", "1 after a failed write or sync.", stats.poisoned.into()),
        (
            "journal_not_durable",
            "gauge",
            "1 while written records could be lost to a power cut.",
            u64::from(progress.durable < progress.end),
        ),
        ("ledger_unsealed_records", "gauge", "Records that no checkpoint covers yet.", behind),
        ("index_behind", "gauge", "1 while the index lacks a written record.", u64::from(!indexed)),
        (
            "open_calls",
            "gauge",
            "Calls whose outcome is not recorded yet.",
            recorder.open_call_count() as u64,
        ),
        ("subject_keys_created_total", "counter", "Subject keys made.", keys.created),
        (
            "subject_key_transactions_total",
            "counter",
            "Transactions of the key store.",
            keys.transactions,
        ),
    ];
    for (name, kind, help, value) in figures {
        figure(&mut out, name, kind, help, value);
    }
    histogram(&mut out, "journal_sync_seconds", "Time of a sync.", &stats.sync_micros, 1e6);
    histogram(&mut out, "journal_batch_appends", "Appends in a batch.", &stats.batch_appends, 1.0);
    out
}

fn figure(out: &mut String, name: &str, kind: &str, help: &str, value: &dyn std::fmt::Display) {
    // Writing into memory cannot fail.
    let _written = writeln!(
        out,
        "# HELP audit_layer_{name} {help}\n# TYPE audit_layer_{name} {kind}\naudit_layer_{name} {value}"
    );
}

fn histogram(out: &mut String, name: &str, help: &str, values: &Histogram, scale: f64) {
    let _written =
        writeln!(out, "# HELP audit_layer_{name} {help}\n# TYPE audit_layer_{name} histogram");
    let mut count = 0;
    for (power, in_bucket) in values.buckets.iter().enumerate() {
        count += in_bucket;
        let bound = 2_f64.powi(power as i32) / scale;
        let _written = writeln!(out, "audit_layer_{name}_bucket{{le=\"{bound}\"}} {count}");
    }
    let sum = values.sum as f64 / scale;
    let _written = writeln!(
        out,
        "audit_layer_{name}_bucket{{le=\"+Inf\"}} {count}\naudit_layer_{name}_sum {sum}\naudit_layer_{name}_count {count}"
    );
}
