//! Calls that are held for persons: waiting, joining, verdicts, answers that are kept.

use crate::harness::{Harness, Told};
use crate::policies::{ANSWER, PROMPT, chat, names_somebody, policy};
use control::ReviewState;
use event::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Behaviour, Fault, MockProvider};

const PATH: &str = "/v1/chat/completions";
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

async fn held(about: &str, behaviour: Behaviour, wait: Duration) -> (MockProvider, Harness) {
    let provider = MockProvider::start(behaviour).await;
    let cedar = policy("mail", "ESCALATE", "", about);
    let harness = Harness::guarded(&provider.url(), &cedar, wait).await;
    (provider, harness)
}

fn mail() -> String {
    chat("to jane@example.com")
}

/// What is recorded of a request until it is held.
const HELD: [&str; 6] = [
    "request_received",
    "policy_evaluation_start",
    "policy_evaluated",
    "policy_evaluation_complete",
    "request_escalated",
    "review_created",
];

fn assert_types(told: &Told, first: &[&str], then: &[&str]) {
    assert_eq!(told.types(), [first, then].concat());
}

fn audit_id(answer: &Answer) -> String {
    answer.header("x-audit-id").unwrap().to_owned()
}

#[tokio::test]
async fn an_approved_call_goes_on_as_it_was_and_its_answer_can_be_fetched_again() {
    let (provider, harness) = held(PROMPT, Behaviour::good(), LONG).await;
    let approve = async {
        let id = harness.pending().await;
        assert_eq!(provider.count(), 0, "held before the provider");
        let shown = harness.desk().show(&id).await.unwrap();
        let about = shown.about.unwrap();
        assert_eq!(about.user_id.as_deref(), Some("u-42"));
        assert_eq!(about.facts.unwrap()["data_classes"], json!(["pii"]));
        assert_eq!(shown.review.violations[0].policy_id, "mail");
        harness.desk().approve(&id, "alice", "Checked.").await.unwrap();
        id
    };
    let (answer, id) = tokio::join!(harness.post(PATH, mail()), approve);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(provider.received()[0].body, mail());
    let told = harness.decision_of(&answer);
    let then = ["review_approved", "routing_start", "routing_success", "request_completed"];
    assert_types(&told, &HELD, &then);
    assert_eq!(told.field("review_created", "review_id"), json!(id));
    assert_eq!(told.decision.outcome.as_deref(), Some("ESCALATE"));
    assert_eq!(told.decision.review_status.as_deref(), Some("approved"));
    assert_eq!(told.decision.status_code, Some(200));

    while harness.desk().get(&id).await.unwrap().state != ReviewState::Answered {
        tokio::task::yield_now().await;
    }
    let again = harness.post(PATH, mail()).await;
    assert_eq!((again.status, &again.body), (200, &answer.body));
    assert_eq!(audit_id(&again), audit_id(&answer));
    assert_eq!(provider.count(), 1, "called at most once");
}

#[tokio::test]
async fn a_rejected_call_ends_and_an_equal_one_is_a_new_one() {
    let (provider, harness) = held(PROMPT, Behaviour::good(), LONG).await;
    let reject = async {
        let id = harness.pending().await;
        harness.desk().reject(&id, "alice", "No.").await.unwrap();
    };
    let (answer, ()) = tokio::join!(harness.post(PATH, mail()), reject);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["error"]["code"], "review_rejected");
    let told = harness.decision_of(&answer);
    assert_types(&told, &HELD, &["review_rejected", "request_blocked"]);
    assert_eq!(provider.count(), 0);

    let reject = async {
        let id = harness.pending().await;
        harness.desk().reject(&id, "alice", "No.").await.unwrap();
    };
    let (again, ()) = tokio::join!(harness.post(PATH, mail()), reject);
    assert_ne!(audit_id(&again), audit_id(&answer));
}

#[tokio::test]
async fn a_call_that_nobody_looked_at_is_refused_when_its_time_is_over() {
    let (provider, harness) = held(PROMPT, Behaviour::good(), LONG).await;
    let expire = async {
        let id = harness.pending().await;
        let due = harness.desk().get(&id).await.unwrap().expires_at.as_micros();
        harness.desk().expire_due(Timestamp::from_micros(due + 1)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(harness.post(PATH, mail()), expire);
    assert_eq!((answer.status, provider.count()), (403, 0));
    assert_eq!(answer.json()["error"]["code"], "review_rejected");
    let told = harness.decision_of(&answer);
    assert_types(&told, &HELD, &["review_expired", "request_blocked"]);
    assert_eq!(told.decision.review_status.as_deref(), Some("expired"));
}

#[tokio::test]
async fn who_waited_long_enough_is_told_and_joins_when_it_comes_again() {
    let (provider, harness) = held(PROMPT, Behaviour::good(), SHORT).await;
    let first = harness.post(PATH, mail()).await;
    assert_eq!(first.status, 409);
    assert_eq!(first.header("x-should-retry"), Some("false"));
    assert!(first.header("retry-after").is_some());
    let error = first.json();
    assert_eq!(error["error"]["code"], "review_pending");
    let id = error["review_id"].as_str().unwrap().to_owned();
    assert_eq!(id, harness.pending().await);

    let second = harness.post(PATH, mail()).await;
    assert_eq!(second.status, 409);
    assert_eq!(audit_id(&second), audit_id(&first));
    assert_eq!(second.json()["review_id"], json!(id));
    assert_eq!(harness.decisions().len(), 1, "a join is no call of its own");

    // By name, whatever the body; and only for the caller itself.
    let named = [("x-llm-review-id", id.as_str())];
    let by_name = harness.post_with(PATH, &named, chat("other")).await;
    assert_eq!((by_name.status, audit_id(&by_name)), (409, audit_id(&first)));
    let other_key = [("x-api-key", harness.bound_key.as_str()), named[0]];
    let headers: Vec<_> =
        harness.headers().into_iter().filter(|(name, _)| *name != "x-api-key").collect();
    let headers = [headers, other_key.to_vec()].concat();
    let url = format!("{}{PATH}", harness.url);
    let theirs = harness.client.call("POST", &url, &headers, chat("other")).await;
    assert_eq!(theirs.status, 200, "somebody else's review is not joined");

    harness.desk().approve(&id, "alice", "Checked.").await.unwrap();
    assert_eq!(provider.count(), 1, "only the one that was not held");
    let third = harness.post_with(PATH, &named, chat("other")).await;
    assert_eq!(third.status, 200, "{}", third.text());
    assert_eq!(audit_id(&third), audit_id(&first));
    assert_eq!(provider.received()[1].body, mail(), "exactly what was reviewed");
}

#[tokio::test]
async fn equal_calls_at_once_make_one_review_and_one_call_of_the_provider() {
    let (provider, harness) = held(PROMPT, Behaviour::good(), LONG).await;
    let approve = async {
        let id = harness.pending().await;
        harness.desk().approve(&id, "alice", "Checked.").await.unwrap();
    };
    let post = || harness.post(PATH, mail());
    let (a, b, c, ()) = tokio::join!(post(), post(), post(), approve);
    for answer in [&b, &c] {
        assert_eq!((answer.status, &answer.body), (200, &a.body));
        assert_eq!(audit_id(answer), audit_id(&a));
    }
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_held_answer_is_released_as_it_was_once_a_person_approved() {
    let (provider, harness) = held(ANSWER, names_somebody(), LONG).await;
    let approve = async {
        let id = harness.pending().await;
        harness.desk().approve(&id, "alice", "Checked.").await.unwrap();
    };
    let (answer, ()) = tokio::join!(harness.post(PATH, chat("hi")), approve);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("jane@example.com"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types()[4..],
        [
            "routing_success",
            "policy_evaluation_start",
            "policy_evaluated",
            "policy_evaluation_complete",
            "response_escalated",
            "review_created",
            "review_approved",
            "request_completed"
        ]
    );
    assert_eq!(told.bodies["upstream_response"], answer.body);
    assert_eq!(told.decision.output_tokens, Some(7));
    assert!(told.field("request_completed", "held_ms").is_u64());
    let again = harness.post(PATH, chat("hi")).await;
    assert_eq!((again.status, &again.body), (200, &answer.body));
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_held_answer_that_is_rejected_never_goes_out() {
    let (_provider, harness) = held(ANSWER, names_somebody(), LONG).await;
    let reject = async {
        let id = harness.pending().await;
        harness.desk().reject(&id, "alice", "No.").await.unwrap();
    };
    let (answer, ()) = tokio::join!(harness.post(PATH, chat("hi")), reject);
    assert_eq!(answer.status, 403);
    assert!(!answer.text().contains("jane"));
    let told = harness.decision_of(&answer);
    assert_eq!(
        told.types()[8..],
        ["response_escalated", "review_created", "review_rejected", "response_blocked"]
    );
    assert_eq!(told.field("response_escalated", "usage")["output_tokens"], 7);
    assert_eq!(told.decision.output_tokens, Some(7), "what a rejected answer cost is known");
    assert_eq!(told.decision.model.as_deref(), Some("gpt-4o"));
}

#[tokio::test]
async fn what_is_held_is_what_goes_on_without_what_another_policy_takes_out() {
    let provider = MockProvider::start(names_somebody()).await;
    let cedar = policy("ask", "ESCALATE", "", PROMPT)
        + &policy("hide", "REDACT", "", PROMPT)
        + &policy("say", "ESCALATE", "", ANSWER)
        + &policy("mask", "REDACT", "", ANSWER);
    let harness = Harness::guarded(&provider.url(), &cedar, LONG).await;
    let said = "to joe@example.com, jane@example.com";
    let sent = chat("to <EMAIL_1>, <EMAIL_2>");
    let approve = async {
        let request = harness.pending().await;
        let told = &harness.decisions()[0];
        assert_eq!(told.bodies["client_request"], chat(said).as_bytes());
        assert_eq!(told.bodies["upstream_request"], sent.as_bytes(), "what the reviewer sees");
        harness.desk().approve(&request, "alice", "Ask.").await.unwrap();
        provider.wait_for(1).await;
        let answer = harness.pending().await;
        let told = &harness.decisions()[0];
        let shown = String::from_utf8(told.bodies["client_response"].clone()).unwrap();
        assert!(shown.contains("Ask <EMAIL_2>, not <EMAIL_1>."), "{shown}");
        harness.desk().approve(&answer, "alice", "Say.").await.unwrap();
        shown
    };
    let (answer, shown) = tokio::join!(harness.post(PATH, chat(said)), approve);
    assert_eq!((answer.status, answer.text()), (200, shown));
    assert_eq!(provider.received()[0].body, sent);
    // It is the same request still.
    let again = harness.post(PATH, chat(said)).await;
    assert_eq!(audit_id(&again), audit_id(&answer));
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn the_time_that_persons_take_is_told_apart() {
    let (_provider, harness) = held(PROMPT, Behaviour::good(), LONG).await;
    let held_ms = 30;
    let approve = async {
        let id = harness.pending().await;
        let opened = harness.desk().get(&id).await.unwrap().created_at.as_micros();
        while Timestamp::now().as_micros() - opened < held_ms * 1_000 {
            tokio::task::yield_now().await;
        }
        harness.desk().approve(&id, "alice", "Checked.").await.unwrap();
    };
    let began = std::time::Instant::now();
    let (answer, ()) = tokio::join!(harness.post(PATH, mail()), approve);
    let waited_ms = began.elapsed().as_secs_f64() * 1_000.0;
    let told = harness.decision_of(&answer);
    let held = told.field("request_completed", "held_ms").as_f64().unwrap();
    let latency = told.decision.latency_ms.unwrap();
    assert!(held >= f64::from(held_ms as i32), "{held}");
    assert!(held + latency <= waited_ms, "{held} + {latency} of {waited_ms}");
}

#[tokio::test]
async fn who_waits_when_the_gateway_stops_is_told_at_once_and_the_call_stays_held() {
    let (provider, mut harness) = held(PROMPT, Behaviour::good(), Duration::from_hours(1)).await;
    let client = testkit::Client::new();
    let url = format!("{}{PATH}", harness.url);
    let headers: Vec<(String, String)> =
        harness.headers().iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let waiting = tokio::spawn(async move {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        client.call("POST", &url, &headers, mail()).await
    });
    let id = harness.pending().await;
    harness.stopped().await;
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, provider.count()), (409, 0));
    assert_eq!(answer.json()["error"]["code"], "review_pending");
    assert_eq!(answer.json()["review_id"], json!(id));
    assert_eq!(harness.desk().get(&id).await.unwrap().state, ReviewState::Pending);
}

#[tokio::test]
async fn an_approved_request_whose_answer_is_held_too_needs_both() {
    let provider = MockProvider::start(names_somebody()).await;
    let cedar = policy("ask", "ESCALATE", "", PROMPT) + &policy("say", "ESCALATE", "", ANSWER);
    let harness = Harness::guarded(&provider.url(), &cedar, LONG).await;
    let approve = async {
        let request = harness.pending().await;
        harness.desk().approve(&request, "alice", "Ask.").await.unwrap();
        provider.wait_for(1).await;
        let answer = harness.pending().await;
        assert_ne!(request, answer);
        harness.desk().approve(&answer, "bob", "Say.").await.unwrap();
    };
    let (answer, ()) = tokio::join!(harness.post(PATH, mail()), approve);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = harness.decision_of(&answer);
    assert_eq!(told.fields("review_approved", "stage"), [json!("request"), json!("response")]);
    assert_eq!(told.types().last(), Some(&"request_completed"));
}

#[tokio::test]
async fn an_approved_stream_flows_and_is_kept() {
    let (provider, harness) = held(PROMPT, Behaviour::good(), SHORT).await;
    let mut body: Value = serde_json::from_str(&mail()).unwrap();
    body["stream"] = json!(true);
    let body = body.to_string();
    let held = harness.post(PATH, body.clone()).await;
    assert_eq!(held.status, 409);
    let id = harness.pending().await;
    harness.desk().approve(&id, "alice", "Checked.").await.unwrap();
    let answer = harness.post(PATH, body.clone()).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    while harness.desk().get(&id).await.unwrap().state != ReviewState::Answered {
        tokio::task::yield_now().await;
    }
    let again = harness.post(PATH, body).await;
    assert_eq!(again.body, answer.body);
    assert_eq!(again.header("content-type"), answer.header("content-type"));
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn an_approved_call_that_fails_is_over() {
    let (provider, harness) = held(PROMPT, Behaviour::fault(Fault::Reset), SHORT).await;
    let held = harness.post(PATH, mail()).await;
    let id = harness.pending().await;
    harness.desk().approve(&id, "alice", "Checked.").await.unwrap();
    let answer = harness.post(PATH, mail()).await;
    assert_eq!((answer.status, audit_id(&answer)), (502, audit_id(&held)));
    let told = harness.decision_of(&held);
    assert_eq!(told.types().last(), Some(&"request_failed"));
    while harness.desk().get(&id).await.unwrap().state != ReviewState::Failed {
        tokio::task::yield_now().await;
    }
    let new = harness.post(PATH, mail()).await;
    assert_eq!(new.status, 409);
    assert_ne!(audit_id(&new), audit_id(&held));
    assert_eq!(provider.count(), 1);
}
