//! What policies make of calls: let through, marked, redacted, refused.

use crate::harness::{Harness, Told, provider, settings, with_model, with_policies};
use gateway::Settings;
use policy::{CustomKind, DataClass, DetectorSettings, Detectors, HookSettings, OnHookFailure};
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::{Behaviour, Fault, MockProvider, refused_url};

pub const PROMPT: &str =
    r#"action == Action::"prompt", resource) when { context.findings.email.count > 0 };"#;
pub const ANSWER: &str =
    r#"action == Action::"answer", resource) when { context.findings.email.count > 0 };"#;

/// A policy about calls with e-mail addresses.
pub fn policy(id: &str, outcome: &str, more: &str, about: &str) -> String {
    format!(
        "@id(\"{id}\") @outcome(\"{outcome}\") @message(\"About {id}.\") {more}\nforbid (principal, {about}\n"
    )
}

pub fn chat(content: &str) -> String {
    let messages =
        json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": content}]);
    json!({"model": "gpt-4o", "messages": messages}).to_string()
}

fn streamed(content: &str) -> String {
    let messages = json!([{"role": "user", "content": content}]);
    json!({"model": "gpt-4o", "stream": true, "messages": messages}).to_string()
}

/// An answer that names somebody.
pub fn names_somebody() -> Behaviour {
    let body = json!({"id": "x", "object": "chat.completion", "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Ask jane@example.com, not <EMAIL_1>."}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}});
    Behaviour::fault(Fault::Raw(200, "application/json".into(), body.to_string().into()))
}

/// The same as a stream, the address cut in two.
fn streams_somebody() -> Behaviour {
    let event = |delta: Value, finish: Value| {
        let body = json!({"id": "x", "object": "chat.completion.chunk", "model": "gpt-4o",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {body}\n\n")
    };
    let text = [
        event(json!({"role": "assistant", "content": "Ask jane@exa"}), Value::Null),
        event(json!({"content": "mple.com now."}), Value::Null),
        event(json!({}), json!("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    Behaviour::fault(Fault::Raw(200, "text/event-stream".into(), text.concat().into()))
}

async fn guarded(behaviour: Behaviour, cedar: &str) -> (MockProvider, Harness) {
    guarded_with(behaviour, cedar, |_| {}).await
}

async fn guarded_with(
    behaviour: Behaviour,
    cedar: &str,
    change: impl FnOnce(&mut Settings),
) -> (MockProvider, Harness) {
    let provider = MockProvider::start(behaviour).await;
    let mut settings = with_policies(settings(&provider.url()), cedar);
    change(&mut settings);
    let harness = Harness::with(settings).await;
    (provider, harness)
}

const PATH: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_call_that_violates_nothing_passes_and_says_what_was_seen() {
    let cedar = policy("mail", "BLOCK", "", PROMPT);
    let (provider, harness) = guarded(Behaviour::good(), &cedar).await;
    harness.post(PATH, chat("hi")).await;
    let answer = harness.post(PATH, chat("hello")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(provider.received()[1].body, chat("hello"));
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        [
            "request_received",
            "policy_evaluation_start",
            "policy_evaluation_complete",
            "routing_start",
            "routing_success",
            "request_completed"
        ]
    );
    assert_eq!(told.decision.outcome.as_deref(), Some("ALLOW"));
    assert_eq!(told.field("policy_evaluation_complete", "outcome"), "ALLOW");
    assert_eq!(told.field("policy_evaluation_complete", "evaluated"), 1);
    let seen = told.field("policy_evaluation_complete", "context");
    let facts: policy::Facts = serde_json::from_value(seen).unwrap();
    assert_eq!((facts.source.as_str(), facts.user.as_str()), ("finance-app", "u-42"));
    assert_eq!((facts.model.as_str(), facts.provider.as_str()), ("gpt-4o", "upstream"));
    assert_eq!(facts.roles, ["system", "user"]);
    assert_eq!(facts.request_bytes, chat("hello").len() as u64);
    assert_eq!(facts.counters.user_requests.day, 1);
    assert!(facts.counters.source_tokens.minute > 0);
}

#[tokio::test]
async fn a_marked_call_passes_as_it_came() {
    let (provider, harness) = guarded(Behaviour::good(), &policy("mail", "FLAG", "", PROMPT)).await;
    let answer = harness.post(PATH, chat("to jane@example.com")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(provider.received()[0].body, chat("to jane@example.com"));
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        [
            "request_received",
            "policy_evaluation_start",
            "policy_evaluated",
            "policy_evaluation_complete",
            "routing_start",
            "routing_success",
            "request_completed"
        ]
    );
    assert_eq!(told.decision.outcome.as_deref(), Some("FLAG"));
    assert_eq!(told.decision.violations, ["mail"]);
    assert_eq!(told.decision.data_classes, ["pii"]);
    assert_eq!(told.field("policy_evaluated", "message"), "About mail.");
}

#[tokio::test]
async fn a_blocked_call_never_reaches_a_provider() {
    let (provider, harness) =
        guarded(Behaviour::good(), &policy("mail", "BLOCK", "", PROMPT)).await;
    let answer = harness.post(PATH, chat("to jane@example.com")).await;
    assert_eq!(answer.status, 403);
    let error = answer.json();
    assert_eq!(error["error"]["code"], "policy_violation");
    assert_eq!(error["error"]["message"], "About mail.");
    assert_eq!(provider.count(), 0);
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types(),
        [
            "request_received",
            "policy_evaluation_start",
            "policy_evaluated",
            "policy_evaluation_complete",
            "request_blocked"
        ]
    );
    assert_eq!(told.decision.outcome.as_deref(), Some("BLOCK"));
    assert_eq!(told.decision.status_code, Some(403));
    assert_eq!(told.field("request_blocked", "policy_ids"), json!(["mail"]));
    assert_eq!(told.bodies["client_request"], chat("to jane@example.com").as_bytes());
    let journal = String::from_utf8_lossy(&harness.journal_text()).into_owned();
    assert!(!journal.contains("jane@") && !journal.contains("u-42"), "facts are sealed");
}

#[tokio::test]
async fn a_redacted_call_reaches_the_provider_without_what_was_found() {
    let (provider, harness) =
        guarded(Behaviour::good(), &policy("mail", "REDACT", "", PROMPT)).await;
    let said = "jane@example.com and joe@example.com, jane@example.com again";
    let answer = harness.post(PATH, chat(said)).await;
    assert_eq!(answer.status, 200);
    let sent = chat("<EMAIL_1> and <EMAIL_2>, <EMAIL_1> again");
    assert_eq!(provider.received()[0].body, sent);
    let told = harness.decision_of(&answer);
    assert_eq!(told.bodies["client_request"], chat(said).as_bytes());
    assert_eq!(told.bodies["upstream_request"], sent.as_bytes());
    assert_eq!(told.decision.outcome.as_deref(), Some("REDACT"));
}

#[tokio::test]
async fn a_policy_in_shadow_is_recorded_and_changes_nothing() {
    let cedar = policy("mail", "BLOCK", "@mode(\"shadow\")", PROMPT);
    let (provider, harness) = guarded(Behaviour::good(), &cedar).await;
    let answer = harness.post(PATH, chat("to jane@example.com")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(provider.received()[0].body, chat("to jane@example.com"));
    let told = harness.decision_of(&answer);
    assert_eq!(told.field("policy_evaluated", "mode"), "shadow");
    assert_eq!(told.field("policy_evaluated", "matched"), true);
    assert_eq!(told.field("policy_evaluation_complete", "violations"), json!([]));
    assert_eq!(told.decision.outcome.as_deref(), Some("ALLOW"));
}

#[tokio::test]
async fn a_policy_that_cannot_be_evaluated_blocks() {
    let cedar = "@id(\"sum\") @outcome(\"FLAG\") forbid (principal, action == Action::\"prompt\", \
        resource) when { context.request_bytes * 9223372036854775807 > 1 };";
    let (provider, harness) = guarded(Behaviour::good(), cedar).await;
    let answer = harness.post(PATH, chat("hi")).await;
    assert_eq!((answer.status, provider.count()), (403, 0));
    let told = harness.decision_of(&answer);
    assert_eq!(told.field("policy_evaluated", "outcome"), "BLOCK");
    assert_eq!(told.field("policy_evaluated", "matched"), Value::Null);
    assert_eq!(told.field("request_blocked", "policy_ids"), json!(["sum"]));
}

#[tokio::test]
async fn all_policies_are_recorded_where_that_is_asked_for_however_many() {
    let cedar: String =
        (0..150).map(|number| policy(&format!("p{number}"), "BLOCK", "", PROMPT)).collect();
    let all = |settings: &mut Settings| settings.policies.as_mut().unwrap().record_all = true;
    let (_provider, harness) = guarded_with(Behaviour::good(), &cedar, all).await;
    let answer = harness.post(PATH, chat("hi")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = harness.decision_of(&answer);
    assert_eq!(told.fields("policy_evaluated", "matched"), vec![json!(false); 150]);
    assert_eq!(told.types().last(), Some(&"request_completed"));
}

#[tokio::test]
async fn every_provider_that_may_get_a_call_has_to_be_allowed_it() {
    let (a, b) = (MockProvider::start(Behaviour::good()).await, refused_url().await);
    let cedar = "@id(\"baa\") @outcome(\"BLOCK\") forbid (principal, action == Action::\"prompt\", \
        resource) when { context.data_classes.contains(\"pii\") && !context.baa };";
    let mut first = provider("a", &a.url());
    first.baa = true;
    let settings = with_model(vec![first.clone(), provider("b", &b)]);
    let body = chat("to jane@example.com").replace("gpt-4o", "m");
    let harness = Harness::with(with_policies(settings, cedar)).await;
    assert_eq!(harness.post(PATH, body.clone()).await.status, 403);
    let harness = Harness::with(with_policies(with_model(vec![first]), cedar)).await;
    assert_eq!(harness.post(PATH, body).await.status, 200);
}

#[tokio::test]
async fn a_blocked_answer_never_reaches_the_caller() {
    let cedar = policy("mail", "BLOCK", "", ANSWER);
    for (behaviour, body) in [(names_somebody(), chat("hi")), (streams_somebody(), streamed("hi"))]
    {
        let (_provider, harness) = guarded(behaviour, &cedar).await;
        let answer = harness.post(PATH, body).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(!answer.text().contains("jane"), "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "policy_violation");
        let told = harness.decision_of(&answer);
        assert_eq!(
            told.types(),
            [
                "request_received",
                "policy_evaluation_start",
                "policy_evaluation_complete",
                "routing_start",
                "routing_success",
                "policy_evaluation_start",
                "policy_evaluated",
                "policy_evaluation_complete",
                "response_blocked"
            ]
        );
        assert_eq!(told.decision.outcome.as_deref(), Some("BLOCK"));
        assert_eq!(told.field("policy_evaluated", "stage"), "response");
        let blocked = |field: &str| told.field("response_blocked", field);
        assert_eq!((blocked("provider"), blocked("model")), (json!("upstream"), json!("gpt-4o")));
        assert_eq!(blocked("finish_reason"), "stop");
        assert!(blocked("latency_ms").as_f64().unwrap() > 0.0);
        assert_eq!(blocked("response_bytes"), told.bodies["upstream_response"].len());
        assert_eq!(told.decision.model.as_deref(), Some("gpt-4o"));
        assert!(!told.bodies.contains_key("client_response"));
    }
}

#[tokio::test]
async fn a_blocked_answer_says_what_it_cost() {
    let (_provider, harness) =
        guarded_with(names_somebody(), &policy("mail", "BLOCK", "", ANSWER), |settings| {
            settings.providers[0].kind = gateway::ProviderKind::OpenAi;
        })
        .await;
    let told = harness.decision_of(&harness.post(PATH, chat("hi")).await);
    assert_eq!(told.field("response_blocked", "usage")["output_tokens"], 7);
    assert_eq!(told.field("response_blocked", "cost_state"), "exact");
    let Told { decision, .. } = told;
    assert_eq!((decision.input_tokens, decision.output_tokens), (Some(5), Some(7)));
    assert_eq!(decision.usage_origin.as_deref(), Some("provider"));
    assert_eq!(decision.cost_usd.as_deref(), Some("0.0000825"));
}

#[tokio::test]
async fn a_redacted_answer_is_released_without_what_was_found_and_recorded_in_both_forms() {
    let cedar = policy("mail", "REDACT", "", ANSWER);
    let (_provider, harness) = guarded(names_somebody(), &cedar).await;
    let answer = harness.post(PATH, chat("hi")).await;
    assert_eq!(answer.status, 200);
    let text = answer.json()["choices"][0]["message"]["content"].clone();
    assert!(!text.as_str().unwrap().contains("jane@"), "{text}");
    let told = harness.decision_of(&answer);
    assert_eq!(told.bodies["client_response"], answer.body);
    let came = String::from_utf8(told.bodies["upstream_response"].clone()).unwrap();
    assert!(came.contains("jane@example.com"));
    assert_eq!(told.decision.outcome.as_deref(), Some("REDACT"));
    assert_eq!(told.decision.output_tokens, Some(7));

    let (_provider, harness) = guarded(streams_somebody(), &cedar).await;
    let answer = harness.post(PATH, streamed("hi")).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    assert!(answer.text().contains("<EMAIL_1>"), "{}", answer.text());
    assert!(!answer.text().contains("jane@"), "{}", answer.text());
    assert_eq!(harness.decision_of(&answer).bodies["client_response"], answer.body);
}

#[tokio::test]
async fn an_observed_stream_goes_out_and_is_judged_at_its_end() {
    let cedar = policy("mail", "BLOCK", "@stream(\"observe\")", ANSWER);
    let (_provider, harness) = guarded(streams_somebody(), &cedar).await;
    let answer = harness.post(PATH, streamed("hi")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    let told = harness.decision_of(&answer);
    assert_eq!(told.field("policy_evaluated", "policy_id"), "mail");
    assert_eq!(told.field("policy_evaluated", "outcome"), "BLOCK");
    assert_eq!(told.field("policy_evaluation_complete", "outcome"), "BLOCK");
    assert_eq!(told.field("policy_evaluation_complete", "applied"), "FLAG");
    assert_eq!(told.types().last(), Some(&"request_completed"));
    assert_eq!(told.decision.outcome.as_deref(), Some("FLAG"));
    assert_eq!(told.decision.violations, ["mail"]);

    // A plain answer is judged before it goes out.
    let (_provider, harness) = guarded(names_somebody(), &cedar).await;
    assert_eq!(harness.post(PATH, chat("hi")).await.status, 403);
}

#[tokio::test]
async fn an_answer_that_nobody_can_read_is_not_released() {
    let behaviour = names_somebody().with_header("content-encoding", "zstd");
    let (provider, harness) = guarded(behaviour, &policy("mail", "BLOCK", "", ANSWER)).await;
    let headers = [("accept-encoding", "zstd")];
    let answer = harness.post_with(PATH, &headers, chat("hi")).await;
    assert_eq!(answer.status, 403);
    assert_eq!(provider.received()[0].header("accept-encoding"), Some("identity"));
    let told = harness.decision_of(&answer);
    assert_eq!(told.field("response_blocked", "policy_ids"), json!(["detectors"]));
}

#[tokio::test]
async fn detectors_of_a_deployment_decide_and_hide() {
    let cedar = "@id(\"names\") @outcome(\"REDACT\") forbid (principal, action == Action::\"prompt\", \
        resource) when { context.data_classes.contains(\"secret\") };";
    let custom = CustomKind {
        name: "project".to_owned(),
        class: DataClass::Secret,
        pattern: None,
        words: vec!["bluebird".to_owned()],
        score: 0.9,
    };
    let own = DetectorSettings { custom: vec![custom], ..DetectorSettings::default() };
    let own = Arc::new(Detectors::new(&own).unwrap());
    let (provider, harness) =
        guarded_with(Behaviour::good(), cedar, |settings| settings.detectors = own).await;
    let answer = harness.post(PATH, chat("How is Bluebird?")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(provider.received()[0].body, chat("How is <PROJECT_1>?"));
    let preview = harness.decision_of(&answer).decision.prompt_preview.unwrap();
    assert!(preview.contains("<PROJECT_1>"), "{preview}");
}

#[tokio::test]
async fn an_outside_detector_is_asked_and_where_it_fails_the_call_is_refused() {
    let found = json!([{"entity_type": "PERSON", "start": 0, "end": 3, "score": 0.9}]);
    let good = Fault::Raw(200, "application/json".into(), found.to_string().into());
    let lie = json!([{"entity_type": "PERSON", "start": 5, "end": 900_000, "score": 0.9}]);
    let lie = Fault::Raw(200, "application/json".into(), lie.to_string().into());
    let cedar = "@id(\"pii\") @outcome(\"FLAG\") forbid (principal, action == Action::\"prompt\", \
        resource) when { context.data_classes.contains(\"pii\") };";
    for (fault, on_failure, status, outcome) in [
        (good, OnHookFailure::Block, 200, "FLAG"),
        (Fault::Silence, OnHookFailure::Block, 403, "BLOCK"),
        (Fault::Silence, OnHookFailure::Ignore, 200, "ALLOW"),
        (lie, OnHookFailure::Block, 403, "BLOCK"),
    ] {
        let outside = MockProvider::start(Behaviour::fault(fault)).await;
        let hook = HookSettings {
            url: format!("{}/analyze", outside.url()),
            timeout_ms: 200,
            on_failure,
            language: "en".to_owned(),
            entities: Vec::new(),
            score_min: 0.5,
        };
        let own = DetectorSettings { hook: Some(hook), ..DetectorSettings::default() };
        let own = Arc::new(Detectors::new(&own).unwrap());
        let (_provider, harness) =
            guarded_with(Behaviour::good(), cedar, |settings| settings.detectors = own).await;
        let answer = harness.post(PATH, chat("Ann is here")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        let told = harness.decision_of(&answer);
        assert_eq!(told.decision.outcome.as_deref(), Some(outcome));
        assert_eq!(outside.count(), 1);
    }
}

#[tokio::test]
async fn without_a_desk_what_would_be_held_is_refused() {
    let (provider, harness) =
        guarded(Behaviour::good(), &policy("mail", "ESCALATE", "", PROMPT)).await;
    let answer = harness.post(PATH, chat("to jane@example.com")).await;
    assert_eq!((answer.status, provider.count()), (403, 0));
    assert_eq!(harness.decision_of(&answer).types().last(), Some(&"request_blocked"));
}
