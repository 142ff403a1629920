//! The document and what is served; who gets in; what bad input gets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use api::{ServeLimits, Settings};
use common::{TestApp, conform};
use http::StatusCode;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LOGS: &str = "/api/v1/audit/logs";

fn document() -> Value {
    serde_json::from_str(&api::openapi_json()).unwrap()
}

#[test]
fn snapshot_of_the_document_is_current() {
    let snapshot = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let fresh = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    if std::fs::read_to_string(&snapshot).ok() != Some(api::openapi_json()) {
        std::fs::write(&fresh, api::openapi_json()).unwrap();
        panic!("{} is stale: copy {} over it", snapshot.display(), fresh.display());
    }
}

#[tokio::test]
async fn credentials_that_are_none_are_refused() {
    let app = TestApp::new().await;
    for bad in ["", "x", "al_rd_x", "a.b.c"] {
        let answer = app.get(bad, LOGS).await;
        assert_eq!(answer.problem(), "unauthenticated", "{bad:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
}

#[tokio::test]
async fn every_answer_is_as_documented() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "req-1").await;
    app.indexed().await;
    let document = document();
    let hold = |operation: &str, answer: &common::Answer| {
        let status = answer.status.as_u16();
        let faults = conform::faults(&document, operation, status, &answer.json());
        assert_eq!(faults, Vec::<String>::new(), "{operation}");
    };
    let token = app.admin();
    for (operation, uri) in [
        ("GET /api/v1/audit/logs", LOGS.to_owned()),
        ("GET /api/v1/audit/logs/{id}", format!("{LOGS}/{id}")),
        ("GET /api/v1/audit/logs/{id}", format!("{LOGS}/nothing")),
        ("GET /api/v1/audit/logs/{id}/proof", format!("{LOGS}/{id}/proof")),
        ("GET /api/v1/audit/events", "/api/v1/audit/events".to_owned()),
        (
            "GET /api/v1/audit/traces/{trace_id}",
            "/api/v1/audit/traces/00000000-0000-0000-0000-000000000007".to_owned(),
        ),
        ("GET /api/v1/audit/sessions", "/api/v1/audit/sessions".to_owned()),
        ("GET /api/v1/audit/sessions/{id}", "/api/v1/audit/sessions/session-of-u-1".to_owned()),
        ("GET /api/v1/metrics", "/api/v1/metrics?from=2026-01-01&interval=hour".to_owned()),
        ("GET /healthz", "/healthz".to_owned()),
        ("GET /readyz", "/readyz".to_owned()),
    ] {
        hold(operation, &app.get(&token, &uri).await);
    }
    let sql = app.post(&token, "/api/v1/sql", json!({ "query": "SELECT 1" })).await.ok();
    hold("POST /api/v1/sql", &sql);
    let credentials = json!({ "username": "admin", "password": common::PASSWORD });
    let login = app.call(common::request("POST", "/api/v1/auth/login", None, &credentials)).await;
    hold("POST /api/v1/auth/login", &login);
    let wish = json!({ "source": "finance", "scopes": ["read", "gateway"] });
    let created = app.operator("POST", "/api/v1/keys", wish).await.ok();
    hold("POST /api/v1/keys", &created);
    let uri = format!("/api/v1/keys/{}", created.json()["id"].as_str().unwrap());
    let rotated = app.operator("POST", &format!("{uri}/rotate"), json!({ "overlap_s": 60 })).await;
    hold("POST /api/v1/keys/{id}/rotate", &rotated.ok());
    let revoked = app.operator("POST", &format!("{uri}/revoke"), Value::Null).await.ok();
    hold("POST /api/v1/keys/{id}/revoke", &revoked);
    hold("GET /api/v1/keys", &app.operator("GET", "/api/v1/keys", Value::Null).await.ok());
    let expected = ["keys_create", "keys_rotate", "keys_revoke", "keys_list"];
    let accesses = app.accesses();
    let tail = &accesses[accesses.len() - expected.len()..];
    assert_eq!(tail, expected.map(|action| format!("{action} ok uid:1000")));
    let id = app.hold("u-1", 1).await;
    let uri = format!("/api/v1/reviews/{id}");
    let why = json!({ "rationale": "checked" });
    hold("GET /api/v1/reviews", &app.get(&token, "/api/v1/reviews").await.ok());
    hold("GET /api/v1/reviews/{id}", &app.get(&token, &uri).await.ok());
    let approve = format!("{uri}/approve");
    hold("POST /api/v1/reviews/{id}/approve", &app.post(&token, &approve, why.clone()).await.ok());
    hold("POST /api/v1/reviews/{id}/approve", &app.post(&token, &approve, why.clone()).await);
    hold(
        "POST /api/v1/reviews/{id}/reject",
        &app.post(&token, &format!("{uri}/reject"), why).await,
    );
}

#[tokio::test]
async fn bad_input_gets_a_problem_that_says_what_is_wrong() {
    let app = TestApp::new().await;
    let token = app.admin();
    for (query, named) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("from=yesterday", "from"),
        ("status=ok", "status"),
        ("sort=cost", "sort"),
        ("min_latency_ms=NaN", "min_latency_ms"),
        ("min_cost_usd=cheap", "min_cost_usd"),
        ("trace_id=1", "trace_id"),
        ("colour=red", "colour"),
        ("source=a&source=b", "source"),
        ("cursor=zzz", "cursor"),
    ] {
        let answer = app.get(&token, &format!("{LOGS}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        answer.problem();
        assert!(answer.json()["detail"].as_str().unwrap().contains(named), "{}", answer.text());
    }
    app.get(&token, &format!("{LOGS}?source=&limit=&cursor=")).await.ok();
    for body in ["", "{", "[]", "{\"query\": 1}", "{\"query\": \"SELECT 1\", \"more\": 1}"] {
        let mut request = common::request("POST", "/api/v1/sql", Some(&token), &json!({}));
        *request.body_mut() = body.into();
        let answer = app.call(request).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (StatusCode::BAD_REQUEST, "invalid_body".into()),
            "{body}"
        );
    }
    let long = json!({ "query": "x".repeat(300 * 1024) });
    assert_eq!(app.post(&token, "/api/v1/sql", long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let no_type = common::request("POST", "/api/v1/sql", Some(&token), &Value::Null);
    assert_eq!(app.call(no_type).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(app.get(&token, "/nothing/here").await.problem(), "not_found");
    assert_eq!(app.get(&token, "/api/v1/sql").await.problem(), "method_not_allowed");
    assert_eq!(app.get(&token, &format!("{LOGS}/x?y=1")).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn ledger_is_served_as_tiles_to_whom_it_may_be() {
    let app = TestApp::with(Settings { ledger_public: true, ..Settings::default() }).await;
    app.decide("finance", "u-1", "req-1").await;
    let mut sealed = app.running.sealed.clone();
    let size = *sealed.wait_for(|size| *size >= 3).await.unwrap();
    let text = app.anon("GET", "/ledger/checkpoint").await.ok();
    let checkpoint = ledger::SignedCheckpoint::parse(&text.bytes).unwrap();
    assert_eq!(checkpoint.checkpoint().size, size);
    let tile = app.anon("GET", &format!("/ledger/tile/0/000.p/{size}")).await.ok();
    let entries = app.anon("GET", &format!("/ledger/tile/entries/000.p/{size}")).await.ok();
    let entries = ledger::decode_bundle(&entries.bytes, size as u16).unwrap();
    for (number, entry) in entries.iter().enumerate() {
        let hash = ledger::leaf_hash(entry);
        assert_eq!(tile.bytes[32 * number..][..32], *hash.as_bytes());
    }
    for path in ["0/000", "0/001", "9/000", "entries/000", "../../control.db", "x", "0/000.p/0"] {
        let answer = app.anon("GET", &format!("/ledger/tile/{path}")).await;
        assert_eq!(answer.problem(), "not_found", "{path}");
    }
    assert!(app.accesses().is_empty(), "reading the log does not grow it");
}

#[tokio::test]
async fn logs_of_earlier_epochs_are_served_under_their_number() {
    let mut app = TestApp::with(Settings { ledger_public: true, ..Settings::default() }).await;
    let before = app.decide("finance", "u-1", "req-1").await;
    let mut sealed = app.running.sealed.clone();
    let size = *sealed.wait_for(|size| *size >= 3).await.unwrap();
    app = app.next_epoch().await;
    app.decide("finance", "u-1", "req-2").await;
    let mut sealed = app.running.sealed.clone();
    sealed.wait_for(|size| *size >= 3).await.unwrap();
    let mut notes = Vec::new();
    for epoch in 1..=2 {
        let text = app.anon("GET", &format!("/ledger/{epoch}/checkpoint")).await.ok();
        let note = ledger::SignedCheckpoint::parse(&text.bytes).unwrap();
        let vkey = app.anon("GET", &format!("/ledger/{epoch}/vkey")).await.ok();
        let vkey: ledger::VerifierKey = vkey.text().trim().parse().unwrap();
        let keys = ledger::TrustedKeys { log: vec![vkey], ..ledger::TrustedKeys::default() };
        note.verify(&keys).unwrap();
        assert!(note.checkpoint().origin.ends_with(&format!("/{epoch}")));
        let width = note.checkpoint().size;
        let tile = app.anon("GET", &format!("/ledger/{epoch}/tile/0/000.p/{width}")).await.ok();
        let uri = format!("/ledger/{epoch}/tile/entries/000.p/{width}");
        let entries = app.anon("GET", &uri).await.ok();
        let leaves = ledger::decode_bundle(&entries.bytes, width as u16).unwrap();
        let hashes: Vec<_> = leaves.iter().map(|leaf| ledger::leaf_hash(leaf)).collect();
        assert_eq!(ledger::tree_hash(&hashes), note.checkpoint().root);
        assert_eq!(tile.bytes.len() as u64, 32 * width);
        notes.push(text.bytes);
    }
    assert_eq!(ledger::SignedCheckpoint::parse(&notes[0]).unwrap().checkpoint().size, size);
    assert_eq!(app.anon("GET", "/ledger/checkpoint").await.ok().bytes, notes[1]);
    let none = ["3/checkpoint", "0/checkpoint", "x/checkpoint", "3/tile/0/000", "1/tile/0/001"];
    for path in none {
        let answer = app.anon("GET", &format!("/ledger/{path}")).await;
        assert_eq!(answer.problem(), "not_found", "{path}");
    }
    let token = app.admin();
    let uri = format!("/api/v1/audit/logs/{before}");
    let detail = app.get(&token, &uri).await.ok().json();
    assert_eq!(detail["integrity"]["state"], "sealed", "{}", detail["integrity"]);
    assert!(detail["integrity"]["log"].as_str().unwrap().ends_with("/1"));
    app.get(&token, &format!("{uri}/proof")).await.ok();
}

#[tokio::test]
async fn page_of_the_document_needs_nothing_from_elsewhere() {
    let app = TestApp::new().await;
    let page = app.anon("GET", "/api/docs").await.ok();
    for foreign in ["http:", "https:", "<script", "<img", "@import", "url("] {
        assert!(!page.text().contains(foreign), "{foreign}");
    }
    assert!(page.text().contains("/api/v1/audit/traces/{trace_id}"));
    assert_eq!(app.anon("GET", "/api/openapi.json").await.ok().json()["openapi"], "3.1.0");
}

#[tokio::test]
async fn figures_are_those_of_the_write_path() {
    let app = TestApp::new().await;
    app.decide("finance", "u-1", "req-1").await;
    let text = app.anon("GET", "/metrics").await.ok();
    let value = |name: &str| {
        let line = text.text().lines().find(|line| line.split(' ').next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    assert_eq!(value("audit_layer_journal_records_total"), Some(3.0));
    assert!(value("audit_layer_journal_bytes_total").unwrap() > 1000.0);
    assert!(value("audit_layer_journal_batch_appends_count").is_some());
    assert_eq!(value("audit_layer_open_calls"), Some(0.0));
}

#[tokio::test]
async fn repeated_wrong_passwords_are_held_up() {
    let app = TestApp::new().await;
    let wrong = json!({ "username": "admin", "password": "wrong" });
    let mut last = None;
    for _ in 0..6 {
        let request = common::request("POST", "/api/v1/auth/login", None, &wrong);
        last = Some(app.call(request).await);
    }
    let last = last.unwrap();
    assert_eq!(
        (last.status, last.problem()),
        (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts".into())
    );
    assert!(last.headers.contains_key("retry-after"));
    assert_eq!(app.accesses().len(), 5);
}

#[tokio::test]
async fn control_socket_is_private_and_serves_the_operator() {
    let app = TestApp::new().await;
    let path = app.data().join("control.sock");
    std::fs::write(&path, "left by an earlier process").unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (api, socket) = (app.api.clone(), path.clone());
    let serving =
        tokio::spawn(
            async move { api.serve_socket(&socket, ServeLimits::default(), stopped).await },
        );
    let mut stream = loop {
        match tokio::net::UnixStream::connect(&path).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    stream
        .write_all(b"GET /api/v1/keys HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"items\":[]}"), "{answer}");
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
    assert!(!path.exists());
    assert!(app.accesses()[0].starts_with("keys_list ok uid:"));
}
