//! The events of every way that a call can go, in order, on the running product; and what
//! `trace` says of them.

use crate::support::{on, server};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, AuditLayer, Behaviour, MockProvider, refused_url};

/// One policy for each way, by the request type of the call.
const POLICIES: &str = r#"
@id("no") @outcome("BLOCK") @message("Not this.")
forbid (principal, action == Action::"prompt", resource) when { context.request_type == "blocked" };
@id("hide") @outcome("REDACT")
forbid (principal, action == Action::"prompt", resource)
when { context.request_type == "redacted" && context.data_classes.contains("pii") };
@id("ask") @outcome("ESCALATE") @message("A person looks at this.")
forbid (principal, action == Action::"prompt", resource)
when { context.request_type like "escalated-*" };
@id("not-said") @outcome("BLOCK") @message("Not this answer.")
forbid (principal, action == Action::"answer", resource)
when { context.request_type == "answer-blocked" };
@id("said") @outcome("BLOCK") @stream("observe")
forbid (principal, action == Action::"answer", resource)
when { context.request_type == "answer-observed" };
"#;

const ASKED: [&str; 3] = [
    "gateway request_received",
    "policy_engine policy_evaluation_start",
    "policy_engine policy_evaluation_complete",
];
const VIOLATED: [&str; 4] = [
    "gateway request_received",
    "policy_engine policy_evaluation_start",
    "policy_engine policy_evaluated",
    "policy_engine policy_evaluation_complete",
];
const HELD: [&str; 2] = ["gateway request_escalated", "hitl review_created"];
const ROUTED: [&str; 2] = ["model_router routing_start", "model_router routing_success"];
const ANSWERED: [&str; 3] = [
    "policy_engine policy_evaluation_start",
    "policy_engine policy_evaluation_complete",
    "gateway request_completed",
];
const ANSWER_VIOLATED: [&str; 3] = [
    "policy_engine policy_evaluation_start",
    "policy_engine policy_evaluated",
    "policy_engine policy_evaluation_complete",
];

struct Product {
    server: AuditLayer,
    key: String,
    provider: MockProvider,
    _policies: tempfile::TempDir,
}

async fn product(expire: &str) -> Product {
    let provider = MockProvider::start(Behaviour::good()).await;
    let policies = tempfile::tempdir().unwrap();
    std::fs::write(policies.path().join("p.cedar"), POLICIES).unwrap();
    let (good, dead, gone) = (provider.url(), refused_url().await, refused_url().await);
    let config = format!(
        r#"
        [policies]
        directory = {:?}
        [reviews]
        wait = "20ms"
        expire = "{expire}"
        [[providers]]
        name = "good"
        kind = "openai"
        base_url = "{good}"
        [[providers]]
        name = "dead"
        kind = "openai"
        base_url = "{dead}"
        [[providers]]
        name = "gone"
        kind = "openai"
        base_url = "{gone}"
        [[models]]
        name = "m"
        targets = [{{ provider = "good", model = "m" }}]
        [[models]]
        name = "second-best"
        retries = 0
        targets = [{{ provider = "dead", model = "a" }}, {{ provider = "good", model = "b" }}]
        [[models]]
        name = "down"
        retries = 0
        targets = [{{ provider = "dead", model = "a" }}, {{ provider = "gone", model = "b" }}]
        "#,
        policies.path().display().to_string()
    );
    let server = server().config(&config).start().await;
    let key = server.key("finance-app").await;
    Product { server, key, provider, _policies: policies }
}

impl Product {
    async fn ask(&self, kind: &str, model: &str, stream: bool) -> Answer {
        let content = format!("Write to jane@example.com. ({kind})");
        let body = json!({"model": model, "stream": stream,
            "messages": [{"role": "user", "content": content}]});
        let headers = [
            ("x-api-key", self.key.as_str()),
            ("x-llm-user", "u-42"),
            ("x-llm-request-type", kind),
            ("content-type", "application/json"),
        ];
        let url = format!("{}/v1/chat/completions", self.server.gateway_url());
        self.server.client().call("POST", &url, &headers, body.to_string()).await
    }

    /// Expects these events, in this order, of the trace of an answer; gives what `trace` prints.
    async fn trace(&self, answer: &Answer, expected: &[&[&str]]) -> String {
        let expected: Vec<String> =
            expected.concat().iter().map(|event| (*event).to_owned()).collect();
        let id = answer.header("x-trace-id").unwrap();
        let told = async {
            loop {
                // What has just happened may not be indexed yet.
                let ran = on(&self.server, &["trace", id, "--json"]).await;
                let events: Vec<String> = match ran.code {
                    0 => ran.json()["items"].as_array().unwrap().iter().map(name).collect(),
                    _ => Vec::new(),
                };
                if events.last() == expected.last() {
                    return events;
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(30), told).await;
        let told = told.unwrap_or_else(|_| panic!("no {:?} within 30 s", expected.last()));
        assert_eq!(told, expected);
        on(&self.server, &["trace", id]).await.stdout
    }

    async fn decide(&self, held: &Answer, verb: &str, why: &str) {
        assert_eq!(held.status, 409, "{}", held.text());
        let review = held.json()["review_id"].as_str().unwrap().to_owned();
        assert_eq!(on(&self.server, &["reviews", verb, &review, "--rationale", why]).await.code, 0);
    }
}

fn name(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    format!("{} {}", text("component"), text("event_type"))
}

#[track_caller]
fn says(table: &str, event: &str, why: &str) {
    let line = table.lines().find(|line| line.split('\t').any(|cell| cell == event));
    let line = line.unwrap_or_else(|| panic!("no {event} in {table}"));
    assert!(line.contains(why), "{why:?} is not in {line}");
}

#[tokio::test]
async fn calls_that_policies_let_through_change_or_refuse() {
    let product = product("1h").await;
    let allowed = product.ask("allowed", "m", false).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    let table = product.trace(&allowed, &[&ASKED, &ROUTED, &ANSWERED]).await;
    says(&table, "policy_evaluation_complete", "ALLOW");
    says(&table, "request_completed", "ALLOW");

    let blocked = product.ask("blocked", "m", false).await;
    assert_eq!(blocked.status, 403);
    let table = product.trace(&blocked, &[&VIOLATED, &["gateway request_blocked"]]).await;
    says(&table, "policy_evaluated", "no · BLOCK · enforce · Not this.");
    says(&table, "request_blocked", "BLOCK");

    let redacted = product.ask("redacted", "m", false).await;
    assert_eq!(redacted.status, 200);
    let table = product.trace(&redacted, &[&VIOLATED, &ROUTED, &ANSWERED]).await;
    says(&table, "policy_evaluated", "hide · REDACT");
    says(&table, "request_completed", "REDACT");
    let received = product.provider.received();
    let sent = String::from_utf8_lossy(&received.last().unwrap().body).into_owned();
    assert!(sent.contains("Write to <EMAIL_1>."), "{sent}");

    let stopped = product.ask("answer-blocked", "m", true).await;
    assert_eq!(stopped.status, 403, "{}", stopped.text());
    let expected: [&[&str]; 4] = [&ASKED, &ROUTED, &ANSWER_VIOLATED, &["gateway response_blocked"]];
    let table = product.trace(&stopped, &expected).await;
    says(&table, "policy_evaluated", "not-said · BLOCK");
    says(&table, "response_blocked", "BLOCK");

    let seen = product.ask("answer-observed", "m", true).await;
    // A policy that keeps streams is in the bundle, so this one is kept, and goes out.
    assert_eq!(seen.status, 200, "{}", seen.text());
    let expected: [&[&str]; 4] =
        [&ASKED, &ROUTED, &ANSWER_VIOLATED, &["gateway request_completed"]];
    let table = product.trace(&seen, &expected).await;
    says(&table, "policy_evaluation_complete", "ALLOW");
    let last = table.lines().rfind(|line| line.contains("policy_evaluation_complete")).unwrap();
    assert!(last.contains("BLOCK · applied FLAG"), "{last}");
    says(&table, "request_completed", "FLAG");
}

#[tokio::test]
async fn calls_that_persons_decide() {
    let product = product("1h").await;
    let held = product.ask("escalated-approved", "m", false).await;
    product.decide(&held, "approve", "Checked against the file.").await;
    let approved = product.ask("escalated-approved", "m", false).await;
    assert_eq!(approved.status, 200, "{}", approved.text());
    let expected: [&[&str]; 5] = [&VIOLATED, &HELD, &["hitl review_approved"], &ROUTED, &ANSWERED];
    let table = product.trace(&approved, &expected).await;
    says(&table, "review_approved", "Checked against the file.");
    says(&table, "request_completed", "ESCALATE");

    let held = product.ask("escalated-rejected", "m", false).await;
    product.decide(&held, "reject", "No mandate.").await;
    let rejected = product.ask("escalated-rejected", "m", false).await;
    assert_eq!(rejected.json()["error"]["code"], "review_rejected");
    let expected: [&[&str]; 3] =
        [&VIOLATED, &HELD, &["hitl review_rejected", "gateway request_blocked"]];
    let table = product.trace(&rejected, &expected).await;
    says(&table, "review_rejected", "No mandate.");
    says(&table, "request_blocked", "BLOCK");
}

#[tokio::test]
async fn a_call_that_nobody_decides() {
    let product = product("1s").await;
    let held = product.ask("escalated-expired", "m", false).await;
    assert_eq!(held.status, 409, "{}", held.text());
    let expected: [&[&str]; 3] =
        [&VIOLATED, &HELD, &["hitl review_expired", "gateway request_blocked"]];
    let table = product.trace(&held, &expected).await;
    says(&table, "review_expired", "rev_");
    says(&table, "request_blocked", "BLOCK");
    let expired = product.ask("escalated-expired", "m", false).await;
    assert_eq!(expired.json()["error"]["code"], "review_rejected");
    assert_eq!(product.provider.count(), 0);
}

#[tokio::test]
async fn calls_whose_targets_fail() {
    let product = product("1h").await;
    let fallen_back = product.ask("allowed", "second-best", false).await;
    assert_eq!(fallen_back.status, 200, "{}", fallen_back.text());
    let routed: [&str; 3] = [
        "model_router routing_start",
        "model_router routing_failed",
        "model_router routing_success",
    ];
    let table = product.trace(&fallen_back, &[&ASKED, &routed, &ANSWERED]).await;
    says(&table, "routing_failed", "good/b");

    let down = product.ask("allowed", "down", false).await;
    assert_eq!((down.status, &down.json()["error"]["code"]), (502, &json!("upstream_error")));
    let failed: [&str; 4] = [
        "model_router routing_start",
        "model_router routing_failed",
        "model_router routing_failed",
        "gateway request_failed",
    ];
    let table = product.trace(&down, &[&ASKED, &failed]).await;
    says(&table, "request_failed", "upstream_error");
}
