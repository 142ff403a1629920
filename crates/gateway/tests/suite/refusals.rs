//! Requests that go no further than admission.

use crate::harness::{Harness, settings};
use serde_json::json;
use testkit::{Behaviour, MockProvider};

const CHAT: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;

async fn harness() -> (MockProvider, Harness) {
    let provider = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::start(&provider.url()).await;
    (provider, harness)
}

#[tokio::test]
async fn bad_headers_are_named_and_recorded() {
    let (provider, harness) = harness().await;
    let long = "x".repeat(257);
    let cases: [(&str, Option<&str>, &str); 12] = [
        ("x-llm-user", None, "missing_header"),
        ("x-llm-user", Some(""), "missing_header"),
        ("x-llm-user", Some("{{user}}"), "missing_header"),
        ("x-llm-source", Some("<source>"), "missing_header"),
        ("x-llm-request-type", Some("undefined"), "missing_header"),
        ("x-llm-user", Some("None"), "missing_header"),
        ("x-llm-user", Some(&long), "invalid_header"),
        ("x-llm-user", Some("J\u{f6}rg"), "invalid_header"),
        ("x-llm-session", Some(&long), "invalid_header"),
        ("traceparent", Some("00-zz"), "invalid_header"),
        ("x-trace-id", Some("nope"), "invalid_header"),
        ("x-llm-subject", Some("a,b,c,d,e,f,g,h,i"), "invalid_header"),
    ];
    for (name, value, code) in cases {
        let headers: Vec<_> = harness
            .headers()
            .into_iter()
            .filter(|(known, _)| *known != name)
            .chain(value.map(|value| (name, value)))
            .collect();
        let url = format!("{}/v1/chat/completions", harness.url);
        let answer = harness.client.call("POST", &url, &headers, CHAT).await;
        assert_eq!(answer.status, 400, "{name}: {value:?}");
        let error = answer.json();
        assert_eq!(error["error"]["code"], code, "{name}: {value:?}");
        assert_eq!(error["error"]["param"], name);
        assert_eq!(error["request_id"], answer.header("x-request-id").unwrap());
        let told = harness.decision_of(&answer);
        assert_eq!(told.types(), ["request_received", "request_rejected"]);
        assert_eq!(told.decision.error_code.as_deref(), Some(code));
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_repeated_header_is_refused() {
    let (_provider, harness) = harness().await;
    let answer =
        harness.post_with("/v1/chat/completions", &[("x-llm-user", "another")], CHAT).await;
    assert_eq!(answer.json()["error"]["code"], "invalid_header");
}

#[tokio::test]
async fn keys_are_checked_and_bound_to_sources() {
    let (provider, harness) = harness().await;
    let url = format!("{}/v1/messages", harness.url);
    let meta = [("x-llm-source", "other-app"), ("x-llm-user", "u"), ("x-llm-request-type", "ask")];
    for key in ["", "al_gw_wrong", "sk-proj-theirs"] {
        let headers: Vec<_> = meta.into_iter().chain([("x-api-key", key)]).collect();
        let answer = harness.client.call("POST", &url, &headers, CHAT).await;
        assert_eq!(answer.status, 401, "{key:?}");
        assert_eq!(answer.json()["error"]["type"], "authentication_error");
    }
    let bearer = format!("Bearer {}", harness.bound_key);
    let headers: Vec<_> = meta.into_iter().chain([("authorization", bearer.as_str())]).collect();
    let answer = harness.client.call("POST", &url, &headers, CHAT).await;
    assert_eq!((answer.status, provider.count()), (403, 0));
    let headers =
        [("authorization", bearer.as_str()), ("x-llm-user", "u"), ("x-llm-request-type", "ask")];
    let answer = harness.client.call("POST", &url, &headers, CHAT).await;
    assert_eq!(answer.status, 200);
    assert_eq!(harness.decision_of(&answer).decision.source.as_deref(), Some("finance-app"));
}

#[tokio::test]
async fn a_flood_of_bad_keys_is_merged() {
    let (_provider, harness) = harness().await;
    let url = format!("{}/v1/chat/completions", harness.url);
    for _ in 0..40 {
        let answer = harness.client.call("POST", &url, &[("x-api-key", "al_gw_wrong")], CHAT).await;
        assert_eq!(answer.status, 401);
    }
    let mut counted = 0;
    for enough in 11.. {
        let told = harness.ended(enough.min(11)).await;
        counted = told
            .iter()
            .map(|told| told.field("request_rejected", "count").as_u64().unwrap_or(1))
            .sum::<u64>();
        if counted >= 40 {
            assert!(told.len() < 40, "{} records", told.len());
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(counted, 40);
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_and_kept() {
    let (provider, harness) = harness().await;
    for body in ["", "not json", "[1,2", "\"text\"", "{\"model\":"] {
        let answer = harness.post("/v1/chat/completions", body).await;
        assert_eq!(answer.status, 400, "{body:?}");
        assert_eq!(answer.json()["error"]["code"], "invalid_body", "{body:?}");
        let told = harness.decision_of(&answer);
        let kept = told.bodies.get("client_request").cloned().unwrap_or_default();
        assert_eq!(kept, body.as_bytes());
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn odd_bodies_that_a_provider_might_take_pass_byte_exact() {
    let (provider, harness) = harness().await;
    let deep = format!(r#"{{"model":"m","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let odd: [&[u8]; 5] = [
        br#"{"model":"m","messages":[],"n":1e400}"#,
        br#"{"model":"m","model":"n","messages":[]}"#,
        br#"{"model":"m","messages":[{"role":"user","content":"\ud800"}]}"#,
        br#"{"model":"m","messages":[{"role":"user","content":"a\u0000b"}]}"#,
        deep.as_bytes(),
    ];
    for (number, body) in odd.into_iter().enumerate() {
        let answer = harness.post("/v1/chat/completions", body.to_vec()).await;
        assert!(answer.header("x-audit-id").is_some());
        if answer.status == 200 {
            assert_eq!(provider.received().last().unwrap().body, body, "{number}");
        }
        let told = harness.decision_of(&answer);
        assert_eq!(told.bodies["client_request"], body, "{number}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let (provider, harness) = harness().await;
    let answer = harness.post("/v1/chat/completions", vec![b' '; (4 << 20) + 1]).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["error"]["code"], "body_too_large");
    assert_eq!(provider.count(), 0);
    assert_eq!(harness.ended(1).await[0].decision.status_code, Some(413));
}

#[tokio::test]
async fn a_base_path_is_stripped() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut settings = settings(&provider.url());
    settings.base_path = "/prod".to_owned();
    let harness = Harness::with(settings).await;
    assert_eq!(harness.post("/prod/v1/chat/completions", CHAT).await.status, 200);
    assert_eq!(provider.received()[0].target, "/v1/chat/completions");
    assert_eq!(harness.post("/v1/chat/completions", CHAT).await.status, 404);
}

#[tokio::test]
async fn without_authentication_the_callers_credential_goes_on() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut settings = settings(&provider.url());
    settings.authentication = gateway::Authentication::None;
    let harness = Harness::with(settings).await;
    let headers = [
        ("authorization", "Bearer sk-theirs"),
        ("x-llm-source", "app"),
        ("x-llm-user", "u"),
        ("x-llm-request-type", "ask"),
    ];
    let url = format!("{}/v1/chat/completions", harness.url);
    let body = json!({"model": "gpt-4o", "messages": []}).to_string();
    assert_eq!(harness.client.call("POST", &url, &headers, body).await.status, 200);
    assert_eq!(provider.received()[0].header("authorization"), Some("Bearer sk-theirs"));
}
