//! The test kit does what it says: a fault that is not injected would prove nothing.

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use testkit::{
    Answer, Behaviour, Chaos, ChaosProxy, Client, Exchange, Fault, MockProvider, ReplayServer,
    refused_url,
};

fn chat(stream: bool) -> Value {
    json!({"model": "gpt-4o-mini", "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

async fn ask(provider: &MockProvider, fault: Fault, stream: bool) -> Answer {
    provider.set(Behaviour::fault(fault));
    let url = format!("{}/v1/chat/completions", provider.url());
    Client::new().post_json(&url, &[], &chat(stream)).await
}

#[tokio::test]
async fn the_provider_answers_and_remembers() {
    let provider = MockProvider::start(Behaviour::good().with_header("x-extra", "1")).await;
    let url = format!("{}/v1/chat/completions?api-version=1", provider.url());
    let answer = Client::new().post_json(&url, &[("x-custom", "a")], &chat(false)).await;
    assert_eq!((answer.status, answer.header("x-extra")), (200, Some("1")));
    assert_eq!(answer.json()["choices"][0]["finish_reason"], "stop");
    provider.wait_for(1).await;
    let received = &provider.received()[0];
    assert_eq!(received.target, "/v1/chat/completions?api-version=1");
    assert_eq!(received.header("X-Custom"), Some("a"));
    assert_eq!(received.body, chat(false).to_string().as_bytes());
}

#[tokio::test]
async fn faults_are_injected() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let failed = ask(&provider, Fault::Status(503), false).await;
    assert_eq!((failed.status, failed.json()["error"]["type"].as_str()), (503, Some("api_error")));
    let malformed = ask(&provider, Fault::MalformedJson, false).await;
    assert!(malformed.complete && serde_json::from_slice::<Value>(&malformed.body).is_err());
    let events = ask(&provider, Fault::MalformedEvents, true).await;
    assert!(events.complete && events.body.windows(2).any(|pair| pair == b"\xff\xfe"));
    let cut = ask(&provider, Fault::CutAfter(2), true).await;
    assert!(!cut.complete && cut.text().matches("data: ").count() <= 2);
    let short = ask(&provider, Fault::ShortBody, false).await;
    assert!(!short.complete && short.header("content-length").is_some());
    let huge = ask(&provider, Fault::Bytes(1_000_001), false).await;
    assert_eq!((huge.complete, huge.body.len()), (true, 1_000_001));
    let raw = Fault::Raw(418, "text/plain".to_owned(), Bytes::from_static(b"teapot"));
    assert_eq!(ask(&provider, raw, false).await.text(), "teapot");
}

#[tokio::test]
async fn connections_break_where_told() {
    let provider = MockProvider::start(Behaviour::fault(Fault::Reset)).await;
    let post = |url: String| {
        http::Request::post(format!("{url}/v1/chat/completions"))
            .body(Full::new(Bytes::from(chat(false).to_string())))
            .expect("a request")
    };
    assert!(Client::new().send(post(provider.url())).await.is_err());
    assert!(Client::new().send(post(refused_url().await)).await.is_err());
}

#[tokio::test]
async fn a_header_chooses_the_behaviour_of_one_request() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let url = format!("{}/v1/messages", provider.url());
    let failed =
        Client::new().post_json(&url, &[("x-mock-behaviour", "status=529")], &chat(false)).await;
    assert_eq!((failed.status, failed.json()["type"].as_str()), (529, Some("error")));
    assert_eq!(Client::new().post_json(&url, &[], &chat(false)).await.status, 200);
}

#[tokio::test]
async fn the_proxy_breaks_what_passes() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let proxy = ChaosProxy::start(provider.address()).await;
    let url = format!("{}/v1/chat/completions", proxy.url());
    let whole = Client::new().post_json(&url, &[], &chat(true)).await;
    assert!(whole.complete && whole.text().ends_with("data: [DONE]\n\n"));
    proxy.set(Chaos::CutAfterBytes(400));
    let cut = Client::new().post_json(&url, &[], &chat(true)).await;
    assert!(!cut.complete && cut.body.len() < 400);
    proxy.set(Chaos::Break);
    let request = http::Request::get(proxy.url()).body(Full::default()).expect("a request");
    assert!(Client::new().send(request).await.is_err());
}

#[tokio::test]
async fn exchanges_are_replayed_byte_for_byte() {
    let exchange = |name: &str, body: &str| -> Exchange {
        serde_json::from_value(json!({
            "name": name, "family": "openai-chat", "host": "api.example.com", "method": "POST",
            "path": "/v1/chat/completions", "request_body": {"model": "m"}, "status": 200,
            "response_content_type": "text/event-stream", "response_body": body,
        }))
        .expect("an exchange")
    };
    let exchanges =
        vec![exchange("a.yaml#0", "data: 1\r\n\n"), exchange("b.yaml#0", "data: é\n\n")];
    let server = ReplayServer::start(exchanges.clone()).await;
    let client = Client::new();
    let named =
        client.post_json(&server.url(), &[ReplayServer::choose(&exchanges[1])], &json!({})).await;
    assert_eq!(named.body, exchanges[1].response_bytes());
    for exchange in &exchanges {
        let next = client.post_json(&server.url(), &[], &exchange.request_body).await;
        assert_eq!(next.body, exchange.response_bytes());
        assert_eq!(next.header("content-type"), Some("text/event-stream"));
    }
    assert_eq!(client.get(&server.url(), &[]).await.status, 599);
}
