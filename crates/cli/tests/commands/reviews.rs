//! Reviews from the command line: seen, decided once, kept over a kill.

use crate::support::{on, server};
use control::{ReviewStage, ReviewViolation, Reviews};
use event::{Component, Event, RequestReceived, Timestamp};
use index::{Cursor, IndexWriter, ProjectedRecord};
use recorder::{DecisionIds, PersonNames, Role};
use review::{About, Desk, Hold, Settings};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testkit::AuditLayer;
use uuid::Uuid;

struct NoIndex;

impl IndexWriter for NoIndex {
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    fn apply(&mut self, _: &[ProjectedRecord], _: &Cursor) -> index::Result<()> {
        Ok(())
    }
}

/// Holds calls of `u-42` in a data directory that no process has, as the gateway would.
async fn hold(data: &Path, count: u8) -> Vec<String> {
    let mut state_dir = data.canonicalize().unwrap().into_os_string();
    state_dir.push(".state");
    let options = recorder::Options {
        data: data.to_owned(),
        state_dir: state_dir.into(),
        origin: "audit.local".to_owned(),
        tenant: "default".to_owned(),
        durability: journal::Durability::Disk,
        segment_bytes: 64 * 1024 * 1024,
        heartbeat: Duration::from_hours(1),
    };
    let reviews = Arc::new(Reviews::open(&data.join("control.db")).unwrap());
    let held = Desk::held_calls(&reviews).unwrap();
    let running = recorder::open_holding(options, || Ok(Box::new(NoIndex)), held).await.unwrap();
    let recorder = running.recorder.clone();
    let desk = Desk::new(reviews, recorder.clone(), Settings::default());
    let names = PersonNames { user: Some("u-42".to_owned()), subjects: Vec::new() };
    let persons = recorder.persons(&names).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..count {
        let decision = DecisionIds {
            decision_id: Uuid::now_v7(),
            trace_id: Uuid::new_v4(),
            request_id: format!("held-{number}"),
        };
        let mut writer = recorder.decision(decision, persons.clone());
        let mut body = writer.body(Role::ClientRequest, 0).unwrap();
        body.push(b"{\"prompt\": \"a large loan\"}");
        let opening = desk.opening(ReviewStage::Request, 1);
        let received = RequestReceived { user_id: names.user.clone(), ..Default::default() };
        let received = Event::new(Component::Gateway, Timestamp::now(), received);
        writer.commit(&[received, opening.event()], vec![body]).await.unwrap();
        let hold = Hold {
            opening,
            fingerprint: [number; 32],
            arrived_at: Timestamp::now(),
            policy_ids: vec!["large-loan".to_owned()],
            violations: vec![ReviewViolation {
                policy_id: "large-loan".to_owned(),
                outcome: "ESCALATE".to_owned(),
                ..ReviewViolation::default()
            }],
            api_key_id: None,
            source: Some("finance-app".to_owned()),
            request_type: None,
            model: Some("gpt-4o".to_owned()),
            about: About {
                user_id: names.user.clone(),
                prompt_preview: Some("a large loan".to_owned()),
                ..About::default()
            },
            held: b"held".to_vec(),
        };
        ids.push(desk.hold(writer, &persons, hold).await.unwrap().id);
    }
    drop((desk, recorder));
    running.close();
    ids
}

async fn states(server: &AuditLayer) -> Vec<(String, String)> {
    let listed = on(server, &["reviews", "list", "--json"]).await.json();
    let items = listed["items"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items.map(|item| (text(&item["id"]), text(&item["state"]))).collect()
}

#[tokio::test]
async fn reviews_are_decided_once_beside_the_server_without_one_and_over_a_kill() {
    let mut server = server().upstream("http://127.0.0.1:9").prepare();
    on(&server, &["keys", "create", "--source", "a"]).await;
    let ids = hold(server.data(), 3).await;
    server.start().await;
    let shown = on(&server, &["reviews", "show", &ids[0]]).await;
    for part in ["a large loan", "large-loan", "u-42", "pending", "review_created"] {
        assert!(shown.stdout.contains(part), "{part:?} is not in {shown:?}");
    }
    let why = ["--rationale", "the file is there"];
    let approved = on(&server, &[&["reviews", "approve", &ids[0]], &why[..]].concat()).await;
    assert_eq!(approved.stdout, format!("{} is approved\n", ids[0]), "{approved:?}");
    server.kill().await;
    server.start().await;
    let pending: Vec<_> = states(&server).await;
    let expected = [(2, "pending"), (1, "pending"), (0, "approved")];
    assert_eq!(pending, expected.map(|(n, state)| (ids[n].clone(), state.to_owned())));
    let late = on(&server, &[&["reviews", "reject", &ids[0]], &why[..]].concat()).await;
    late.failed(1, "is approved by");
    assert!(server.stop().await.success());
    let reject = [&["reviews", "reject", &ids[1], "--json"], &why[..]].concat();
    assert_eq!(on(&server, &reject).await.json()["outcome"], "rejected");
    on(&server, &[&["reviews", "approve", &ids[1]], &why[..]].concat())
        .await
        .failed(1, "is rejected by");
    let table = on(&server, &["reviews", "list", "--state", "pending"]).await;
    assert_eq!(table.stdout.lines().count(), 2, "{table:?}");
    let query = "SELECT event_type, count(*) FROM audit_events WHERE component = 'hitl' \
                 GROUP BY event_type ORDER BY event_type";
    let counted = on(&server, &["sql", query, "--json"]).await.json();
    let expected =
        serde_json::json!([["review_approved", 1], ["review_created", 3], ["review_rejected", 1]]);
    assert_eq!(counted["rows"], expected);
    let report = on(&server, &["verify", "--json"]).await;
    assert_eq!((report.code, &report.json()["ok"]), (0, &Value::Bool(true)), "{report:?}");
}

#[tokio::test]
async fn wrong_verdicts_are_refused_in_one_line() {
    let server = server().upstream("http://127.0.0.1:9").prepare();
    on(&server, &["keys", "create", "--source", "a"]).await;
    let none = on(&server, &["reviews", "reject", "rev_none", "--rationale", "x"]).await;
    none.failed(1, "rev_none");
    on(&server, &["reviews", "show", "rev_none"]).await.failed(1, "rev_none");
}
