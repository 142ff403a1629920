//! `kill -9` while deliveries come in: what was acknowledged is there, once, however often it is
//! delivered again.

use crate::support::{builder, verify};
use event::{EventData, Origin};
use recorder::RecordReader;
use seal::{KeyRing, LocalKeyFile};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::{AuditLayer, Client};
use tokio::sync::Notify;

const ROUNDS: u64 = 20;
const SENDERS: usize = 4;
const BATCH: u64 = 20;

fn batch(number: u64) -> Value {
    let item = |index: u64| {
        json!({
            "id": format!("{number}-{index}"), "source": "billing", "decision_type": "ask",
            "user_id": format!("u-{}", (number * BATCH + index) % 97), "tokens_used": index,
            "request": {"path": "/v1/chat/completions", "body": {
                "model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}},
        })
    };
    (0..BATCH).map(item).collect()
}

/// Delivers a batch; the decision of each id that was acknowledged.
async fn deliver(
    client: &Client,
    api: &str,
    key: &str,
    number: u64,
) -> Option<HashMap<String, String>> {
    let request = http::Request::post(format!("{api}/api/v1/audit/log"))
        .header("authorization", format!("Bearer {key}"))
        .body(http_body_util::Full::new(batch(number).to_string().into()))
        .unwrap();
    let answer = client.send(request).await.ok()?.whole().await;
    if !answer.complete {
        return None;
    }
    assert_eq!(answer.status, 202, "{}", answer.text());
    let items = answer.json()["items"].as_array().unwrap().clone();
    let told = items.iter().map(|item| {
        let text = |name: &str| item[name].as_str().unwrap().to_owned();
        (text("id"), text("decision_id"))
    });
    Some(told.collect())
}

/// Sends one batch after the other until the server is gone; what was acknowledged, and the batch
/// of which nobody knows.
async fn send(
    (api, key): (String, String),
    numbers: Arc<AtomicU64>,
    acknowledged: Arc<Notify>,
) -> (HashMap<String, String>, u64) {
    let client = Client::new();
    let mut told = HashMap::new();
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        match deliver(&client, &api, &key, number).await {
            Some(some) => told.extend(some),
            None => return (told, number),
        }
        acknowledged.notify_one();
    }
}

async fn ingest_key(server: &AuditLayer) -> String {
    let made = server
        .run_json(&["keys", "create", "--source", "billing", "--scope", "ingest", "--json"])
        .await;
    made["key"].as_str().unwrap().to_owned()
}

/// How often each id is recorded, and for which decision.
fn recorded(data: &Path) -> HashMap<String, (usize, String)> {
    let provider = Arc::new(LocalKeyFile::load(&data.join("keys")).unwrap());
    let keys = KeyRing::open_read_only(&data.join("subjects.db"), provider).unwrap();
    let mut records = RecordReader::open(&data.join("journal"), None, false).unwrap();
    let mut found: HashMap<String, (usize, String)> = HashMap::new();
    while let Some(record) = records.next(None).unwrap() {
        if record.leaf.origin != Origin::Reported {
            continue;
        }
        for event in record.opened(&record.leaf.tenant, &keys).unwrap().events {
            if let EventData::ReportReceived(receipt) = event.data {
                let entry = found.entry(receipt.item_id.unwrap()).or_default();
                *entry = (entry.0 + 1, record.leaf.decision_id.to_string());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_report_is_lost_or_doubled_over_kills() {
    let mut server = builder().upstream("http://127.0.0.1:9").prepare();
    server.start().await;
    let key = ingest_key(&server).await;
    let numbers = Arc::new(AtomicU64::new(0));
    let mut told: HashMap<String, String> = HashMap::new();
    let mut unsure = HashSet::new();
    for round in 0..ROUNDS {
        let acknowledged = Arc::new(Notify::new());
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let place = (server.api_url().to_owned(), key.clone());
                tokio::spawn(send(place, numbers.clone(), acknowledged.clone()))
            })
            .collect();
        // Moments that differ without a random source.
        for _ in 0..=(round * 7 % 11) {
            acknowledged.notified().await;
        }
        server.kill().await;
        for sender in senders {
            let (more, last) = sender.await.unwrap();
            told.extend(more);
            unsure.insert(last);
        }
        server.start().await;
        if round % 5 == 4 {
            // What nobody knows is delivered again, and so is what is known.
            let client = Client::new();
            for number in unsure.drain().chain(0..3) {
                let again = deliver(&client, server.api_url(), &key, number).await.unwrap();
                for (id, decision) in again {
                    let before = told.entry(id.clone()).or_insert_with(|| decision.clone());
                    assert_eq!(*before, decision, "{id} was answered otherwise");
                }
            }
        }
    }
    assert!(server.stop().await.success());
    let found = recorded(server.data());
    assert!(told.len() as u64 > ROUNDS * BATCH, "too little was delivered: {}", told.len());
    for (id, decision) in &told {
        assert_eq!(found.get(id), Some(&(1, decision.clone())), "{id}");
    }
    for (id, (count, _)) in &found {
        assert_eq!(*count, 1, "{id} is recorded {count} times");
    }
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}
