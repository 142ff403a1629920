//! Signing in and out, sessions, people, and what browsers are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use api::Settings;
use axum::body::Body;
use common::{Answer, PASSWORD, TestApp};
use control::{KeyLimits, NewKey, Role, Scope};
use http::{Request, StatusCode};
use serde_json::{Value, json};

const LOGS: &str = "/api/v1/audit/logs";
const OTHER: &str = "battery staple";

async fn login(app: &TestApp, username: &str, password: &str) -> Answer {
    let credentials = json!({ "username": username, "password": password });
    app.call(common::request("POST", "/api/v1/auth/login", None, &credentials)).await
}

fn token(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// The cookie's name and value.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn refresh(app: &TestApp, cookie: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post("/api/v1/auth/refresh").header("cookie", cookie);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.call(request.body(Body::empty()).unwrap()).await
}

async fn delete(app: &TestApp, token: &str, uri: &str) -> Answer {
    app.call(common::request("DELETE", uri, Some(token), &Value::Null)).await
}

#[tokio::test]
async fn cookie_keeps_signed_in_and_a_copy_of_it_signs_out() {
    let app = TestApp::with(Settings { tls: true, ..Settings::default() }).await;
    let first = login(&app, "admin", PASSWORD).await.ok();
    let set = first.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["al_refresh=al_rt_", "Path=/api/v1/auth;", "HttpOnly", "SameSite=Strict", "Secure"]
    {
        assert!(set.contains(part), "{part} is not in {set}");
    }
    let second = refresh(&app, &cookie(&first), &[]).await.ok();
    app.get(&token(&second), LOGS).await.ok();
    app.get(&token(&first), LOGS).await.ok();
    for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let answer = refresh(&app, &cookie(&second), &[foreign]).await;
        assert_eq!(answer.problem(), "forbidden", "{foreign:?}");
    }
    let reused = refresh(&app, &cookie(&first), &[]).await;
    assert_eq!(
        (reused.status, reused.problem()),
        (StatusCode::UNAUTHORIZED, "session_ended".into())
    );
    assert!(reused.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    for ended in [token(&first), token(&second)] {
        assert_eq!(app.get(&ended, LOGS).await.problem(), "unauthenticated");
    }
    assert_eq!(refresh(&app, &cookie(&second), &[]).await.problem(), "session_ended");
    assert_eq!(refresh(&app, "other=1", &[]).await.problem(), "session_ended");
    let with_cookie = Request::get(LOGS).header("cookie", cookie(&second));
    let with_cookie = app.call(with_cookie.body(Body::empty()).unwrap()).await;
    assert_eq!(with_cookie.problem(), "unauthenticated", "a cookie opens nothing");
    let expected = ["login ok", "refresh ok", "list ok", "list ok", "refresh denied"];
    assert_eq!(app.accesses(), expected.map(|access| format!("{access} admin")));
}

#[tokio::test]
async fn signing_out_ends_one_session_or_all() {
    let app = TestApp::new().await;
    let sign_in = async || login(&app, "admin", PASSWORD).await.ok();
    let (here, there, third) = (sign_in().await, sign_in().await, sign_in().await);
    assert!(!here.headers["set-cookie"].to_str().unwrap().contains("Secure"), "no TLS");
    let me = app.get(&token(&here), "/api/v1/auth/me").await.ok().json();
    assert_eq!((&me["username"], &me["role"]), (&json!("admin"), &json!("admin")));
    let sessions = app.get(&token(&here), "/api/v1/auth/sessions").await.ok().json();
    let sessions = sessions["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    assert_eq!(
        (&sessions[0]["current"], &sessions[0]["address"]),
        (&json!(true), &json!("192.0.2.9"))
    );
    assert_eq!(sessions[0]["id"], me["session_id"]);
    let uri = format!("/api/v1/auth/sessions/{}", sessions[1]["id"].as_str().unwrap());
    delete(&app, &token(&here), &uri).await.ok();
    assert_eq!(app.get(&token(&there), LOGS).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(delete(&app, &token(&here), &uri).await.problem(), "not_found");
    let viewer = app.person("vera", Role::Viewer, None);
    let uri = format!("/api/v1/auth/sessions/{}", sessions[2]["id"].as_str().unwrap());
    assert_eq!(delete(&app, &viewer, &uri).await.problem(), "not_found", "somebody else's");
    let out = app.post(&token(&here), "/api/v1/auth/logout", Value::Null).await.ok();
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(app.get(&token(&here), LOGS).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&app, &cookie(&here), &[]).await.problem(), "session_ended");
    let fourth = sign_in().await;
    let out = app.post(&token(&third), "/api/v1/auth/logout-all", Value::Null).await.ok().json();
    assert_eq!(out["ended"], 2);
    for ended in [third, fourth] {
        assert_eq!(app.get(&token(&ended), LOGS).await.status, StatusCode::UNAUTHORIZED);
    }
    app.get(&viewer, LOGS).await.ok();
}

#[tokio::test]
async fn people_that_an_admin_makes_change_their_password_first() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let wish = json!({ "username": "vera", "role": "viewer" });
    let made = app.post(&admin, "/api/v1/users", wish.clone()).await.ok();
    assert_eq!(made.status, StatusCode::CREATED);
    let given = made.json()["password"].as_str().unwrap().to_owned();
    assert_eq!(app.post(&admin, "/api/v1/users", wish).await.problem(), "conflict");
    let signed = login(&app, "vera", &given).await.ok();
    assert_eq!(signed.json()["must_change_password"], true);
    let vera = token(&signed);
    assert_eq!(app.get(&vera, LOGS).await.problem(), "password_change_required");
    app.get(&vera, "/api/v1/auth/me").await.ok();
    let change = async |current: &str, new: &str| {
        let body = json!({ "current": current, "new": new });
        app.post(&vera, "/api/v1/auth/password", body).await
    };
    assert_eq!(change("wrong", OTHER).await.problem(), "invalid_credentials");
    assert_eq!(change(&given, "password12").await.problem(), "invalid_request");
    change(&given, OTHER).await.ok();
    app.get(&vera, LOGS).await.ok();
    let uri = "/api/v1/users/vera/password";
    let reset = app.post(&admin, uri, json!({ "password": PASSWORD })).await.ok().json();
    assert_eq!((&reset["password"], &reset["must_change_password"]), (&Value::Null, &json!(true)));
    assert_eq!(app.get(&vera, LOGS).await.status, StatusCode::UNAUTHORIZED);
    let tail = app.accesses().split_off(app.accesses().len() - 2);
    assert_eq!(tail, ["users_password begun admin", "users_password ok admin"]);
}

#[tokio::test]
async fn people_are_listed_changed_and_disabled_at_once() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let vera = app.person("vera", Role::Viewer, Some("u-7"));
    let list = app.get(&admin, "/api/v1/users").await.ok().json();
    let found = &list["items"][1];
    assert_eq!((&found["username"], &found["user_id"]), (&json!("vera"), &json!("u-7")));
    assert!(!list.to_string().contains("argon2"));
    let patch = async |uri: &str, body: Value| {
        app.call(common::request("PATCH", uri, Some(&admin), &body)).await
    };
    let uri = format!("/api/v1/users/{}", found["id"].as_str().unwrap());
    let sessions = app.get(&admin, &format!("{uri}/sessions")).await.ok().json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    assert_eq!(delete(&app, &admin, &format!("{uri}/sessions")).await.ok().json()["ended"], 1);
    assert_eq!(app.get(&vera, LOGS).await.status, StatusCode::UNAUTHORIZED);
    let vera = app.sign_in("vera", PASSWORD);
    let disabled = patch(&uri, json!({ "disabled": true })).await.ok().json();
    assert!(disabled["disabled_at"].is_string());
    assert_eq!(app.get(&vera, LOGS).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&app, "vera", PASSWORD).await.problem(), "invalid_credentials");
    let enabled = json!({ "disabled": false, "role": "compliance_officer", "user_id": "" });
    let enabled = patch("/api/v1/users/VERA", enabled).await.ok().json();
    assert_eq!(
        (&enabled["role"], &enabled["user_id"]),
        (&json!("compliance_officer"), &json!("vera"))
    );
    app.get(&app.sign_in("vera", PASSWORD), "/api/v1/reviews").await.ok();
    let last = patch("/api/v1/users/admin", json!({ "disabled": true })).await;
    assert_eq!(last.problem(), "conflict");
    assert_eq!(patch("/api/v1/users/nobody", json!({})).await.problem(), "not_found");
    assert_eq!(patch(&uri, json!({ "role": "king" })).await.problem(), "invalid_request");
    let expected = ["users_change begun", "users_change failed"].map(|it| format!("{it} admin"));
    let accesses = app.accesses();
    assert!(accesses.windows(2).any(|pair| pair == expected), "{accesses:?}");
}

#[tokio::test]
async fn only_administrators_query_who_may_sign_in() {
    let app = TestApp::new().await;
    let (admin, officer) = (app.admin(), app.person("otto", Role::ComplianceOfficer, None));
    let query = json!({ "query": "SELECT * FROM users" });
    let found = app.post(&admin, "/api/v1/sql", query.clone()).await.ok().json();
    assert_eq!(found["columns"].as_array().unwrap().len(), 8);
    let row = &found["rows"][1];
    assert_eq!(
        (&row[1], &row[2], &row[3]),
        (&json!("otto"), &json!("compliance_officer"), &json!("otto"))
    );
    assert!(!found.to_string().contains("argon2"));
    assert_eq!(app.post(&officer, "/api/v1/sql", query).await.problem(), "invalid_query");
}

#[tokio::test]
async fn callers_that_ask_too_fast_are_told_to_wait() {
    let limits =
        |rate: &str| KeyLimits { rate: rate.parse().ok(), burst: Some(2), ..KeyLimits::default() };
    let settings =
        Settings { user_limits: limits("1/h"), key_limits: limits("1/h"), ..Settings::default() };
    let app = TestApp::with(settings).await;
    let other = app.person("vera", Role::Viewer, None);
    let new = NewKey { scopes: vec![Scope::Read], limits: limits("9/h"), ..NewKey::default() };
    let own = app.control.create_key(new).unwrap().secret.to_string();
    for credential in [app.admin(), other, app.key(None), own] {
        for _ in 0..2 {
            app.get(&credential, LOGS).await.ok();
        }
        for _ in 0..3 {
            let held = app.get(&credential, LOGS).await;
            assert_eq!(held.problem(), "rate_limit_exceeded");
            assert_eq!(held.status, StatusCode::TOO_MANY_REQUESTS);
            let after: u64 = held.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=3_600).contains(&after), "{after}");
        }
    }
    app.operator("GET", LOGS, Value::Null).await.ok();
    let refused = app.accesses().into_iter().filter(|one| one.starts_with("rate_limited denied"));
    assert_eq!(refused.count(), 4, "once for each, not for every refusal");
}

#[tokio::test]
async fn browsers_are_told_to_share_nothing() {
    let app = TestApp::with(Settings { tls: true, ..Settings::default() }).await;
    for (method, uri) in [("GET", LOGS), ("GET", "/healthz"), ("GET", "/x"), ("OPTIONS", LOGS)] {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("origin", "https://evil.example");
        let request = request.header("access-control-request-method", "GET");
        let answer = app.call(request.body(Body::empty()).unwrap()).await;
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("x-frame-options"), Some("DENY"));
        assert_eq!(header("referrer-policy"), Some("no-referrer"));
        assert_eq!(header("cross-origin-resource-policy"), Some("same-origin"));
        assert!(header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert!(header("strict-transport-security").unwrap().starts_with("max-age="));
        let shared = answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(shared, None, "{method} {uri}");
    }
}
