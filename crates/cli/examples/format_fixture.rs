//! Makes the fixture of the present version of the formats: a data directory that holds every kind
//! of record, a proof, and what the commands say of them. Run once for each version, before it is
//! released; the tests (`tests/formats`) read it from then on.
//!
//! `cargo run -p cli --example format_fixture -- BINARY crates/cli/tests/fixtures/format-1`

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own, which fails where anything is not as it must be"
)]

#[path = "../tests/formats/dump.rs"]
mod dump;

use control::Reviews;
use event::{Component, Event, EventData, EventType, Timestamp};
use index::{Cursor, IndexWriter, ProjectedRecord};
use recorder::{DecisionIds, PersonNames, Role};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use testkit::{Answer, AuditLayer, Behaviour, Fault, MockProvider, pack, refused_url};
use uuid::Uuid;

const POLICIES: &str = r#"
@id("no") @outcome("BLOCK") @message("Not this.")
forbid (principal, action == Action::"prompt", resource) when { context.request_type == "blocked" };
@id("hide") @outcome("REDACT")
forbid (principal, action == Action::"prompt", resource)
when { context.request_type == "redacted" && context.data_classes.contains("pii") };
@id("ask") @outcome("ESCALATE")
forbid (principal, action == Action::"prompt", resource)
when { context.request_type like "ask-*" };
@id("hide-asked") @outcome("REDACT")
forbid (principal, action == Action::"prompt", resource)
when { context.request_type like "ask-*" };
@id("not-said") @outcome("BLOCK")
forbid (principal, action == Action::"answer", resource)
when { context.request_type == "answer-blocked" };
@id("hide-said") @outcome("REDACT")
forbid (principal, action == Action::"answer", resource)
when { context.request_type == "answer-redacted" };
@id("ask-said") @outcome("ESCALATE")
forbid (principal, action == Action::"answer", resource)
when { context.request_type == "answer-asked" };
@id("tried") @outcome("BLOCK") @mode("shadow")
forbid (principal, action == Action::"prompt", resource);
"#;

/// Types that a call's own records do not hold: the product writes them about itself, or they are
/// reserved.
const OWN: [EventType; 10] = [
    EventType::Access,
    EventType::ErasureRequested,
    EventType::ErasureDeferred,
    EventType::ErasureCompleted,
    EventType::RetentionApplied,
    EventType::RecordingGap,
    EventType::ConfigLoaded,
    EventType::Heartbeat,
    EventType::EpochStarted,
    EventType::ClockAnomaly,
];

struct NoIndex;

impl IndexWriter for NoIndex {
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    fn apply(&mut self, _: &[ProjectedRecord], _: &Cursor) -> index::Result<()> {
        Ok(())
    }
}

struct Making {
    binary: PathBuf,
    root: tempfile::TempDir,
    key: String,
    provider: MockProvider,
    config: String,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, out] = &arguments[..] else { panic!("give the binary and the fixture's folder") };
    let (making, out) = (Making::new(binary.into()).await, PathBuf::from(out));
    making.by_hand().await;
    making.expired().await;
    let mut server = making.server("365d").start().await;
    making.calls(&server).await;
    making.reported(&server).await;
    let review = making.reviews(&server).await;
    making.cut_off(&mut server).await;
    // What is asked of the product is recorded, too.
    server.run_json(&["show", "redacted", "--json"]).await;
    server.run_json(&["logs", "--json"]).await;
    let first = vkey(&server).await;
    assert!(server.stop().await.success());
    assert!(server.run(&["recover", "--new-epoch"]).await.status.success());
    server.start().await;
    making.call(&server, "second-epoch", "m", false).await;
    let proof = server.run_json(&["proof", "redacted", "--json"]).await;
    let second = vkey(&server).await;
    assert!(server.stop().await.success());
    making.write(&out, &proof, &review, &[first, second]);
}

async fn vkey(server: &AuditLayer) -> String {
    let token = server.token().await;
    server.api_get(&token, "/ledger/vkey").await.text().trim().to_owned()
}

impl Making {
    async fn new(binary: PathBuf) -> Self {
        let provider = MockProvider::start(Behaviour::good()).await;
        let root = tempfile::tempdir().unwrap();
        let policies = root.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        std::fs::write(policies.join("p.cedar"), POLICIES).unwrap();
        let (good, dead) = (provider.url(), refused_url().await);
        let config = format!(
            r#"
            [policies]
            directory = "{}"
            [reviews]
            wait = "20ms"
            expire = "EXPIRE"
            [[providers]]
            name = "good"
            kind = "openai"
            base_url = "{good}"
            [[providers]]
            name = "dead"
            kind = "openai"
            base_url = "{dead}"
            [[models]]
            name = "m"
            targets = [{{ provider = "good", model = "gpt-4o-mini" }}]
            [[models]]
            name = "second-best"
            retries = 0
            targets = [{{ provider = "dead", model = "a" }}, {{ provider = "good", model = "b" }}]
            [[models]]
            name = "down"
            retries = 0
            targets = [{{ provider = "dead", model = "a" }}]
            "#,
            policies.display()
        );
        let data = root.path().join("data");
        let made = dump::run(&binary, &data, &["keys", "create", "--source", "a", "--json"]);
        assert_eq!(made.0, Some(0), "{}", made.1);
        let made: Value = serde_json::from_str(&made.1).unwrap();
        let key = made["key"].as_str().unwrap().to_owned();
        Self { binary, root, key, provider, config }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn server(&self, expire: &str) -> testkit::AuditLayerBuilder {
        let config = self.config.replace("EXPIRE", expire);
        AuditLayer::builder(&self.binary).data(&self.data()).config(&config)
    }

    /// What the running product would not easily do: each type of event with each of its fields,
    /// sealed for several persons, a body in many parts, a gap.
    async fn by_hand(&self) {
        let options = recorder::Options {
            data: self.data(),
            state_dir: self.root.path().join("data.state"),
            origin: "audit.local".to_owned(),
            tenant: "default".to_owned(),
            durability: journal::Durability::Disk,
            segment_bytes: 64 * 1024 * 1024,
            heartbeat: Duration::from_millis(200),
        };
        let held =
            review::Desk::held_calls(&Reviews::open(&self.data().join("control.db")).unwrap());
        let running =
            recorder::open_holding(options, || Ok(Box::new(NoIndex)), held.unwrap()).await.unwrap();
        let recorder = running.recorder.clone();
        for (number, event_type) in EventType::ALL.iter().enumerate() {
            if OWN.contains(event_type) {
                continue;
            }
            let names = PersonNames {
                user: Some("u-42".to_owned()),
                subjects: vec!["patient-1".to_owned(), "patient-2".to_owned()],
            };
            let persons = recorder.persons(&names).await.unwrap();
            let ids = DecisionIds {
                decision_id: Uuid::now_v7(),
                trace_id: Uuid::new_v4(),
                request_id: format!("example-{event_type}"),
            };
            let mut writer = recorder.decision(ids, persons);
            let mut body = writer.body(Role::ClientRequest, 0).unwrap();
            body.push(format!("{{\"number\": {number}}}").as_bytes());
            let received = Event::new(
                Component::Gateway,
                Timestamp::now(),
                EventData::from_examples(EventType::RequestReceived).unwrap(),
            );
            let example = EventData::from_examples(*event_type).unwrap();
            let example = Event::new(Component::Gateway, Timestamp::now(), example);
            writer.commit(&[received, example], vec![body]).await.unwrap();
            let mut long = writer.body(Role::UpstreamResponse, 0).unwrap();
            long.push("many parts ".repeat(60_000).as_bytes());
            let completed =
                event::RequestCompleted { status_code: Some(200), ..Default::default() };
            let completed = Event::new(Component::Gateway, Timestamp::now(), completed);
            writer.commit(&[completed], vec![long]).await.unwrap();
        }
        let jump = event::ClockAnomaly { jump_us: Some(-172_800_000_000) };
        recorder.control(jump).await.unwrap();
        recorder.note_gap();
        recorder.note_gap();
        // The gap's record and a heartbeat come by themselves.
        let mut progress = running.progress.clone();
        let before = progress.borrow().next_seq;
        while progress.borrow_and_update().next_seq < before + 2 {
            tokio::time::timeout(Duration::from_secs(20), progress.changed())
                .await
                .unwrap()
                .unwrap();
        }
        drop(recorder);
        running.close();
    }

    async fn call(&self, server: &AuditLayer, kind: &str, model: &str, stream: bool) -> Answer {
        let content = format!("Write to jane@example.com and to joe@example.org. ({kind})");
        let body = json!({"model": model, "stream": stream,
            "messages": [{"role": "user", "content": content}]});
        let headers = [
            ("x-api-key", self.key.as_str()),
            ("x-llm-user", "u-42"),
            ("x-llm-user-email", "u42@example.com"),
            ("x-llm-session", "s-1"),
            ("x-llm-subject", "patient-1, patient-2"),
            ("x-llm-request-type", kind),
            ("x-request-id", kind),
            ("content-type", "application/json"),
        ];
        let url = format!("{}/v1/chat/completions", server.gateway_url());
        server.client().call("POST", &url, &headers, body.to_string()).await
    }

    async fn expired(&self) {
        let mut server = self.server("1s").start().await;
        let held = self.call(&server, "ask-expired", "m", false).await;
        assert_eq!(held.status, 409, "{}", held.text());
        loop {
            let shown = server.run_json(&["show", "ask-expired", "--json"]).await;
            if shown["review_status"] == "expired" {
                break;
            }
        }
        assert!(server.stop().await.success());
    }

    async fn calls(&self, server: &AuditLayer) {
        for (kind, model, stream, status) in [
            ("allowed", "m", false, 200),
            ("streamed", "m", true, 200),
            ("redacted", "m", false, 200),
            ("blocked", "m", false, 403),
            ("answer-blocked", "m", true, 403),
            ("fallen-back", "second-best", false, 200),
            ("all-down", "down", false, 502),
            ("no-such-model", "none", false, 404),
        ] {
            let answer = self.call(server, kind, model, stream).await;
            assert_eq!(answer.status, status, "{kind}: {}", answer.text());
        }
        let said = json!({"id": "x", "object": "chat.completion", "model": "gpt-4o-mini",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Ask ann@example.net."}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}});
        let said = Fault::Raw(200, "application/json".into(), said.to_string().into());
        self.provider.script([Behaviour::fault(said)]);
        let answer = self.call(server, "answer-redacted", "m", false).await;
        assert!(answer.text().contains("<EMAIL_1>"), "{}", answer.text());
        self.provider
            .script([Behaviour::fault(Fault::Status(500)), Behaviour::fault(Fault::Status(500))]);
        self.call(server, "provider-error", "m", false).await;
        let url = format!("{}/v1/chat/completions", server.gateway_url());
        let refused = server.client().call("POST", &url, &[("x-api-key", "al_gw_no")], "{}").await;
        assert_eq!(refused.status, 401);
    }

    /// What other systems report, and what is said later of a decision.
    async fn reported(&self, server: &AuditLayer) {
        let key = ["keys", "create", "--source", "batch", "--scope", "ingest", "--json"];
        let key = server.run_json(&key).await["key"].as_str().expect("a key").to_owned();
        let event = |id: &str, event_type: &str, component: &str| {
            json!({"id": id, "request_id": "reported-events", "event_type": event_type,
                "component": component, "trace_id": "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
                "timestamp": "2026-08-01T09:00:00Z", "user_id": "u-42",
                "event_data": {"model": "m", "method": "POST"}})
        };
        let reports = json!([
            {"id": "fields", "source": "batch", "user_id": "u-42", "decision_type": "ask",
                "request_id": "reported-fields", "timestamp": "2026-08-01T09:00:00Z",
                "model": "gpt-4o", "tokens_used": 12, "latency_ms": 40.5},
            {"id": "bodies", "source": "batch", "user_id": "u-42", "decision_type": "ask",
                "request_id": "reported-bodies", "timestamp": "2026-08-01T09:00:01Z",
                "subjects": ["patient-1"],
                "request": {"path": "/v1/chat/completions", "body": {"model": "gpt-4o",
                    "messages": [{"role": "user", "content": "Write to jane@example.com."}]}},
                "response": {"status_code": 200, "body": {"id": "x", "object": "chat.completion",
                    "model": "gpt-4o-2024-11-20", "choices": [{"index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "Done."}}],
                    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}}},
            event("event", "request_received", "sdk"),
        ]);
        let url = format!("{}/api/v1/audit/log", server.api_url());
        let bearer = format!("Bearer {key}");
        let answer = server.client().post_json(&url, &[("authorization", &bearer)], &reports).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let items = answer.json()["items"].clone();
        let recorded = |item: &Value| item["status"] == 202;
        assert!(items.as_array().expect("items").iter().all(recorded), "{items}");
        let bearer = format!("Bearer {}", server.token().await);
        let url = format!("{}/api/v1/audit/logs/reported-fields", server.api_url());
        for (what, note) in [
            ("outcome", json!({"outcome": "overridden", "reason": "The limit was raised."})),
            ("flag", json!({"flagged": true, "incident": "INC-1", "note": "Names a customer."})),
        ] {
            let path = format!("{url}/{what}");
            let answer =
                server.client().post_json(&path, &[("authorization", &bearer)], &note).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
        server
            .api_get(&server.token().await, "/api/v1/audit/logs/redacted?reveal=true&purpose=x")
            .await;
    }

    /// The id of the one that is left as it is.
    async fn reviews(&self, server: &AuditLayer) -> String {
        for (kind, verb) in
            [("ask-approved", "approve"), ("ask-rejected", "reject"), ("answer-asked", "approve")]
        {
            let held = self.call(server, kind, "m", false).await;
            let id = held.json()["review_id"].as_str().expect("held").to_owned();
            server
                .run_json(&["reviews", verb, &id, "--rationale", "Looked at it.", "--json"])
                .await;
            let answer = self.call(server, kind, "m", false).await;
            assert_eq!(answer.status == 200, verb == "approve", "{}", answer.text());
        }
        let held = self.call(server, "ask-held", "m", false).await;
        held.json()["review_id"].as_str().expect("held").to_owned()
    }

    /// A call that a crash cuts off.
    async fn cut_off(&self, server: &mut AuditLayer) {
        self.provider.script([Behaviour::fault(Fault::Silence)]);
        let before = self.provider.count();
        tokio::select! {
            answer = self.call(server, "cut-off", "m", false) => panic!("{}", answer.text()),
            () = self.provider.wait_for(before + 1) => {}
        }
        server.kill().await;
        server.start().await;
    }

    fn write(&self, out: &Path, proof: &Value, review: &str, vkeys: &[String]) {
        std::fs::create_dir_all(out).unwrap();
        let until = Timestamp::now().to_string();
        let kept = |path: &str| {
            let store = ["data/audit-layer.json", "data/control.db", "data/subjects.db"];
            let folder = ["data/journal/", "data/ledger/", "data/keys/", "data.state/"];
            store.iter().any(|name| path.starts_with(name))
                || folder.iter().any(|name| path.starts_with(name))
        };
        let packed = pack(self.root.path(), kept).unwrap();
        std::fs::write(out.join("data.pack"), &packed).unwrap();
        let proof = serde_json::to_string(proof).unwrap() + "\n";
        std::fs::write(out.join("proof.json"), proof).unwrap();
        // As the tests do: on what was unpacked.
        let root = tempfile::tempdir().unwrap();
        testkit::unpack(&packed, root.path()).unwrap();
        let data = root.path().join("data");
        let verified = dump::verified(&self.binary, &data);
        let read = dump::read(&self.binary, &data, &until);
        let shown = dump::run(&self.binary, &data, &["reviews", "show", review, "--json"]).1;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let mut types: Vec<&str> = read["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["event_type"].as_str().unwrap())
            .collect();
        types.sort_unstable();
        types.dedup();
        let expected = json!({"held_preview": shown["prompt_preview"], "read": read,
            "review": review, "types": types, "until": until, "verified": verified,
            "vkeys": vkeys});
        let text = serde_json::to_string(&expected).unwrap() + "\n";
        std::fs::write(out.join("expected.json"), text).unwrap();
        println!("{} bytes packed; {}", packed.len(), types.join(" "));
    }
}
