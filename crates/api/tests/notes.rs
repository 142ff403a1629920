//! What is said of decisions afterwards, and the models that they name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::TestApp;
use control::Role;
use serde_json::{Value, json};
use uuid::Uuid;

async fn say(app: &TestApp, who: &str, id: Uuid, what: &str, body: Value) -> common::Answer {
    app.post(who, &format!("/api/v1/audit/logs/{id}/{what}"), body).await
}

async fn detail(app: &TestApp, id: Uuid) -> Value {
    app.indexed().await;
    app.get(&app.admin(), &format!("/api/v1/audit/logs/{id}")).await.ok().json()
}

#[tokio::test]
async fn outcomes_follow_each_other_and_the_last_counts() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "r-1").await;
    let officer = app.token(Role::ComplianceOfficer);
    assert_eq!(detail(&app, id).await["stood"], Value::Null);
    for (outcome, stood) in
        [("upheld", json!(true)), ("appealed", Value::Null), ("overridden", json!(false))]
    {
        let body = json!({"outcome": outcome, "reason": "as the file says"});
        let noted = say(&app, &officer, id, "outcome", body).await.ok();
        assert_eq!(noted.status, 201);
        let found = detail(&app, id).await;
        assert_eq!(found["stood"], stood);
        let last = found["events"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["event_id"], noted.json()["event_id"]);
        assert_eq!(last["event_type"], "outcome_recorded");
        assert_eq!(last["component"], "api");
        assert_eq!(last["event_data"]["decided_by"], "compliance_officer");
        assert_eq!(last["event_data"]["reason"], "as the file says");
    }
    let proof = app.get(&officer, &format!("/api/v1/audit/logs/{id}/proof")).await.ok();
    let vkey = app.get(&officer, "/ledger/vkey").await.ok();
    let bundle: record::ProofBundle = serde_json::from_slice(&proof.bytes).unwrap();
    assert_eq!(bundle.records.len(), 5);
    let key = vkey.text().trim().parse().unwrap();
    let report = verify::verify_bundle(&bundle, &[key]);
    assert!(report.faults.is_empty(), "{report:?}");
    // None of what was said can be left out, and none put in another's place.
    for missing in 2..4 {
        let mut short = serde_json::from_slice::<record::ProofBundle>(&proof.bytes).unwrap();
        short.records.remove(missing);
        let key = vkey.text().trim().parse().unwrap();
        assert!(!verify::verify_bundle(&short, &[key]).faults.is_empty(), "{missing}");
    }
}

#[tokio::test]
async fn many_at_once_have_numbers_of_their_own() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "r-1").await;
    let admin = app.admin();
    let body = json!({"note": "look at this", "incident": "INC-7"});
    let calls = (0..8).map(|_| say(&app, &admin, id, "flag", body.clone()));
    for answer in futures_util::future::join_all(calls).await {
        answer.ok();
    }
    let found = detail(&app, id).await;
    assert_eq!(found["flagged"], true);
    let records = found["integrity"]["records"].as_array().unwrap().clone();
    let ids: std::collections::HashSet<_> =
        records.iter().map(|record| record["record_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 10);
    let off = json!({"flagged": false, "note": "nothing there"});
    say(&app, &admin, id, "flag", off).await.ok();
    assert_eq!(detail(&app, id).await["flagged"], false);
}

#[tokio::test]
async fn keys_report_outcomes_of_their_source_and_read_nothing() {
    let app = TestApp::new().await;
    let id = app.decide("finance", "u-1", "r-1").await;
    let (own, other) = (app.ingest_key(Some("finance")), app.ingest_key(Some("hr")));
    let body = json!({"outcome": "overridden", "reason": "appeal granted", "decided_by": "ana"});
    assert_eq!(say(&app, &other, id, "outcome", body.clone()).await.problem(), "not_found");
    let noted = say(&app, &own, id, "outcome", body.clone()).await.ok();
    assert!(noted.json().get("user_id").is_none());
    let found = detail(&app, id).await;
    assert_eq!((&found["stood"], &found["origin"]), (&json!(false), &json!("observed")));
    let last = found["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["component"], &last["event_data"]["decided_by"]),
        (&json!("sdk"), &json!("ana"))
    );
    assert_eq!(say(&app, &own, id, "flag", json!({"note": "x"})).await.problem(), "forbidden");
    let viewer = app.token(Role::Viewer);
    assert_eq!(say(&app, &viewer, id, "outcome", body.clone()).await.problem(), "forbidden");
    assert_eq!(say(&app, &app.admin(), id, "outcome", body).await.problem(), "invalid_request");
    for (field, body) in [
        ("outcome", json!({"outcome": "fine", "reason": "x"})),
        ("reason", json!({"outcome": "upheld", "reason": " "})),
        ("decided_at", json!({"outcome": "upheld", "reason": "x", "decided_at": "2999-01-01"})),
    ] {
        let answer = say(&app, &own, id, "outcome", body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["field"], field);
    }
    let unknown =
        say(&app, &own, Uuid::now_v7(), "outcome", json!({"outcome": "upheld", "reason": "x"}));
    assert_eq!(unknown.await.problem(), "not_found");
}

#[tokio::test]
async fn models_show_what_they_cost_and_who_may_see_them() {
    let app = TestApp::new().await;
    app.decide("finance", "u-1", "r-1").await;
    app.indexed().await;
    let found = app.get(&app.admin(), "/api/v1/models").await.ok().json();
    let model = &found["items"][0];
    assert_eq!(model["model"], "gpt-4o-2024-08-06");
    assert_eq!((&model["provider"], &model["version"]), (&json!("openai"), &json!("2024-08-06")));
    assert!(model["input_usd_per_million"].is_string() && model["first_seen"].is_string());
    let hr = app.key(Some("hr"));
    assert_eq!(app.get(&hr, "/api/v1/models").await.ok().json()["items"], json!([]));
    let viewer = app.token(Role::Viewer);
    assert_eq!(app.get(&viewer, "/api/v1/models").await.ok().json()["items"], json!([]));
}

#[tokio::test]
async fn sums_show_what_keys_used_to_those_who_see_all() {
    let app = TestApp::new().await;
    let key = app.control.list_keys().unwrap().first().map(|key| key.id.clone());
    assert_eq!(key, None);
    app.key(None);
    let id = app.control.list_keys().unwrap()[0].id.clone();
    app.control.meter(&id).spend(29, None, event::Timestamp::now());
    let path = "/api/v1/metrics?group_by=source,user";
    let found = app.get(&app.admin(), path).await.ok().json();
    assert_eq!((&found["keys"][0]["id"], &found["keys"][0]["tokens"]), (&json!(id), &json!(29)));
    let viewer = app.token(Role::Viewer);
    assert_eq!(app.get(&viewer, path).await.ok().json()["keys"], json!([]));
    for wrong in ["source,source", "source,user,model", "colour"] {
        let path = format!("/api/v1/metrics?group_by={wrong}");
        assert_eq!(app.get(&app.admin(), &path).await.problem(), "invalid_request");
    }
}
