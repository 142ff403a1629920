//! Reading the audit: what is shown, to whom, and that it is recorded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::TestApp;
use control::Role;
use http::StatusCode;
use serde_json::{Value, json};

const LOGS: &str = "/api/v1/audit/logs";

#[tokio::test]
async fn detail_shows_bodies_headers_events_and_integrity_of_a_call_just_made() {
    let app = TestApp::new().await;
    let token = app.admin();
    let first = app.decide("finance", "u-1", "req-1").await;
    let second = app.decide("finance", "u-1", "req-1").await;
    let uri = format!("{LOGS}/{second}?reveal=true&purpose=a+test");
    let detail = app.get(&token, &uri).await.ok().json();
    assert_eq!(detail["id"], second.to_string());
    assert_eq!(detail["status_code"], 200);
    let body = &detail["request"]["body"];
    assert_eq!(
        (&body["data"], &body["encoding"]),
        (&json!("{\"prompt\":\"of u-1\"}"), &json!("utf-8"))
    );
    assert_eq!(detail["request"]["headers"], json!([["content-type", "application/json"]]));
    let body = &detail["response"]["body"];
    assert_eq!((&body["data"], &body["encoding"]), (&json!("//4A"), &json!("base64")));
    assert_eq!(detail["events"].as_array().unwrap().len(), 2);
    let integrity = &detail["integrity"];
    assert_eq!(integrity["records"].as_array().unwrap().len(), 2);
    assert_eq!(integrity["faults"], json!([]));
    let by_request = app.get(&token, &format!("{LOGS}/req-1")).await.ok().json();
    assert_eq!(by_request["id"], second.to_string());
    assert_eq!(by_request["other_ids"], json!([first.to_string()]));
}

#[tokio::test]
async fn erased_person_is_gone_from_the_detail_and_the_rest_stays() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "req-1").await;
    app.running.recorder.keys().erase(seal_class(), "u-1").await.unwrap();
    let detail = app.get(&app.admin(), &format!("{LOGS}/{id}")).await.ok().json();
    assert_eq!(detail["request"]["body"]["erased"], true);
    assert_eq!(detail["request"]["body"]["data"], Value::Null);
    assert_eq!(detail["response"]["status_code"], 200);
    assert_eq!(detail["integrity"]["faults"], json!([]), "what is erased still verifies");
}

const fn seal_class() -> seal::KeyClass {
    seal::KeyClass::Subject
}

#[tokio::test]
async fn changed_byte_in_the_journal_is_said() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "req-1").await;
    let token = app.admin();
    app.get(&token, &format!("{LOGS}/{id}")).await.ok();
    let segment = std::fs::read_dir(app.data().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let needle = b"/v1/chat/completions";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let detail = app.get(&token, &format!("{LOGS}/{id}")).await.ok().json();
    assert_eq!(detail["integrity"]["state"], "damaged", "{}", detail["integrity"]);
    assert_eq!(detail["response"]["status_code"], 200, "the other record is shown");
}

#[tokio::test]
async fn proof_covers_every_record_and_leaves_keys_out_on_request() {
    let app = TestApp::new().await;
    let token = app.admin();
    let id = app.decide("finance", "u-1", "req-1").await;
    let answer = app.get(&token, &format!("{LOGS}/{id}/proof")).await.ok();
    let bundle: record::ProofBundle = serde_json::from_slice(&answer.bytes).unwrap();
    let vkey = app.operator("GET", "/ledger/vkey", Value::Null).await.ok();
    let vkey: ledger::VerifierKey = vkey.text().trim().parse().unwrap();
    let keys = ledger::TrustedKeys { log: vec![vkey], ..ledger::TrustedKeys::default() };
    assert_eq!((bundle.decision_id, bundle.records.len()), (id, 2));
    for record in &bundle.records {
        let proof = ledger::TlogProof::parse(record.tlog_proof.as_bytes()).unwrap();
        proof.verify(record.leaf.as_bytes(), &keys).unwrap();
        assert!(record.parts_key.is_some());
    }
    let sealed = app.get(&token, &format!("{LOGS}/{id}/proof?sealed=true")).await.ok();
    let bundle: record::ProofBundle = serde_json::from_slice(&sealed.bytes).unwrap();
    for record in &bundle.records {
        assert!(record.parts_key.is_none() && record.group_keys.iter().all(Option::is_none));
    }
    let detail = app.get(&token, &format!("{LOGS}/{id}")).await.ok().json();
    assert_eq!(detail["integrity"]["state"], "sealed");
}

#[tokio::test]
async fn every_sign_in_and_read_is_recorded_with_who_did_it() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "req-1").await;
    app.indexed().await;
    let login = |password: &str| json!({ "username": "admin", "password": password });
    let uri = "/api/v1/auth/login";
    let refused = app.call(common::request("POST", uri, None, &login("wrong"))).await;
    assert_eq!(
        (refused.status, refused.problem()),
        (StatusCode::UNAUTHORIZED, "invalid_credentials".into())
    );
    let answer = app.call(common::request("POST", uri, None, &login(common::PASSWORD))).await.ok();
    assert_eq!(answer.headers["cache-control"], "no-store");
    let token = answer.json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let token = token["access_token"].as_str().unwrap();
    for uri in [
        LOGS.to_owned(),
        format!("{LOGS}?q=hello"),
        format!("{LOGS}/{id}"),
        format!("{LOGS}/{id}/proof"),
        "/api/v1/audit/events".to_owned(),
        "/api/v1/audit/traces/00000000-0000-0000-0000-000000000007".to_owned(),
        "/api/v1/audit/sessions".to_owned(),
        "/api/v1/audit/sessions/session-of-u-1".to_owned(),
        "/api/v1/metrics".to_owned(),
    ] {
        app.get(token, &uri).await.ok();
    }
    app.post(token, "/api/v1/sql", json!({ "query": "SELECT 1" })).await.ok();
    let wrong = app.post(token, "/api/v1/sql", json!({ "query": "DROP TABLE x" })).await;
    assert_eq!(wrong.problem(), "invalid_query");
    let missing = app.get(token, &format!("{LOGS}/nothing")).await;
    assert_eq!(missing.problem(), "not_found");
    let expected = [
        "login denied",
        "login ok",
        "list ok",
        "search ok",
        "show ok",
        "proof ok",
        "events ok",
        "trace ok",
        "sessions ok",
        "session ok",
        "metrics ok",
        "sql ok",
        "sql failed",
        "show failed",
    ];
    assert_eq!(app.accesses(), expected.map(|access| format!("{access} admin")));
}

#[tokio::test]
async fn key_made_for_one_source_sees_that_source_only() {
    let app = TestApp::new().await;
    let ours = app.decide("finance", "u-1", "req-1").await;
    let theirs = app.decide("support", "u-2", "req-2").await;
    app.indexed().await;
    let key = app.key(Some("finance"));
    let list = app.get(&key, LOGS).await.ok().json();
    let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&json!(ours.to_string())]);
    assert_eq!(app.get(&key, &format!("{LOGS}?source=support")).await.problem(), "forbidden");
    for uri in [
        format!("{LOGS}/{theirs}"),
        format!("{LOGS}/req-2"),
        format!("{LOGS}/{theirs}/proof"),
        "/api/v1/audit/sessions/session-of-u-2".to_owned(),
    ] {
        assert_eq!(app.get(&key, &uri).await.problem(), "not_found", "{uri}");
    }
    for uri in ["/api/v1/audit/events", "/api/v1/audit/traces/00000000-0000-0000-0000-000000000007"]
    {
        let events = app.get(&key, uri).await.ok().json();
        let items = events["items"].as_array().unwrap();
        assert!(!items.is_empty());
        assert!(items.iter().all(|one| one["event_data"]["source"] == "finance"), "{events}");
    }
    assert_eq!(app.get(&key, "/api/v1/metrics").await.ok().json()["totals"]["requests"], 1);
    let whole = app.get(&app.key(None), LOGS).await.ok().json();
    assert_eq!(whole["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn viewer_sees_own_data_only() {
    let app = TestApp::new().await;
    let ours = app.decide("finance", "vera", "req-1").await;
    let theirs = app.decide("finance", "u-2", "req-2").await;
    app.indexed().await;
    let token = app.person("vera", Role::Viewer, None);
    let list = app.get(&token, LOGS).await.ok().json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.index.queries()[0].user_id.as_deref(), Some("vera"));
    app.get(&token, &format!("{LOGS}/{ours}")).await.ok();
    assert_eq!(app.get(&token, &format!("{LOGS}/{theirs}")).await.problem(), "not_found");
    let sql = app.post(&token, "/api/v1/sql", json!({ "query": "SELECT 1" })).await;
    assert_eq!((sql.status, sql.problem()), (StatusCode::FORBIDDEN, "forbidden".into()));
    assert_eq!(app.accesses().last().unwrap(), "sql denied vera");
}
