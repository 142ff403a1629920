//! A server with a provider behind it, and what its journal says.

use event::{Decision, Origin};
use recorder::{Projector, RecordReader};
use rustix::process::{Pid, Signal, kill_process};
use seal::{KeyRing, LocalKeyFile};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use testkit::{Answer, AuditLayer, AuditLayerBuilder, Client};

pub fn builder() -> AuditLayerBuilder {
    AuditLayer::builder(env!("CARGO_BIN_EXE_audit-layer"))
}

pub fn chat(stream: bool) -> Value {
    json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
}

/// One call with these ids; none where the connection broke.
pub async fn call(client: &Client, url: &str, key: &str, id: &str, stream: bool) -> Option<Answer> {
    let request = http::Request::post(format!("{url}/v1/chat/completions"))
        .header("x-api-key", key)
        .header("x-llm-source", "finance-app")
        .header("x-llm-user", "u-42")
        .header("x-llm-request-type", "ask")
        .header("x-request-id", id)
        .header("content-type", "application/json")
        .body(http_body_util::Full::new(chat(stream).to_string().into()))
        .unwrap();
    let answer = client.send(request).await.ok()?.whole().await;
    answer.complete.then_some(answer)
}

/// A decision, and how many records it has.
pub struct Told {
    pub decision: Decision,
    pub records: usize,
}

/// Every observed decision in a data directory, by request id; no server may run.
pub fn decisions(data: &Path) -> HashMap<String, Told> {
    let provider = Arc::new(LocalKeyFile::load(&data.join("keys")).unwrap());
    let keys = KeyRing::open_read_only(&data.join("subjects.db"), provider).unwrap();
    let mut records = Projector::open(&data.join("journal"), None, &keys).unwrap();
    let mut told: HashMap<String, Told> = HashMap::new();
    while let Some(record) = records.next(None).unwrap() {
        if record.origin != Origin::Observed {
            continue;
        }
        let entry = told.entry(record.request_id.clone()).or_insert_with(|| Told {
            decision: Decision::new(
                record.decision_id,
                record.ts,
                record.trace_id,
                record.request_id.clone(),
                record.origin,
            ),
            records: 0,
        });
        assert_eq!(entry.decision.id, record.decision_id, "two decisions with one request id");
        entry.records += 1;
        record.events.iter().for_each(|event| entry.decision.apply(event));
    }
    told
}

/// The bodies of every observed decision in a data directory, by request id and role; no server
/// may run.
pub fn bodies(data: &Path) -> HashMap<String, HashMap<&'static str, Vec<u8>>> {
    let provider = Arc::new(LocalKeyFile::load(&data.join("keys")).unwrap());
    let keys = KeyRing::open_read_only(&data.join("subjects.db"), provider).unwrap();
    let journal = data.join("journal");
    let mut reader = RecordReader::open(&journal, None, false).unwrap();
    let mut found: HashMap<String, HashMap<&'static str, Vec<u8>>> = HashMap::new();
    while let Some(record) = reader.next(None).unwrap() {
        if record.leaf.origin != Origin::Observed {
            continue;
        }
        let mut here = RecordReader::open(&journal, Some(record.at), true).unwrap();
        let record = here.next(None).unwrap().unwrap();
        let opened = record.opened(&record.leaf.tenant, &keys).unwrap();
        let of = found.entry(opened.request_id).or_default();
        for body in record.bodies(&journal, &record.leaf.tenant, &keys).unwrap() {
            of.insert(body.role.as_str(), body.bytes.unwrap());
        }
    }
    found
}

/// Puts all of a database into its one file, so that it can be exchanged.
pub fn settle(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(checkpoint, [], |row| row.get::<_, i64>(0)).unwrap();
}

/// `kill -9` of the server itself (what is traced outlives its tracer), and waits until it is gone.
pub async fn kill(server: &AuditLayer) {
    let lock = server.data().join("lock");
    let Ok(pid) = std::fs::read_to_string(&lock) else { return };
    let pid = pid.trim().to_owned();
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let ours = String::from_utf8_lossy(&command).contains(server.data().to_str().unwrap());
    if ours {
        // It may end by itself meanwhile.
        let pid = pid.parse().ok().and_then(Pid::from_raw).unwrap();
        let _ = kill_process(pid, Signal::KILL);
    }
    let released = tokio::task::spawn_blocking(move || std::fs::File::open(lock)?.lock());
    released.await.unwrap().unwrap();
}

/// Runs `verify --json`; its exit code and report.
pub async fn verify(server: &AuditLayer, more: &[&str]) -> (i32, String) {
    let arguments: Vec<&str> =
        ["verify", "--json"].into_iter().chain(more.iter().copied()).collect();
    let output = server.run(&arguments).await;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap_or(-1), text)
}
