//! Rates and quotas of keys.

use crate::harness::{Harness, settings};
use control::{KeyLimits, NewKey, Scope};
use serde_json::json;
use testkit::{Answer, Behaviour, MockProvider};

const CHAT: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;

fn key(harness: &Harness, limits: KeyLimits) -> String {
    let new = NewKey { scopes: vec![Scope::Gateway], limits, ..NewKey::default() };
    harness.control.create_key(new).unwrap().secret.to_string()
}

async fn call(harness: &Harness, key: &str, path: &str) -> Answer {
    let headers: Vec<_> = harness
        .headers()
        .into_iter()
        .map(|(name, value)| if name == "x-api-key" { (name, key) } else { (name, value) })
        .collect();
    harness.client.call("POST", &format!("{}{path}", harness.url), &headers, CHAT).await
}

async fn harness() -> (MockProvider, Harness) {
    let provider = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::start(&provider.url()).await;
    (provider, harness)
}

#[tokio::test]
async fn beyond_its_rate_a_key_is_refused_and_others_are_not() {
    let (provider, harness) = harness().await;
    let limits = KeyLimits { rate: "2/h".parse().ok(), burst: Some(2), ..KeyLimits::default() };
    let limited = key(&harness, limits);
    for _ in 0..2 {
        assert_eq!(call(&harness, &limited, "/v1/chat/completions").await.status, 200);
    }
    let answer = call(&harness, &limited, "/v1/chat/completions").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1_790..=1_800).contains(&after), "{after}");
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("2/h"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    assert!(answer.header("x-ratelimit-reset-requests").unwrap().starts_with("29m"));
    assert_eq!(answer.header("x-should-retry"), None);
    let told = harness.decision_of(&answer);
    assert_eq!(told.types(), ["request_received", "request_rejected"]);
    assert_eq!(told.decision.error_code.as_deref(), Some("rate_limit_exceeded"));
    assert_eq!(told.decision.status_code, Some(429));
    assert_eq!(told.decision.user_id.as_deref(), Some("u-42"));
    assert_eq!(provider.count(), 2);
    let anthropic = call(&harness, &limited, "/v1/messages").await;
    assert_eq!(anthropic.json()["error"]["type"], "rate_limit_error");
    assert_eq!(call(&harness, &harness.key, "/v1/chat/completions").await.status, 200);
}

#[tokio::test]
async fn a_rate_lets_through_again_in_time() {
    let (provider, harness) = harness().await;
    let limits = KeyLimits { rate: "50/s".parse().ok(), burst: Some(1), ..KeyLimits::default() };
    let limited = key(&harness, limits);
    while provider.count() < 3 {
        let status = call(&harness, &limited, "/v1/chat/completions").await.status;
        assert!(status == 200 || status == 429, "{status}");
    }
}

#[tokio::test]
async fn tokens_and_cost_of_a_day_are_counted_afterwards() {
    let (provider, harness) = harness().await;
    let tokens = KeyLimits { tokens_per_day: Some(1), ..KeyLimits::default() };
    let cost = KeyLimits { cost_per_day: "0.00000001".parse().ok(), ..KeyLimits::default() };
    let requests = KeyLimits { requests_per_day: Some(1), ..KeyLimits::default() };
    for (limits, unit, limit) in
        [(tokens, "tokens", "1"), (cost, "cost", "0.00000001"), (requests, "requests", "1")]
    {
        let limited = key(&harness, limits);
        let before = provider.count();
        assert_eq!(call(&harness, &limited, "/v1/chat/completions").await.status, 200);
        let answer = call(&harness, &limited, "/v1/chat/completions").await;
        assert_eq!((answer.status, provider.count()), (429, before + 1), "{unit}");
        assert_eq!(answer.header(&format!("x-ratelimit-limit-{unit}")), Some(limit));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=86_400).contains(&after), "{after}");
    }
}

#[tokio::test]
async fn the_configured_limits_hold_for_keys_without_their_own() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut settings = settings(&provider.url());
    settings.limits = KeyLimits { requests_per_day: Some(1), ..KeyLimits::default() };
    let harness = Harness::with(settings).await;
    let own = KeyLimits { requests_per_day: Some(2), ..KeyLimits::default() };
    let own = key(&harness, own);
    let mut statuses = Vec::new();
    for key in [&harness.key, &harness.key, &own, &own, &own] {
        statuses.push(call(&harness, key, "/v1/chat/completions").await.status);
    }
    assert_eq!(statuses, [200, 429, 200, 200, 429]);
}

#[tokio::test]
async fn what_is_refused_for_another_reason_costs_nothing() {
    let (_provider, harness) = harness().await;
    let limits = KeyLimits { requests_per_day: Some(1), ..KeyLimits::default() };
    let limited = key(&harness, limits);
    let headers = [("x-api-key", limited.as_str())];
    let url = format!("{}/v1/chat/completions", harness.url);
    for _ in 0..3 {
        assert_eq!(harness.client.call("POST", &url, &headers, CHAT).await.status, 400);
    }
    assert_eq!(call(&harness, &limited, "/v1/chat/completions").await.status, 200);
    assert_eq!(json!(call(&harness, &limited, "/v1/chat/completions").await.status), 429);
}
