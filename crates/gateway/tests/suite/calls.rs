//! Calls that go well.

use crate::harness::{Harness, settings};
use gateway::ProviderKind;
use serde_json::json;
use testkit::{Behaviour, MockProvider};

fn chat(stream: bool) -> String {
    json!({
        "model": "gpt-4o",
        "stream": stream,
        "messages": [{"role": "user", "content": "Write to jane@example.com about the loan."}],
    })
    .to_string()
}

#[tokio::test]
async fn a_plain_call_is_a_complete_decision() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::start(&provider.url()).await;
    let answer = harness
        .post_with(
            "/v1/chat/completions?alt=1",
            &[("x-request-id", "r-1"), ("x-llm-session", "s-1")],
            chat(false),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-request-id"), Some("r-1"));
    assert_eq!(answer.header("x-upstream-request-id"), Some("req_mock"));
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        ["request_received", "routing_start", "routing_success", "request_completed"]
    );
    let decision = &told.decision;
    assert_eq!(decision.source.as_deref(), Some("finance-app"));
    assert_eq!(decision.user_id.as_deref(), Some("u-42"));
    assert_eq!(decision.session_id.as_deref(), Some("s-1"));
    assert_eq!(decision.status_code, Some(200));
    assert_eq!(decision.ending.as_deref(), Some("complete"));
    assert_eq!(decision.finish_reason.as_deref(), Some("stop"));
    assert_eq!(decision.usage_origin.as_deref(), Some("provider"));
    assert!(decision.input_tokens.unwrap() > 0 && decision.output_tokens.unwrap() > 0);
    let preview = decision.prompt_preview.as_deref().unwrap();
    assert!(preview.contains("<EMAIL_1>") && !preview.contains("jane@"), "{preview}");
    assert_eq!(told.bodies["client_request"], chat(false).as_bytes());
    assert_eq!(told.bodies["upstream_response"], answer.body);
}

#[tokio::test]
async fn what_is_ours_does_not_reach_the_provider_and_the_rest_does() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut told = settings(&provider.url());
    told.providers[0].kind = ProviderKind::Anthropic;
    told.providers[0].api_key = Some("sk-ant-theirs".parse().unwrap());
    let harness = Harness::with(told).await;
    let body = json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = harness
        .post_with(
            "/v1/messages",
            &[("anthropic-version", "2023-06-01"), ("traceparent", trace)],
            body.to_string(),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-trace-id"), Some("0af76519-16cd-43dd-8448-eb211c80319c"));
    let seen = &provider.received()[0];
    assert_eq!(seen.header("x-api-key"), Some("sk-ant-theirs"));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(seen.header("traceparent"), Some(trace));
    assert!(
        seen.headers
            .iter()
            .all(|(name, value)| !name.starts_with("x-llm-") && !value.contains("al_gw_"))
    );
    assert_eq!(seen.body, body.to_string());
}

#[tokio::test]
async fn a_stream_flows_and_its_usage_is_asked_for_and_hidden() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::start(&provider.url()).await;
    let answer = harness.post("/v1/chat/completions", chat(true)).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    assert!(!answer.text().contains("\"choices\":[]"), "{}", answer.text());
    let told = harness.ended(1).await.remove(0);
    assert!(told.decision.output_tokens.unwrap() > 0);
    assert_eq!(told.decision.streamed, Some(true));
    assert_eq!(told.bodies["client_response"], answer.body);
    let sent = String::from_utf8(told.bodies["upstream_request"].clone()).unwrap();
    assert!(sent.contains("include_usage"));
    assert_eq!(provider.received()[0].body, sent);
    assert_ne!(told.bodies["upstream_response"], answer.body);
}

#[tokio::test]
async fn no_name_and_no_secret_stands_in_clear_in_the_journal() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::start(&provider.url()).await;
    let more = [
        ("x-llm-user-email", "marker-mail@example.com"),
        ("authorization", "Bearer marker-secret"),
        ("cookie", "marker-cookie"),
    ];
    let headers = [
        ("x-llm-user", "marker-user"),
        ("x-llm-source", "app"),
        ("x-llm-request-type", "ask"),
        ("x-api-key", &harness.key),
    ];
    let headers: Vec<_> = headers.into_iter().chain(more).collect();
    let url = format!("{}/v1/chat/completions?key=marker-query", harness.url);
    harness.client.call("POST", &url, &headers, chat(false)).await;
    let told = harness.ended(1).await;
    let journal = harness.journal_text();
    for marker in ["marker-user", "marker-mail", "jane@", &harness.key] {
        assert!(!contains(&journal, marker.as_bytes()), "{marker} is in clear");
    }
    let all = format!("{told:?}");
    for marker in ["marker-secret", "marker-cookie", "marker-query", &harness.key] {
        assert!(!all.contains(marker), "{marker} was recorded");
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn opaque_bodies_pass_unchanged() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::start(&provider.url()).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    let headers: Vec<_> = harness
        .headers()
        .into_iter()
        .filter(|(name, _)| *name != "content-type")
        .chain(headers)
        .collect();
    let url = format!("{}/v1/audio/transcriptions", harness.url);
    harness.client.call("POST", &url, &headers, bytes.clone()).await;
    assert_eq!(provider.received()[0].body, bytes);
    assert_eq!(harness.ended(1).await[0].bodies["client_request"], bytes);
}

#[tokio::test]
async fn health_needs_no_key_and_leaves_no_record() {
    let harness = Harness::start("http://127.0.0.1:9").await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(harness.client.get(&format!("{}{path}", harness.url), &[]).await.status, 200);
    }
    assert!(harness.decisions().is_empty());
}
