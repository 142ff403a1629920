//! Calls that do not go well, after admission.

use crate::harness::{Harness, settings};
use serde_json::json;
use std::time::Duration;
use testkit::{Behaviour, Fault, MockProvider, refused_url};

fn chat(stream: bool) -> String {
    json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
        .to_string()
}

#[tokio::test]
async fn a_provider_that_refuses_connections_is_a_502_and_a_record() {
    let harness = Harness::start(&refused_url().await).await;
    let answer = harness.post("/v1/chat/completions", chat(false)).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["error"]["code"], "upstream_error");
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        ["request_received", "routing_start", "routing_failed", "request_failed"]
    );
    assert_eq!(told.field("routing_failed", "error_kind"), "connect");
}

#[tokio::test]
async fn a_provider_that_never_answers_is_a_504() {
    let provider = MockProvider::start(Behaviour::fault(Fault::Silence)).await;
    let mut settings = settings(&provider.url());
    settings.timeouts.first_byte = Duration::from_millis(100);
    let harness = Harness::with(settings).await;
    let answer = harness
        .post(
            "/v1/messages",
            json!({"model": "claude-haiku-4-5", "max_tokens": 1, "messages": []}).to_string(),
        )
        .await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["type"], "error");
    assert_eq!(
        harness.decision_of(&answer).decision.error_code.as_deref(),
        Some("upstream_timeout")
    );
}

#[tokio::test]
async fn a_providers_own_error_passes_as_it_is() {
    let provider = MockProvider::start(Behaviour::fault(Fault::Status(429))).await;
    let harness = Harness::start(&provider.url()).await;
    let answer = harness.post("/v1/chat/completions", chat(false)).await;
    assert_eq!(answer.status, 429);
    let told = harness.decision_of(&answer);
    assert_eq!(told.decision.status_code, Some(429));
    assert_eq!(told.bodies["upstream_response"], answer.body);
    assert_eq!(told.decision.cost_usd, None);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_cut_and_recorded_as_interrupted() {
    let paced = Behaviour::slow(Duration::ZERO, Duration::from_millis(20));
    let cut = Behaviour { fault: Fault::CutAfter(3), ..paced };
    let provider = MockProvider::start(cut).await;
    let harness = Harness::start(&provider.url()).await;
    let answer = harness.post("/v1/chat/completions", chat(true)).await;
    assert!(!answer.complete, "the caller must see that the answer is not whole");
    let told = harness.ended(1).await.remove(0);
    assert_eq!(told.decision.ending.as_deref(), Some("upstream_interrupted"));
    assert!(!told.bodies["upstream_response"].is_empty());
}

#[tokio::test]
async fn a_short_body_is_a_502() {
    let provider = MockProvider::start(Behaviour::fault(Fault::ShortBody)).await;
    let harness = Harness::start(&provider.url()).await;
    let answer = harness.post("/v1/chat/completions", chat(false)).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    let told = harness.decision_of(&answer);
    assert_eq!(told.decision.ending.as_deref(), Some("upstream_interrupted"));
    assert_eq!(told.decision.status_code, Some(502));
}

#[tokio::test]
async fn malformed_answers_pass_and_are_recorded() {
    for (fault, stream) in [(Fault::MalformedJson, false), (Fault::MalformedEvents, true)] {
        let provider = MockProvider::start(Behaviour::fault(fault.clone())).await;
        let harness = Harness::start(&provider.url()).await;
        let answer = harness.post("/v1/chat/completions", chat(stream)).await;
        assert_eq!(answer.status, 200, "{fault:?}");
        let told = harness.ended(1).await.remove(0);
        assert_eq!(told.decision.status_code, Some(200), "{fault:?}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_mid_stream_cancels_the_provider() {
    let provider = MockProvider::start(Behaviour::fault(Fault::HangAfter(3))).await;
    let harness = Harness::start(&provider.url()).await;
    let mut request = http::Request::post(format!("{}/v1/chat/completions", harness.url));
    for (name, value) in harness.headers() {
        request = request.header(name, value);
    }
    let request = request.body(http_body_util::Full::new(chat(true).into())).unwrap();
    let mut answer = harness.client.send(request).await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    drop(answer);
    let told = harness.ended(1).await.remove(0);
    assert_eq!(told.decision.ending.as_deref(), Some("client_disconnected"));
    assert!(told.field("request_completed", "bytes_delivered").as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_is_recorded() {
    let provider = MockProvider::start(Behaviour::fault(Fault::Silence)).await;
    let harness = Harness::start(&provider.url()).await;
    let url = format!("{}/v1/chat/completions", harness.url);
    let headers = harness.headers();
    let call = harness.client.call("POST", &url, &headers, chat(false));
    tokio::select! {
        _ = call => panic!("no answer was expected"),
        () = provider.wait_for(1) => {}
    }
    let told = harness.ended(1).await.remove(0);
    assert_eq!(told.decision.ending.as_deref(), Some("client_disconnected"));
}

#[tokio::test]
async fn a_large_answer_flows_and_is_recorded_whole() {
    let provider = MockProvider::start(Behaviour::fault(Fault::Bytes(5 << 20))).await;
    let harness = Harness::start(&provider.url()).await;
    let answer = harness.post("/v1/files/big", "{}").await;
    assert_eq!(answer.body.len(), 5 << 20);
    let told = harness.ended(1).await.remove(0);
    assert_eq!(told.bodies["upstream_response"], answer.body);
}
