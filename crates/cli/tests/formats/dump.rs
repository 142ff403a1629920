//! What a data directory says, as the commands tell it.

use recorder::RecordReader;
use seal::{KeyRing, LocalKeyFile};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const CALLS: &str = "SELECT id, timestamp, trace_id, request_id, origin, session_id, source, \
    user_id, decision_type, provider, model, model_requested, method, path, status_code, outcome, \
    ending, finish_reason, latency_ms, ttft_ms, input_tokens, output_tokens, total_tokens, \
    usage_origin, cost_usd, prompt_preview, response_preview, review_status, streamed \
    FROM audit_logs WHERE timestamp < 'UNTIL' AND request_id <> 'ask-held' ORDER BY id";

/// Longer bodies are told by their hash.
const BODY_BYTES_MAX: usize = 1_024;

/// Runs a command on a data directory that no server has.
pub fn run(binary: &Path, data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary);
    command.args(arguments).arg("--data").arg(data);
    let output = command.output().expect("the binary can be run");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code(), if text.is_empty() { errors } else { text })
}

fn json_of(binary: &Path, data: &Path, arguments: &[&str]) -> Value {
    let (code, text) = run(binary, data, &[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// Verifies everything, bodies too: what was checked.
pub fn verified(binary: &Path, data: &Path) -> Value {
    let report = json_of(binary, data, &["verify"]);
    assert_eq!(report["ok"], true, "{report}");
    let logs =
        report["logs"].as_array().expect("logs").iter().map(
            |log| json!({"epoch": log["epoch"], "leaves": log["leaves"], "root": log["root"]}),
        );
    json!({"records": report["records"], "events": report["events"], "parts": report["parts"],
        "logs": logs.collect::<Vec<_>>()})
}

/// Reads everything back: events and bodies from the journal, and calls from an index that is
/// built again.
pub fn read(binary: &Path, data: &Path, until: &str) -> Value {
    let (events, bodies) = records(data);
    let (code, text) = run(binary, data, &["rebuild"]);
    assert_eq!(code, Some(0), "{text}");
    let calls = json_of(binary, data, &["sql", &CALLS.replace("UNTIL", until)])["rows"].clone();
    json!({"bodies": bodies, "calls": calls, "events": events})
}

/// Every event of every record, and every body; of a long one its SHA-256.
fn records(data: &Path) -> (Vec<Value>, Vec<Value>) {
    let provider = LocalKeyFile::load(&data.join("keys")).expect("keys");
    let keys = KeyRing::open_read_only(&data.join("subjects.db"), Arc::new(provider));
    let (keys, journal) = (keys.expect("subject keys"), data.join("journal"));
    let mut records = RecordReader::open(&journal, None, true).expect("a journal");
    let (mut events, mut bodies) = (Vec::new(), Vec::new());
    while let Some(record) = records.next(None).expect("a record") {
        let (leaf, tenant) = (&record.leaf, &record.leaf.tenant);
        let opened = record.opened(tenant, &keys).expect("events");
        assert_eq!(opened.erased_groups, 0, "nobody was erased");
        for event in &opened.events {
            events.push(
                json!({"component": event.component, "data": event.data.to_json().expect("JSON"),
                "event_id": event.event_id.to_string(), "event_type": event.event_type().as_str(),
                "origin": leaf.origin, "request_id": opened.request_id, "seq": leaf.seq,
                "timestamp": event.timestamp}),
            );
        }
        for body in record.bodies(&journal, tenant, &keys).expect("bodies") {
            bodies.push(json!({"attempt": body.attempt, "body": brief(body.bytes.expect("kept")),
                "record": leaf.record_id.to_string(), "role": body.role.as_str()}));
        }
    }
    (events, bodies)
}

fn brief(body: Vec<u8>) -> String {
    match String::from_utf8(body) {
        Ok(text) if text.len() <= BODY_BYTES_MAX => text,
        other => {
            let bytes =
                other.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
            format!("{} bytes, sha256:{}", bytes.len(), hex::encode(digest))
        }
    }
}
