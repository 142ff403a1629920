//! Policies of a running server: calls held over a kill, files that change, the demo.

use crate::support::{on, server};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::{Answer, AuditLayer, Behaviour, MockProvider};

const HOLD: &str = r#"@id("loan") @outcome("ESCALATE") forbid (principal, action == Action::"prompt",
    resource) when { context.findings.email.count > 0 };"#;
const BLOCK: &str = r#"@id("loan") @outcome("BLOCK") @message("No more.") forbid (principal,
    action == Action::"prompt", resource) when { context.findings.email.count > 0 };"#;

fn config(directory: &Path) -> String {
    let directory = directory.display().to_string();
    format!("[policies]\ndirectory = {directory:?}\n[reviews]\nwait = \"50ms\"\n")
}

async fn ask(server: &AuditLayer, key: &str) -> Answer {
    let content = "A loan for jane@example.com?";
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": content}]});
    let headers = [
        ("x-api-key", key),
        ("x-llm-user", "u-42"),
        ("x-llm-request-type", "ask"),
        ("content-type", "application/json"),
    ];
    let url = format!("{}/v1/chat/completions", server.gateway_url());
    server.client().call("POST", &url, &headers, body.to_string()).await
}

/// Waits until the server says so.
async fn says(server: &AuditLayer, what: &str) {
    let said = async {
        while !server.output().contains(what) {
            tokio::task::yield_now().await;
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(30), said).await;
    assert!(said.is_ok(), "{what:?} is not in {}", server.output());
}

/// What the record says of policies that were loaded, once it says so of as many.
async fn loads_of_policies(server: &AuditLayer, count: usize) -> Vec<Value> {
    let query = "SELECT event_data FROM audit_events WHERE event_type = 'config_loaded' \
                 ORDER BY timestamp";
    let mut found: Vec<Value> = Vec::new();
    let loaded = async {
        while found.len() < count {
            let rows = on(server, &["sql", query, "--json"]).await.json();
            let events = rows["rows"].as_array().unwrap().iter().map(|row| match &row[0] {
                Value::String(text) => serde_json::from_str(text).unwrap(),
                other => other.clone(),
            });
            found = events.filter(|event: &Value| event["kind"] == "policies").collect();
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), loaded).await.is_ok();
    assert!(in_time && found.len() == count, "{found:?}");
    found
}

#[tokio::test]
async fn a_held_call_survives_a_kill_is_approved_by_hand_and_gets_its_answer() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let policies = tempfile::tempdir().unwrap();
    std::fs::write(policies.path().join("p.cedar"), HOLD).unwrap();
    let mut server =
        server().upstream(&provider.url()).config(&config(policies.path())).start().await;
    let key = server.key("finance-app").await;
    let held = ask(&server, &key).await;
    assert_eq!(held.status, 409, "{}", held.text());
    let review = held.json()["review_id"].as_str().unwrap().to_owned();
    server.kill().await;
    server.start().await;
    assert_eq!(ask(&server, &key).await.status, 409);
    let why = ["reviews", "approve", &review, "--rationale", "Checked against the file."];
    assert_eq!(on(&server, &why).await.code, 0);
    server.kill().await;
    server.start().await;
    let answer = ask(&server, &key).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-audit-id"), held.header("x-audit-id"));
    assert_eq!(provider.count(), 1);
    let again = ask(&server, &key).await;
    assert_eq!((again.status, &again.body, provider.count()), (200, &answer.body, 1));
    let id = held.header("x-audit-id").unwrap();
    let shown = on(&server, &["show", id, "--json"]).await.json();
    assert_eq!(shown["review_status"], "approved", "{shown}");
    let events = shown["events"].as_array().unwrap().iter();
    let types: Vec<_> = events.map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(
        types[types.len() - 4..],
        ["review_approved", "routing_start", "routing_success", "request_completed"]
    );
    assert!(server.stop().await.success());
    assert_eq!(on(&server, &["verify"]).await.code, 0);
}

#[tokio::test]
async fn changed_files_are_taken_up_and_broken_ones_are_told_and_change_nothing() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let policies = tempfile::tempdir().unwrap();
    let file = policies.path().join("p.cedar");
    std::fs::write(&file, HOLD).unwrap();
    let mut server =
        server().upstream(&provider.url()).config(&config(policies.path())).start().await;
    let key = server.key("finance-app").await;
    assert_eq!(ask(&server, &key).await.status, 409);
    std::fs::write(&file, BLOCK.replace("email", "e_mail")).unwrap();
    says(&server, "changed policies cannot be used").await;
    assert_eq!(ask(&server, &key).await.status, 409);
    std::fs::write(&file, BLOCK).unwrap();
    says(&server, "other policies are in force").await;
    // Held before: the same request joins. Another caller's is judged anew.
    let other = server.key("another-app").await;
    let blocked = ask(&server, &other).await;
    assert_eq!((blocked.status, &blocked.json()["error"]["message"]), (403, &json!("No more.")));
    let policies = loads_of_policies(&server, 3).await;
    assert_eq!(policies[0]["fingerprint"], policies[1]["fingerprint"]);
    assert_ne!(policies[1]["fingerprint"], policies[2]["fingerprint"]);
    std::fs::write(&file, "nonsense").unwrap();
    assert!(server.stop().await.success());
    let refused = server.try_start().await.unwrap_err();
    assert!(refused.contains("p.cedar:1:"), "{refused}");
}

#[tokio::test]
async fn the_demo_shows_what_policies_do() {
    let server = server().argument("--demo").start().await;
    let query = "SELECT DISTINCT outcome FROM audit_logs WHERE outcome IS NOT NULL";
    let shown = async {
        loop {
            let rows = on(&server, &["sql", query, "--json"]).await.json().to_string();
            if ["BLOCK", "REDACT", "ESCALATE", "FLAG"].iter().all(|one| rows.contains(one)) {
                return;
            }
        }
    };
    let shown = tokio::time::timeout(Duration::from_secs(60), shown).await;
    assert!(shown.is_ok(), "{}", on(&server, &["sql", query]).await.stdout);
}
