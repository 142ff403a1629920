//! Models over several targets: retries, fallbacks, circuits, places.

use crate::harness::{Harness, provider, with_model};
use gateway::{Breaker, Retry, Settings, Strategy};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Behaviour, Fault, MockProvider, refused_url};

pub fn chat(model: &str) -> String {
    format!(r#"{{"model": "{model}",  "messages": [{{"role":"user","content":"hi"}}], "n":1 }}"#)
}

fn streamed() -> String {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]})
        .to_string()
}

async fn mock() -> MockProvider {
    MockProvider::start(Behaviour::good()).await
}

fn status(status: u16) -> Behaviour {
    Behaviour::fault(Fault::Status(status))
}

/// A model over two providers, `a` and `b`.
async fn two(change: impl FnOnce(&mut Settings)) -> (MockProvider, MockProvider, Harness) {
    let (a, b) = (mock().await, mock().await);
    let mut settings = with_model(vec![provider("a", &a.url()), provider("b", &b.url())]);
    change(&mut settings);
    (a, b, Harness::with(settings).await)
}

/// A model over one provider.
async fn one(change: impl FnOnce(&mut Settings)) -> (MockProvider, Harness) {
    let a = mock().await;
    let mut settings = with_model(vec![provider("a", &a.url())]);
    change(&mut settings);
    (a, Harness::with(settings).await)
}

#[tokio::test]
async fn a_model_is_named_as_its_target_does_and_nothing_else_changes() {
    let (a, _b, harness) = two(|_| {}).await;
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(a.received()[0].body, chat("m-at-a"));
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        ["request_received", "routing_start", "routing_success", "request_completed"]
    );
    assert_eq!(told.field("routing_start", "strategy"), "priority");
    assert_eq!(told.field("routing_start", "candidates"), json!(["a/m-at-a", "b/m-at-b"]));
    assert_eq!(told.field("routing_success", "model"), "m-at-a");
    assert_eq!(told.field("routing_success", "fallback_from"), Value::Null);
    assert_eq!(told.decision.model_requested.as_deref(), Some("m"));
    assert_eq!(told.bodies["client_request"], chat("m").as_bytes());
    assert_eq!(told.parts[&("upstream_request", 0)], chat("m-at-a").as_bytes());
    assert_eq!(told.parts[&("upstream_response", 0)], answer.body);
}

#[tokio::test]
async fn what_is_sent_as_it_came_is_not_recorded_twice() {
    let (a, harness) = one(|settings| settings.models[0].targets[0].model = "m".to_owned()).await;
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!(a.received()[0].body, chat("m"));
    assert!(!harness.decision_of(&answer).bodies.contains_key("upstream_request"));
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_tried_again_and_then_the_next() {
    let b = mock().await;
    let down = provider("a", &refused_url().await);
    let harness = Harness::with(with_model(vec![down, provider("b", &b.url())])).await;
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!(answer.status, 200);
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        [
            "request_received",
            "routing_start",
            "routing_failed",
            "routing_failed",
            "routing_success",
            "request_completed"
        ]
    );
    assert_eq!(told.fields("routing_failed", "attempt"), [1, 2]);
    assert_eq!(told.fields("routing_failed", "error_kind"), ["connect", "connect"]);
    assert_eq!(told.fields("routing_failed", "will_retry"), [true, true]);
    assert_eq!(told.fields("routing_failed", "next_target"), ["a/m-at-a", "b/m-at-b"]);
    assert_eq!(told.field("routing_success", "attempt"), 3);
    assert_eq!(told.field("routing_success", "provider"), "b");
    assert_eq!(told.field("routing_success", "fallback_from"), "a/m-at-a");
    for (attempt, model) in [(0, "m-at-a"), (1, "m-at-a"), (2, "m-at-b")] {
        assert_eq!(told.parts[&("upstream_request", attempt)], chat(model).as_bytes());
    }
    assert_eq!(told.parts[&("upstream_response", 2)], answer.body);
    assert_eq!(told.decision.provider.as_deref(), Some("b"));
}

#[tokio::test]
async fn all_targets_down_is_a_502_with_every_attempt_recorded() {
    let down = vec![provider("a", &refused_url().await), provider("b", &refused_url().await)];
    let harness = Harness::with(with_model(down)).await;
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["error"]["code"], "upstream_error");
    let told = harness.decision_of(&answer);
    assert_eq!(told.fields("routing_failed", "attempt"), [1, 2, 3, 4]);
    assert_eq!(told.fields("routing_failed", "will_retry"), [true, true, true, false]);
    assert_eq!(told.field("routing_failed", "next_target"), Value::Null);
    assert_eq!(told.types().last(), Some(&"request_failed"));
    assert_eq!(told.decision.error_code.as_deref(), Some("upstream_error"));
    assert_eq!(told.parts.keys().filter(|(role, _)| *role == "upstream_request").count(), 4);
}

#[tokio::test]
async fn errors_of_a_provider_are_tried_again_and_told() {
    let (a, harness) = one(|settings| settings.models[0].retry.retries = 2).await;
    a.script([status(500), Behaviour::fault(Fault::Reset)]);
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count()), (200, 3));
    let told = harness.decision_of(&answer);
    assert_eq!(told.fields("routing_failed", "error_kind"), ["status", "protocol"]);
    assert_eq!(told.fields("routing_failed", "status_code"), [json!(500), Value::Null]);
    let error = &told.fields("routing_failed", "error")[0];
    assert!(error.as_str().unwrap().contains("told to fail"), "{error}");
    assert_eq!(told.field("routing_success", "fallback_from"), Value::Null);
}

#[tokio::test]
async fn the_last_error_of_a_provider_passes_as_it_is() {
    let (a, b, harness) = two(|settings| settings.models[0].retry.retries = 0).await;
    a.set(status(503));
    b.set(status(500));
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count(), b.count()), (500, 1, 1));
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        [
            "request_received",
            "routing_start",
            "routing_failed",
            "routing_failed",
            "request_completed"
        ]
    );
    assert_eq!(told.fields("routing_failed", "status_code"), [503, 500]);
    assert_eq!(told.fields("routing_failed", "upstream_request_id")[1], "req_mock");
    assert_eq!(told.fields("routing_failed", "will_retry"), [true, false]);
    assert_eq!(told.parts[&("upstream_response", 1)], answer.body);
    assert_eq!(told.decision.status_code, Some(500));
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_not_tried_again() {
    let (a, b, harness) = two(|_| {}).await;
    for code in [400, 401, 404, 422] {
        a.set(status(code));
        assert_eq!(harness.post("/v1/chat/completions", chat("m")).await.status, code);
    }
    assert_eq!((a.count(), b.count()), (4, 0));
}

#[tokio::test]
async fn retry_after_is_waited_for_where_it_is_short() {
    let (a, harness) = one(|_| {}).await;
    a.script([status(429).with_header("retry-after-ms", "20")]);
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count()), (200, 2));
    let failed = harness.decision_of(&answer);
    let success = failed.events.iter().find(|e| e.event_type().as_str() == "routing_success");
    let waited = success.unwrap().timestamp.as_micros()
        - failed
            .events
            .iter()
            .find(|e| e.event_type().as_str() == "routing_failed")
            .unwrap()
            .timestamp
            .as_micros();
    assert!(waited >= 20_000, "{waited} us");

    a.set(status(429).with_header("retry-after", "30"));
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count()), (429, 3));
    assert_eq!(answer.header("retry-after"), Some("30"));
}

#[tokio::test]
async fn who_asks_for_a_pause_gets_one_while_others_answer() {
    let (a, b, harness) = two(|_| {}).await;
    a.set(status(429).with_header("retry-after", "30"));
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count(), b.count()), (200, 1, 1));
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count(), b.count()), (200, 1, 2));
    let told = harness.decision_of(&answer);
    assert_eq!(told.field("routing_start", "candidates"), json!(["b/m-at-b", "a/m-at-a"]));
}

#[tokio::test]
async fn a_target_that_hangs_is_left_for_the_next() {
    let (a, _b, harness) = two(|settings| {
        settings.models[0].targets[0].first_byte = Duration::from_millis(50);
    })
    .await;
    a.set(Behaviour::fault(Fault::Silence));
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count()), (200, 1));
    assert_eq!(harness.decision_of(&answer).field("routing_failed", "error_kind"), "timeout");
}

#[tokio::test]
async fn a_model_whose_targets_all_hang_is_a_504() {
    let (a, harness) = one(|settings| {
        settings.models[0].targets[0].first_byte = Duration::from_millis(50);
    })
    .await;
    a.set(Behaviour::fault(Fault::Silence));
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count()), (504, 1));
    assert_eq!(answer.json()["error"]["code"], "upstream_timeout");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_in_all_is_cut() {
    let (a, harness) = one(|settings| {
        settings.models[0].targets[0].total = Some(Duration::from_millis(100));
        settings.models[0].targets[0].idle = Duration::from_hours(1);
    })
    .await;
    a.set(Behaviour::fault(Fault::HangAfter(2)));
    let call = harness.post("/v1/chat/completions", streamed());
    let answer = tokio::time::timeout(Duration::from_secs(20), call).await.expect("a cut");
    assert!(!answer.complete);
    let told = harness.ended(1).await.remove(0);
    assert_eq!(told.decision.ending.as_deref(), Some("upstream_interrupted"));
    let error = told.field("request_completed", "error");
    assert!(error.as_str().unwrap().contains("longer than allowed"), "{error}");
}

#[tokio::test]
async fn nothing_is_tried_again_once_a_byte_was_released() {
    let (a, b, harness) = two(|_| {}).await;
    // Paced, so that the head is not lost with the connection.
    let paced = Behaviour::slow(Duration::ZERO, Duration::from_millis(20));
    a.set(Behaviour { fault: Fault::CutAfter(3), ..paced });
    let answer = harness.post("/v1/chat/completions", streamed()).await;
    assert!(!answer.complete);
    assert_eq!((a.count(), b.count()), (1, 0));
}

#[tokio::test]
async fn usage_is_asked_for_under_the_target_s_name() {
    let (a, _b, harness) = two(|_| {}).await;
    a.script([status(503)]);
    let answer = harness.post("/v1/chat/completions", streamed()).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    assert!(!answer.text().contains("\"choices\":[]"), "the chunk that we caused is hidden");
    let told = harness.ended(1).await.remove(0);
    let sent = String::from_utf8(told.parts[&("upstream_request", 1)].clone()).unwrap();
    assert!(sent.contains("include_usage") && sent.contains("m-at-a"), "{sent}");
    assert!(told.decision.output_tokens.unwrap() > 0);
}

#[tokio::test]
async fn a_circuit_opens_after_failures_in_a_row_and_is_shown() {
    let (a, b, harness) = two(|settings| {
        let model = &mut settings.models[0];
        model.breaker = Breaker { failures: 3, open: Duration::from_hours(1) };
        model.retry.retries = 0;
    })
    .await;
    a.set(status(500));
    for _ in 0..5 {
        assert_eq!(harness.post("/v1/chat/completions", chat("m")).await.status, 200);
    }
    assert_eq!((a.count(), b.count()), (3, 5));
    let told = harness.decisions().pop().unwrap();
    assert_eq!(told.fields("routing_failed", "error_kind"), ["circuit_open"]);
    assert_eq!(told.field("routing_success", "fallback_from"), "a/m-at-a");
    assert_eq!(told.field("routing_success", "attempt"), 2);
    let ready = harness.client.get(&format!("{}/readyz", harness.url), &[]).await.json();
    assert_eq!(ready["targets"][0]["circuit"], "open", "{ready}");
    assert_eq!(
        ready["targets"][1],
        json!({"model": "m", "target": "b/m-at-b", "circuit": "closed", "in_flight": 0})
    );

    b.set(status(500));
    for _ in 0..3 {
        assert_eq!(harness.post("/v1/chat/completions", chat("m")).await.status, 500);
    }
    let answer = harness.post("/v1/chat/completions", chat("m")).await;
    assert_eq!((answer.status, a.count(), b.count()), (502, 3, 8));
    let told = harness.decision_of(&answer);
    assert_eq!(told.fields("routing_failed", "error_kind"), ["circuit_open", "circuit_open"]);
    assert_eq!(told.fields("routing_failed", "will_retry"), [true, false]);
}

#[tokio::test]
async fn a_target_that_is_back_is_found_by_one_call_that_tries() {
    let (a, harness) = one(|settings| {
        let model = &mut settings.models[0];
        model.breaker = Breaker { failures: 1, open: Duration::from_millis(1) };
        model.retry.retries = 0;
    })
    .await;
    a.script([status(500)]);
    assert_eq!(harness.post("/v1/chat/completions", chat("m")).await.status, 500);
    // Until the circuit is half open, calls are refused without asking the target.
    while harness.post("/v1/chat/completions", chat("m")).await.status != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(a.count(), 2);
    let ready = harness.client.get(&format!("{}/readyz", harness.url), &[]).await.json();
    assert_eq!(ready["targets"][0]["circuit"], "closed");
}

#[tokio::test]
async fn a_full_target_is_passed_over() {
    let (a, b, harness) =
        two(|settings| settings.models[0].targets[0].concurrency_max = Some(1)).await;
    a.set(Behaviour::fault(Fault::Silence));
    let url = format!("{}/v1/chat/completions", harness.url);
    let headers = harness.headers();
    let first = harness.client.call("POST", &url, &headers, chat("m"));
    let second = async {
        a.wait_for(1).await;
        harness.post("/v1/chat/completions", chat("m")).await
    };
    let answer = tokio::select! {
        _ = first => panic!("the first call hangs"),
        answer = second => answer,
    };
    assert_eq!((answer.status, a.count(), b.count()), (200, 1, 1));
    assert_eq!(harness.decision_of(&answer).field("routing_failed", "error_kind"), "busy");
}

#[tokio::test]
async fn calls_wait_for_their_turn_where_there_is_no_other_target() {
    let (a, harness) = one(|settings| {
        settings.models[0].targets[0].concurrency_max = Some(1);
        settings.models[0].targets[0].queue = Duration::from_secs(20);
    })
    .await;
    a.set(Behaviour::slow(Duration::from_millis(30), Duration::ZERO));
    let call = || harness.post("/v1/chat/completions", chat("m"));
    let (one, two, three) = tokio::join!(call(), call(), call());
    assert_eq!([one.status, two.status, three.status], [200; 3]);
    let told = harness.ended(3).await;
    let busy = told.iter().filter(|t| t.fields("routing_failed", "error_kind") == ["busy"]).count();
    assert_eq!((busy, a.count()), (2, 3));
}

#[tokio::test]
async fn the_other_strategies_reach_every_target() {
    for strategy in [Strategy::Weighted, Strategy::LeastLatency] {
        let (a, b, harness) = two(|settings| settings.models[0].strategy = strategy).await;
        a.set(Behaviour::slow(Duration::from_millis(5), Duration::ZERO));
        while a.count() == 0 || b.count() == 0 {
            let answer = harness.post("/v1/chat/completions", chat("m")).await;
            assert_eq!(answer.status, 200);
            let told = harness.decision_of(&answer);
            assert_eq!(told.field("routing_start", "strategy"), strategy.as_str());
            let answered = told.field("routing_start", "candidates")[0].clone();
            let model = told.field("routing_success", "model");
            assert!(answered.as_str().unwrap().ends_with(model.as_str().unwrap()));
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_between_attempts_is_recorded() {
    let (a, harness) = one(|settings| {
        settings.models[0].retry = Retry { backoff: Duration::from_secs(8), ..Retry::default() };
    })
    .await;
    a.set(Behaviour::fault(Fault::Reset));
    let url = format!("{}/v1/chat/completions", harness.url);
    let headers = harness.headers();
    tokio::select! {
        _ = harness.client.call("POST", &url, &headers, chat("m")) => panic!("no answer yet"),
        () = a.wait_for(1) => {}
    }
    let told = harness.ended(1).await.remove(0);
    assert_eq!(told.decision.ending.as_deref(), Some("client_disconnected"));
    assert_eq!(a.count(), 1);
}
