//! Reviews over the API: who sees them, who decides, which outcome stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::TestApp;
use control::Role;
use http::StatusCode;
use serde_json::{Value, json};

const REVIEWS: &str = "/api/v1/reviews";

fn why() -> Value {
    json!({ "rationale": "the file is there" })
}

fn officer(app: &TestApp, name: &str) -> String {
    app.person(name, Role::ComplianceOfficer, None)
}

#[tokio::test]
async fn a_reviewer_sees_what_is_held_and_lets_it_through() {
    let app = TestApp::new().await;
    let id = app.hold("u-1", 1).await;
    let token = officer(&app, "alice");
    let list = app.get(&token, &format!("{REVIEWS}?state=pending")).await.ok().json();
    assert_eq!((&list["items"][0]["id"], &list["next_cursor"]), (&json!(id), &Value::Null));
    assert_eq!(list["items"][0]["prompt_preview"], "a large loan");
    let shown = app.get(&token, &format!("{REVIEWS}/{id}")).await.ok().json();
    assert_eq!(shown["request"]["body"]["data"], "{\"prompt\":\"a large loan\"}");
    assert_eq!(shown["facts"], json!({ "request_bytes": 25 }));
    assert_eq!(shown["violations"][0]["message"], "A person has to look at it.");
    assert_eq!((&shown["user_id"], &shown["reviewers_needed"]), (&json!("u-1"), &json!(1)));
    assert_eq!(shown["events"].as_array().unwrap().len(), 2);
    assert_eq!(shown["integrity"]["faults"], json!([]));
    let done = app.post(&token, &format!("{REVIEWS}/{id}/approve"), why()).await.ok().json();
    assert_eq!((&done["state"], &done["outcome"]), (&json!("approved"), &json!("approved")));
    assert_eq!(done["votes"][0]["reviewer"], "alice");
    assert_eq!(done["votes"][0]["rationale"], "the file is there");
    let pending = app.get(&token, &format!("{REVIEWS}?state=pending")).await.ok().json();
    assert_eq!(pending["items"], json!([]));
    let expected = ["reviews_list ok", "review_show ok", "review_approve ok", "reviews_list ok"];
    assert_eq!(app.accesses(), expected.map(|access| format!("{access} alice")));
    let decision = done["decision_id"].as_str().unwrap();
    app.indexed().await;
    let item = app.get(&token, &format!("/api/v1/audit/logs/{decision}")).await.ok().json();
    assert_eq!(item["review_status"], "approved");
}

#[tokio::test]
async fn of_two_at_once_one_stands_and_the_other_is_told_which() {
    let app = TestApp::new().await;
    let (alice, bob) = (officer(&app, "alice"), officer(&app, "bob"));
    for _ in 0..8 {
        let id = app.hold("u-1", 1).await;
        let (approve, reject) =
            (format!("{REVIEWS}/{id}/approve"), format!("{REVIEWS}/{id}/reject"));
        let (approved, rejected) =
            tokio::join!(app.post(&alice, &approve, why()), app.post(&bob, &reject, why()));
        let stands = app.get(&alice, &format!("{REVIEWS}/{id}")).await.ok().json();
        let lost = if approved.status == StatusCode::OK {
            assert_eq!(stands["outcome"], "approved");
            rejected
        } else {
            assert_eq!((rejected.status, &stands["outcome"]), (StatusCode::OK, &json!("rejected")));
            approved
        };
        assert_eq!(
            (lost.status, lost.problem()),
            (StatusCode::CONFLICT, "review_decided".to_owned())
        );
        assert_eq!(lost.json()["outcome"], stands["outcome"]);
    }
}

#[tokio::test]
async fn verdicts_need_a_role_a_reason_and_somebody_else() {
    let app = TestApp::new().await;
    let id = app.hold("alice", 2).await;
    let approve = format!("{REVIEWS}/{id}/approve");
    let (alice, bob) = (officer(&app, "alice"), officer(&app, "bob"));
    let vera = app.person("vera", Role::Viewer, None);
    for uri in [REVIEWS, &format!("{REVIEWS}/{id}")] {
        assert_eq!(app.get(&vera, uri).await.problem(), "forbidden");
    }
    for credential in [vera.as_str(), &app.key(None)] {
        assert_eq!(app.post(credential, &approve, why()).await.problem(), "forbidden");
    }
    for (body, code) in [
        (json!({}), "invalid_body"),
        (json!({ "rationale": " " }), "invalid_request"),
        (json!({ "rationale": "x".repeat(4_097) }), "invalid_request"),
        (json!({ "rationale": "x", "more": 1 }), "invalid_body"),
    ] {
        let answer = app.post(&bob, &approve, body).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::BAD_REQUEST, code.to_owned()));
    }
    let own = app.post(&alice, &approve, why()).await;
    assert_eq!((own.status, own.problem()), (StatusCode::FORBIDDEN, "own_call".to_owned()));
    assert_eq!(app.accesses().last().unwrap(), "review_approve denied alice");
    let one = app.post(&bob, &approve, why()).await.ok().json();
    assert_eq!((&one["state"], &one["outcome"]), (&json!("pending"), &Value::Null));
    assert_eq!(app.post(&bob, &approve, why()).await.problem(), "already_approved");
    let two = app.post(&app.admin(), &approve, why()).await.ok().json();
    assert_eq!(two["state"], "approved");
    let missing = app.post(&bob, &format!("{REVIEWS}/rev_none/reject"), why()).await;
    assert_eq!(missing.problem(), "not_found");
}

#[tokio::test]
async fn operator_decides_under_the_name_of_the_machine_s_user() {
    let app = TestApp::new().await;
    let id = app.hold("u-1", 1).await;
    let done = app.operator("POST", &format!("{REVIEWS}/{id}/reject"), why()).await.ok().json();
    let reviewer = done["votes"][0]["reviewer"].as_str().unwrap();
    assert!(!reviewer.is_empty() && reviewer != "operator", "{reviewer}");
    assert_eq!(done["state"], "rejected");
    assert_eq!(app.accesses(), ["review_reject ok uid:1000"]);
}

#[tokio::test]
async fn pages_and_filters_of_the_list_are_checked() {
    let app = TestApp::new().await;
    let token = app.admin();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.hold("u-1", 1).await);
    }
    ids.reverse();
    let first = app.get(&token, &format!("{REVIEWS}?limit=2")).await.ok().json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app.get(&token, &format!("{REVIEWS}?limit=2&cursor={cursor}")).await.ok().json();
    let items =
        [first["items"].as_array().unwrap().clone(), rest["items"].as_array().unwrap().clone()];
    let seen: Vec<_> = items.concat().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(seen, ids);
    assert_eq!(rest["next_cursor"], Value::Null);
    for query in ["state=open", "limit=0", "decision_id=1", "cursor=zzz", "colour=red"] {
        let answer = app.get(&token, &format!("{REVIEWS}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}
