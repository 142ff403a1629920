//! What other systems report: read as the gateway reads, recorded once, answered item by item.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use axum::body::Body;
use common::{Answer, TestApp};
use http::Request;
use serde_json::{Value, json};
use std::io::Write;

const PATH: &str = "/api/v1/audit/log";

fn decision(id: &str) -> Value {
    json!({
        "id": id, "source": "billing", "user_id": "u-7", "decision_type": "ask",
        "provider": "openai", "model": "gpt-4o-2024-08-06", "duration_ms": 12.5,
        "tokens_used": 29, "estimated_cost": 1.2e-5, "prompt_preview": "Write to ana@example.com"
    })
}

/// A raw call to OpenAI, as its bodies were on the wire.
fn raw(id: &str) -> Value {
    let asked = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hi"}]}"#;
    let answered = r#"{"id": "c1", "object": "chat.completion", "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": "Hi!"}}],
        "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}}"#;
    json!({
        "id": id, "source": "billing", "user_id": "u-7", "decision_type": "ask",
        "provider": "openai", "latency_ms": 812, "timestamp": "2026-11-20T10:00:00Z",
        "request": {"method": "POST", "path": "/v1/chat/completions", "body": asked,
                    "headers": {"authorization": "Bearer sk-1", "accept": "*/*"}},
        "response": {"status_code": 200, "body": answered}
    })
}

async fn packed(app: &TestApp, key: &str, encoding: &str, bytes: Vec<u8>) -> Answer {
    let request = Request::post(PATH)
        .header("authorization", format!("Bearer {key}"))
        .header("content-encoding", encoding)
        .body(Body::from(bytes));
    app.call(request.unwrap()).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn detail(app: &TestApp, id: &Value) -> Value {
    let uri = format!("/api/v1/audit/logs/{}", id.as_str().unwrap());
    app.get(&app.admin(), &uri).await.ok().json()
}

#[tokio::test]
async fn raw_bodies_are_read_as_the_gateway_reads_them() {
    let app = TestApp::new().await;
    let key = app.ingest_key(None);
    let answer = app.post(&key, PATH, raw("c-1")).await.ok();
    assert_eq!(answer.status, 202);
    let answer = answer.json();
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(1), &json!(0)));
    let item = &answer["items"][0];
    assert_eq!((&item["id"], &item["status"]), (&json!("c-1"), &json!(202)));
    let found = detail(&app, &item["decision_id"]).await;
    for (name, expected) in [
        ("origin", json!("reported")),
        ("source", json!("billing")),
        ("user_id", json!("u-7")),
        ("timestamp", json!("2026-11-20T10:00:00.000000Z")),
        ("model", json!("gpt-4o-2024-08-06")),
        ("model_requested", json!("gpt-4o")),
        ("input_tokens", json!(19)),
        ("total_tokens", json!(29)),
        ("usage_origin", json!("provider")),
        ("cost_usd", json!("0.0001475")),
        ("finish_reason", json!("stop")),
        ("prompt_preview", json!("Say hi")),
        ("response_preview", json!("Hi!")),
        ("status_code", json!(200)),
        ("streamed", json!(false)),
    ] {
        assert_eq!(found[name], expected, "{name}");
    }
    assert_eq!(found["request"]["body"]["data"], raw("")["request"]["body"]);
    assert_eq!(found["response"]["body"]["data"], raw("")["response"]["body"]);
    assert_eq!(found["request"]["headers"][1], json!(["authorization", "***"]));
    let events = found["events"].as_array().unwrap();
    let receipt = &events.last().unwrap()["event_data"];
    assert_eq!(receipt["item_id"], "c-1");
    assert_eq!(receipt["sender_address"], "192.0.2.9");
    assert!(receipt["clock_skew_ms"].as_i64().unwrap() > 0);
    assert!(receipt["received_at"].as_str().unwrap() > "2026-11-20");
    assert!(events.iter().all(|event| event["component"] == "sdk"));
}

#[tokio::test]
async fn names_of_the_seeds_are_taken_and_others_are_kept() {
    let app = TestApp::new().await;
    let key = app.ingest_key(None);
    let mut item = decision("d-1");
    item["team"] = json!("blue");
    let answer = app.post(&key, PATH, item).await.ok().json();
    assert_eq!(answer["items"][0]["unknown_fields"], json!(["team"]));
    let found = detail(&app, &answer["items"][0]["decision_id"]).await;
    for (name, expected) in [
        ("latency_ms", json!(12.5)),
        ("total_tokens", json!(29)),
        ("cost_usd", json!("0.000012")),
        ("usage_origin", json!("reported")),
        ("prompt_preview", json!("Write to <EMAIL_1>")),
        ("request_id", json!("d-1")),
    ] {
        assert_eq!(found[name], expected, "{name}");
    }
    let events = found["events"].as_array().unwrap();
    assert_eq!(events.last().unwrap()["event_data"]["attributes"]["team"], "blue");
}

#[tokio::test]
async fn a_second_delivery_answers_the_same_and_changes_nothing() {
    let app = TestApp::new().await;
    let (key, other) = (app.ingest_key(None), app.ingest_key(None));
    let batch = json!([decision("a"), raw("b"), decision("a")]);
    let first = app.post(&key, PATH, batch.clone()).await.ok().json();
    assert_eq!(app.reported(), 2);
    assert_eq!(first["items"][0]["decision_id"], first["items"][2]["decision_id"]);
    assert_eq!(app.post(&key, PATH, batch.clone()).await.ok().json(), first);
    // Written down otherwise, and sent at another time, it is the same.
    let text = "[{\"sent_at\":\"2026-11-21T00:00:00Z\",".to_owned()
        + &decision("a").to_string()[1..]
        + "]";
    let again = packed(&app, &key, "identity", text.into_bytes()).await.ok().json();
    assert_eq!(again["items"][0]["decision_id"], first["items"][0]["decision_id"]);
    assert_eq!(app.reported(), 2);
    // Ids are each sender's own.
    app.post(&other, PATH, decision("a")).await.ok();
    assert_eq!(app.reported(), 3);
    let mut changed = decision("a");
    changed["model"] = json!("gpt-4");
    let answer = app.post(&key, PATH, json!([changed, decision("c")])).await.ok().json();
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(1), &json!(1)));
    assert_eq!(answer["items"][0]["status"], 409);
    assert_eq!(answer["items"][0]["code"], "id_conflict");
    assert_eq!(app.post(&key, PATH, changed).await.problem(), "id_conflict");
    assert_eq!(app.reported(), 4);
}

#[tokio::test]
async fn rotated_keys_are_one_sender() {
    let app = TestApp::new().await;
    let key = app.ingest_key(None);
    let first = app.post(&key, PATH, decision("a")).await.ok().json();
    let id = app.control.list_keys().unwrap()[0].id.clone();
    for _ in 0..2 {
        let newest = app.control.list_keys().unwrap()[0].id.clone();
        app.control.rotate_key(&newest, std::time::Duration::from_secs(60)).unwrap();
    }
    assert_eq!(app.control.first_key(&app.control.list_keys().unwrap()[0].id).unwrap(), id);
    let newest = app.control.list_keys().unwrap()[0].id.clone();
    let rotated = app.control.rotate_key(&newest, std::time::Duration::ZERO).unwrap().secret;
    assert_eq!(app.post(&rotated, PATH, decision("a")).await.ok().json(), first);
}

#[tokio::test]
async fn what_was_delivered_is_known_after_a_restart_and_without_the_file() {
    let mut app = TestApp::new().await;
    let key = app.ingest_key(None);
    let events = json!([
        {"id": "e-1", "event_type": "request_received", "decision_id": "call-1", "source": "s",
         "user_id": "u", "event_data": {"model": "m"}},
    ]);
    let batch = json!([decision("a"), raw("b")]);
    let first = app.post(&key, PATH, batch.clone()).await.ok().json();
    let event = app.post(&key, PATH, events.clone()).await.ok().json();
    for remove in [false, true, false] {
        app = app
            .again(|data| {
                if remove {
                    std::fs::remove_file(data.join("ingest.db")).unwrap();
                }
            })
            .await;
        assert_eq!(app.post(&key, PATH, batch.clone()).await.ok().json(), first);
        assert_eq!(app.post(&key, PATH, events.clone()).await.ok().json(), event);
        assert_eq!(app.reported(), 3);
    }
    let more = json!({"id": "e-2", "event_type": "request_completed", "decision_id": "call-1",
                      "event_data": {"status_code": 200, "model": "m-1"}});
    let more = app.post(&key, PATH, more).await.ok().json();
    let decision = &more["items"][0]["decision_id"];
    assert_eq!(*decision, event["items"][0]["decision_id"]);
    let found = detail(&app, decision).await;
    assert_eq!(found["integrity"]["records"].as_array().unwrap().len(), 2);
    assert_eq!((&found["model"], &found["model_requested"]), (&json!("m-1"), &json!("m")));
    let proof = format!("/api/v1/audit/logs/{}/proof", decision.as_str().unwrap());
    app.get(&app.admin(), &proof).await.ok();
}

#[tokio::test]
async fn bad_items_are_named_and_good_ones_kept() {
    let app = TestApp::new().await;
    let key = app.ingest_key(None);
    let with = |name: &str, value: Value| {
        let mut item = decision(name);
        item[name] = value;
        item
    };
    let bad = [
        ("source", with("source", json!(null))),
        ("user_id", with("user_id", json!("undefined"))),
        ("decision_type", with("decision_type", json!(7))),
        ("latency_ms", with("latency_ms", json!("fast"))),
        ("timestamp", with("timestamp", json!("yesterday"))),
        ("timestamp", with("timestamp", json!("2999-01-01T00:00:00Z"))),
        ("status_code", with("status_code", json!(999))),
        ("cost_usd", with("cost_usd", json!(-1))),
        ("tokens_used", with("tokens_used", json!(1.5))),
        ("outcome", with("outcome", json!("MAYBE"))),
        ("trace_id", with("trace_id", json!("t"))),
        ("hash", with("hash", json!("sha256:00"))),
        ("request.body", with("request", json!({"path": "/v1/messages", "body": "no"}))),
        ("request.bodies", with("request", json!({"path": "/v1/messages", "bodies": {}}))),
        ("response.sha256", with("response", json!({"body": "x", "sha256": "00"}))),
        ("id", with("id", json!("x".repeat(129)))),
        ("item", json!(7)),
        ("event_type", json!({"source": "s", "event_type": "access"})),
        ("event_data.modle", json!({"event_type": "routing_start", "event_data": {"modle": "m"}})),
        (
            "event_data.attempt",
            json!({"event_type": "routing_success", "event_data": {"attempt": "two"}}),
        ),
    ];
    let mut batch: Vec<Value> = bad.iter().map(|(_, item)| item.clone()).collect();
    batch.push(decision("good"));
    let answer = app.post(&key, PATH, json!(batch)).await.ok().json();
    assert_eq!(answer["accepted"], 1);
    let items = answer["items"].as_array().unwrap();
    for (index, (field, _)) in bad.iter().enumerate() {
        let item = &items[index];
        assert_eq!(item["index"], index);
        assert_eq!((item["status"].as_u64(), item["field"].as_str()), (Some(400), Some(*field)));
        assert!(item["detail"].as_str().unwrap().starts_with(field), "{item}");
    }
    assert_eq!(items[bad.len()]["status"], 202);
    assert_eq!(app.reported(), 1);
    let one = app.post(&key, PATH, bad[3].1.clone()).await;
    assert_eq!(one.problem(), "invalid_item");
    assert_eq!(one.json()["field"], "latency_ms");
    let none = app.post(&key, PATH, json!([bad[3].1, 7])).await;
    assert_eq!(none.problem(), "invalid_item");
    assert_eq!(none.json()["items"][1]["index"], 1);
    for body in [json!([]), json!("text"), json!(7)] {
        assert_eq!(app.post(&key, PATH, body).await.problem(), "invalid_body");
    }
    let many: Vec<Value> = (0..1_001).map(|_| json!({})).collect();
    assert_eq!(app.post(&key, PATH, json!(many)).await.problem(), "too_many_items");
}

#[tokio::test]
async fn hashes_of_senders_are_checked() {
    let app = TestApp::new().await;
    let key = app.ingest_key(None);
    let mut item = json!({"user_id": "u", "source": "s", "id": "h", "decision_type": "t"});
    item["hash"] = json!("00");
    let refused = app.post(&key, PATH, item.clone()).await;
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    let canonical = r#"{"decision_type":"t","id":"h","source":"s","user_id":"u"}"#;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    let expected = hex::encode(digest);
    assert!(detail.ends_with(&expected), "{detail}");
    item["hash"] = json!(format!("sha256:{expected}"));
    app.post(&key, PATH, item).await.ok();
}

#[tokio::test]
async fn packed_deliveries_are_unpacked_within_bounds() {
    let app = TestApp::new().await;
    let key = app.ingest_key(None);
    let text = decision("p").to_string();
    let first = packed(&app, &key, "gzip", gzip(text.as_bytes())).await.ok().json();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    assert_eq!(packed(&app, &key, "zstd", zstd).await.ok().json(), first);
    let huge = vec![b' '; 64 << 20];
    let bomb = gzip(&huge);
    assert_eq!(packed(&app, &key, "gzip", bomb).await.problem(), "body_too_large");
    let bomb = zstd::encode_all(huge.as_slice(), 1).unwrap();
    assert_eq!(packed(&app, &key, "zstd", bomb).await.problem(), "body_too_large");
    let plain = vec![b' '; (8 << 20) + 1];
    assert_eq!(packed(&app, &key, "identity", plain).await.problem(), "body_too_large");
    assert_eq!(packed(&app, &key, "gzip", b"no".to_vec()).await.problem(), "invalid_body");
    let br = packed(&app, &key, "br", b"no".to_vec()).await;
    assert_eq!(br.problem(), "unsupported_encoding");
}

#[tokio::test]
async fn a_bound_key_reports_for_its_source_alone() {
    let app = TestApp::new().await;
    let key = app.ingest_key(Some("billing"));
    let mut foreign = decision("x");
    foreign["source"] = json!("finance");
    assert_eq!(app.post(&key, PATH, foreign).await.problem(), "source_not_allowed");
    let mut unnamed = decision("y");
    unnamed.as_object_mut().unwrap().remove("source");
    let answer = app.post(&key, PATH, unnamed).await.ok().json();
    let found = detail(&app, &answer["items"][0]["decision_id"]).await;
    assert_eq!(found["source"], "billing");
    for path in ["/api/v1/audit/logs", "/api/v1/metrics", "/api/v1/audit/sessions"] {
        assert_eq!(app.get(&key, path).await.problem(), "forbidden");
    }
}

#[tokio::test]
async fn many_at_once_with_the_same_ids_are_recorded_once() {
    let app = std::sync::Arc::new(TestApp::new().await);
    let key = app.ingest_key(None);
    let batch: Vec<Value> = (0..50).map(|number| decision(&format!("m-{number}"))).collect();
    let calls = (0..8).map(|_| app.post(&key, PATH, json!(batch)));
    let answers = futures_util::future::join_all(calls).await;
    let first = answers[0].json();
    assert_eq!(first["accepted"], 50);
    for answer in answers {
        assert_eq!(answer.ok().json(), first);
    }
    assert_eq!(app.reported(), 50);
}
