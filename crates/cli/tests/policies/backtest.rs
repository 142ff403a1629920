//! `policy backtest`: policies tried on recorded calls.

use crate::support::{Ran, policy};
use event::{Component, Event, PolicyEvaluationComplete, RequestCompleted, Timestamp};
use index::{Cursor, IndexWriter, ProjectedRecord};
use policy::{Facts, FindingFact};
use recorder::{DecisionIds, Options, PersonNames, Role};
use std::fs;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// Ten calls in a minute from then on: 4 March 2026, 10:00 UTC.
const FIRST_US: i64 = 1_772_618_400_000_000;
const CALLS: u64 = 120;

struct NoIndex;

impl IndexWriter for NoIndex {
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    fn apply(&mut self, _: &[ProjectedRecord], _: &Cursor) -> index::Result<()> {
        Ok(())
    }
}

fn facts(number: u64) -> Facts {
    Facts {
        source: "finance-app".to_owned(),
        user: format!("u-{}", number % 7),
        model: if number.is_multiple_of(3) { "gpt-4o" } else { "gpt-4o-mini" }.to_owned(),
        provider: "openai".to_owned(),
        data_classes: vec!["pii".to_owned()],
        findings: vec![FindingFact::new("email", number, 1.0)],
        at: FIRST_US + i64::try_from(number).unwrap() * 6_000_000,
        ..Facts::default()
    }
}

/// A data directory with calls that were let through; the last one has no facts.
async fn record(root: &Path) {
    let data = root.join("audit-data");
    fs::create_dir_all(&data).unwrap();
    let options = Options {
        data,
        state_dir: root.join("state"),
        origin: "audit.test".to_owned(),
        tenant: "default".to_owned(),
        durability: journal::Durability::Process,
        segment_bytes: 64 * 1024,
        heartbeat: Duration::from_hours(1),
    };
    let running = recorder::open(options, || Ok(Box::new(NoIndex))).await.unwrap();
    for number in 0..=CALLS {
        let facts = facts(number);
        let names = PersonNames { user: Some(facts.user.clone()), subjects: Vec::new() };
        let persons = running.recorder.persons(&names).await.unwrap();
        let ids = DecisionIds {
            decision_id: Uuid::now_v7(),
            trace_id: Uuid::new_v4(),
            request_id: number.to_string(),
        };
        let judged = PolicyEvaluationComplete {
            stage: Some("request".to_owned()),
            outcome: Some("ALLOW".to_owned()),
            violations: Some(Vec::new()),
            context: (number < CALLS).then(|| serde_json::to_value(&facts).unwrap()),
            ..PolicyEvaluationComplete::default()
        };
        let at = Timestamp::from_micros(facts.at);
        let events = [
            Event::new(Component::PolicyEngine, at, judged),
            Event::new(Component::Gateway, at, RequestCompleted::default()),
        ];
        let mut writer = running.recorder.decision(ids, persons);
        let mut body = writer.body(Role::ClientRequest, 0).unwrap();
        let text = if number == 5 { "write to a@example.com" } else { "write to nobody" };
        body.push(
            format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}").as_bytes(),
        );
        // Some of it, so that there are several segments.
        body.push(" ".repeat(number as usize).as_bytes());
        body.push(Uuid::new_v4().to_string().repeat(40).as_bytes());
        writer.commit(&events, vec![body]).await.unwrap();
    }
    running.close();
}

fn backtest(root: &Path, policies: &str, arguments: &[&str]) -> Ran {
    fs::create_dir_all(root.join("p")).unwrap();
    fs::write(root.join("p/a.cedar"), policies).unwrap();
    policy(root, &[&["backtest", "p"], arguments].concat())
}

const PLANTED: &str = "
@id(\"planted\") @outcome(\"BLOCK\") forbid (principal, action, resource == Model::\"gpt-4o\")
when { context.findings.email.count >= 60 };
@id(\"quiet\") @outcome(\"ESCALATE\") @mode(\"shadow\") forbid (principal == User::\"u-0\", action, resource);
";

#[tokio::test]
async fn a_planted_policy_s_changes_are_found() {
    let root = tempfile::tempdir().unwrap();
    record(root.path()).await;
    let segments = fs::read_dir(root.path().join("audit-data/journal")).unwrap().flatten();
    let segments = segments.filter(|file| file.path().extension().is_some_and(|e| e == "seg"));
    assert!(segments.count() > 2, "several segments are read");

    let ran = backtest(root.path(), PLANTED, &["--json", "--examples", "3"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let found = ran.json();
    assert_eq!((&found["decisions"], &found["changed"]), (&120.into(), &20.into()));
    assert_eq!(found["policies"]["planted"], serde_json::json!({ "recorded": 0, "now": 20 }));
    assert_eq!((&found["shadow"]["quiet"], &found["without_facts"]), (&18.into(), &1.into()));
    assert_eq!(found["outcomes"][1]["now"], "BLOCK");
    let examples = found["examples"].as_array().unwrap();
    let times: Vec<_> = examples.iter().map(|one| one["timestamp"].as_str().unwrap()).collect();
    assert_eq!(times[0], "2026-03-04T10:06:00.000000Z");
    assert!(times.len() == 3 && times.is_sorted());
    assert_eq!(examples[0]["policies"], serde_json::json!(["planted"]));

    let ran = backtest(root.path(), PLANTED, &[]);
    assert!(
        ran.stdout.contains("ALLOW\tBLOCK\t20") && ran.stdout.contains("planted\t0\t20"),
        "{ran:?}"
    );
    assert!(ran.stdout.ends_with("20 calls would be decided otherwise\n"), "{ran:?}");
}

#[tokio::test]
async fn times_narrow_it_and_detectors_run_again() {
    let root = tempfile::tempdir().unwrap();
    record(root.path()).await;
    // Records have the time at which they were written.
    let later = backtest(root.path(), PLANTED, &["--json", "--from", "2999-01-01"]).json();
    assert_eq!(later["decisions"], 0);
    let earlier = backtest(root.path(), PLANTED, &["--json", "--to", "2026-01-01"]).json();
    assert_eq!(earlier["decisions"], 0);
    let all = backtest(root.path(), PLANTED, &["--json", "--from", "1h"]).json();
    assert_eq!(all["decisions"], 120);

    let mail = "@id(\"mail\") @outcome(\"FLAG\") forbid (principal, action, resource) when { context.findings.email.count > 0 };";
    let recorded = backtest(root.path(), mail, &["--json"]).json();
    assert_eq!(recorded["changed"], 119);
    let again = backtest(root.path(), mail, &["--json", "--redetect"]).json();
    assert_eq!((&again["changed"], &again["without_body"]), (&1.into(), &0.into()));
    // With what is configured: another kind, and addresses not any more.
    let own = "[[detectors.custom]]\nname = \"nobody\"\nclass = \"pii\"\nwords = [\"nobody\"]\n[detectors]\noff = [\"email\"]\n";
    fs::write(root.path().join("audit-layer.toml"), own).unwrap();
    let none = backtest(root.path(), mail, &["--json", "--redetect"]).json();
    assert_eq!(none["changed"], 0);
    let nobody =
        mail.replace("context.findings.email.count > 0", "context.kinds.contains(\"nobody\")");
    let own = backtest(root.path(), &nobody, &["--json", "--redetect"]).json();
    assert_eq!(own["changed"], 119);
}

#[test]
fn without_records_it_says_what_to_give() {
    let root = tempfile::tempdir().unwrap();
    backtest(root.path(), PLANTED, &[]).failed(1, "give the data directory with --data");
    let broken = backtest(root.path(), "nothing", &[]);
    assert!(broken.code == 1 && broken.stdout.starts_with("FAULT p/a.cedar:1:"), "{broken:?}");
}
