//! What a viewer finds, by any route; who looked before; bodies redacted and revealed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{TestApp, request};
use control::Role;
use http::StatusCode;
use serde_json::{Value, json};

const LOGS: &str = "/api/v1/audit/logs";
const TRACE: &str = "/api/v1/audit/traces/00000000-0000-0000-0000-000000000007";

/// Nothing of an answer may name the other user.
fn none_of_theirs(uri: &str, json: &Value) {
    assert!(!json.to_string().contains("u-2"), "{uri}: {json}");
}

#[tokio::test]
async fn viewer_finds_only_own_decisions_by_any_route() {
    let app = TestApp::new().await;
    let ours = app.decide("finance", "u-1", "req-shared").await;
    let theirs = app.decide("finance", "u-2", "req-shared").await;
    app.decide("finance", "u-2", "req-theirs").await;
    app.indexed().await;
    // The account stands for the end user u-1; that somebody's username is u-2 changes nothing.
    let viewer = app.person("u-2", Role::Viewer, Some("u-1"));
    for uri in [
        LOGS.to_owned(),
        format!("{LOGS}?q=of"),
        format!("{LOGS}/{ours}"),
        format!("{LOGS}/req-shared"),
        format!("{LOGS}/{ours}/proof"),
        "/api/v1/audit/events".to_owned(),
        TRACE.to_owned(),
        "/api/v1/audit/sessions".to_owned(),
        "/api/v1/audit/sessions/session-of-u-1".to_owned(),
        "/api/v1/metrics".to_owned(),
    ] {
        let found = app.get(&viewer, &uri).await.ok().json();
        none_of_theirs(&uri, &found);
        assert!(!found.to_string().contains(&theirs.to_string()), "{uri}: {found}");
    }
    let count = |json: Value| json["items"].as_array().unwrap().len();
    assert_eq!(count(app.get(&viewer, LOGS).await.ok().json()), 1);
    assert_eq!(count(app.get(&viewer, "/api/v1/audit/sessions").await.ok().json()), 1);
    assert_eq!(count(app.get(&viewer, TRACE).await.ok().json()), 2);
    let metrics = app.get(&viewer, "/api/v1/metrics").await.ok().json();
    assert_eq!(metrics["totals"]["requests"], 1);
    let shared = app.get(&viewer, &format!("{LOGS}/req-shared")).await.ok().json();
    assert_eq!((&shared["id"], &shared["other_ids"]), (&json!(ours.to_string()), &json!([])));
    for (uri, action) in [
        (format!("{LOGS}/{theirs}"), "show"),
        (format!("{LOGS}/req-theirs"), "show"),
        (format!("{LOGS}/{theirs}/proof"), "proof"),
        ("/api/v1/audit/sessions/session-of-u-2".to_owned(), "session"),
    ] {
        let there = app.get(&viewer, &uri).await;
        assert_eq!((there.status, there.problem()), (StatusCode::NOT_FOUND, "not_found".into()));
        assert_eq!(app.accesses().last().unwrap(), &format!("{action} denied u-2"), "{uri}");
        let nothing = app.get(&viewer, &format!("{LOGS}/nothing")).await;
        if action == "show" {
            assert_eq!(nothing.bytes, there.bytes, "both look the same");
        }
        assert_eq!(app.accesses().last().unwrap(), "show failed u-2");
    }
    for uri in [format!("{LOGS}?user_id=u-2"), "/api/v1/metrics?user_id=u-2".to_owned()] {
        assert_eq!(app.get(&viewer, &uri).await.problem(), "forbidden");
    }
    let sql = request("POST", "/api/v1/sql", Some(&viewer), &json!({ "query": "SELECT 1" }));
    assert_eq!(app.call(sql).await.problem(), "forbidden");
}

#[tokio::test]
async fn bodies_are_redacted_unless_revealed_for_a_purpose() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "ana@example.com", "req-1").await;
    app.indexed().await;
    let uri = format!("{LOGS}/{id}");
    let officer = app.token(Role::ComplianceOfficer);
    let shown = app.get(&officer, &uri).await.ok().json();
    let (request, response) = (&shown["request"]["body"], &shown["response"]["body"]);
    assert_eq!(request["data"], "{\"prompt\":\"of <EMAIL_1>\"}");
    assert_eq!((&request["redacted"], &response["redacted"]), (&json!(true), &json!(true)));
    assert_eq!(response["data"], Value::Null, "what cannot be looked through is not shown");
    let reveal = format!("{uri}?reveal=true&purpose=complaint%204711");
    let shown = app.get(&officer, &reveal).await.ok().json();
    let (request, response) = (&shown["request"]["body"], &shown["response"]["body"]);
    assert_eq!(request["data"], "{\"prompt\":\"of ana@example.com\"}");
    assert_eq!((&request["redacted"], &response["data"]), (&json!(false), &json!("//4A")));
    for bad in ["reveal=true", "reveal=true&purpose=%20", "purpose=x", "reveal=maybe&purpose=x"] {
        let answer = app.get(&officer, &format!("{uri}?{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let viewer = app.person("ana", Role::Viewer, Some("ana@example.com"));
    for credential in [&viewer, &app.key(None)] {
        let shown = app.get(credential, &uri).await.ok().json();
        assert_eq!(shown["request"]["body"]["redacted"], true);
        assert_eq!(shown["accesses"], Value::Null, "who looked is not for them");
        assert_eq!(app.get(credential, &reveal).await.problem(), "forbidden");
        let proof = app.get(credential, &format!("{uri}/proof")).await.ok();
        let proof: record::ProofBundle = serde_json::from_slice(&proof.bytes).unwrap();
        assert!(proof.records.iter().all(|record| record.parts_key.is_none()), "no keys");
    }
    let proof = app.get(&officer, &format!("{uri}/proof")).await.ok();
    let proof: record::ProofBundle = serde_json::from_slice(&proof.bytes).unwrap();
    assert!(proof.records.iter().all(|record| record.parts_key.is_some()));
}

#[tokio::test]
async fn detail_shows_who_looked_before() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "req-1").await;
    let other = app.decide("finance", "u-1", "req-2").await;
    app.indexed().await;
    let uri = format!("{LOGS}/{id}");
    let (admin, officer) = (app.admin(), app.token(Role::ComplianceOfficer));
    let first = app.get(&admin, &uri).await.ok().json();
    assert_eq!(first["accesses"], json!([]));
    app.get(&officer, &format!("{uri}?reveal&purpose=complaint")).await.ok();
    app.get(&officer, &format!("{LOGS}/{other}")).await.ok();
    let viewer = app.token(Role::Viewer);
    app.get(&viewer, &uri).await;
    app.indexed().await;
    let accesses = app.get(&admin, &uri).await.ok().json()["accesses"].clone();
    let facts: Vec<_> = accesses
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {} {}",
                text("action"),
                text("result"),
                text("actor"),
                text("purpose"),
                text("client_address")
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            "show denied viewer - 192.0.2.9",
            "reveal ok compliance_officer complaint 192.0.2.9",
            "show ok admin - 192.0.2.9",
        ]
    );
}

#[tokio::test]
async fn nobody_approves_calls_of_the_user_they_stand_for() {
    let app = TestApp::new().await;
    let id = app.hold("u-1", 1).await;
    let officer = app.person("olga", Role::ComplianceOfficer, Some("U-1"));
    let uri = format!("/api/v1/reviews/{id}/approve");
    let own = app.post(&officer, &uri, json!({ "rationale": "mine" })).await;
    assert_eq!((own.status, own.problem()), (StatusCode::FORBIDDEN, "own_call".into()));
    app.post(&app.admin(), &uri, json!({ "rationale": "checked" })).await.ok();
}
