//! Fills a data directory with judged calls, to try `policy backtest` on many of them.
//!
//! `cargo run --release -p cli --example recorded_calls -- DIRECTORY CALLS`

use event::{
    Component, Event, PolicyEvaluationComplete, RequestCompleted, RequestReceived, Timestamp,
};
use index::{Cursor, IndexWriter, ProjectedRecord};
use policy::{Counters, Counts, Facts, FindingFact};
use recorder::{DecisionIds, Options, PersonNames, Recorder, Role};
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

const WRITERS: u64 = 256;
const USERS: u64 = 500;
const MODELS: [&str; 4] = ["gpt-4o-mini", "gpt-4o", "claude-opus-5", "mistral-8b"];

/// `audit-layer rebuild` makes an index where one is wanted.
struct NoIndex;

impl IndexWriter for NoIndex {
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    fn apply(&mut self, _: &[ProjectedRecord], _: &Cursor) -> index::Result<()> {
        Ok(())
    }
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "it is a program of its own")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data), Some(calls)) = (arguments.next(), arguments.next()) else {
        return Err("give a directory and how many calls to record in it".into());
    };
    let (data, calls) = (PathBuf::from(data), calls.parse::<u64>()?);
    std::fs::create_dir_all(&data)?;
    let mut state_dir = data.clone().into_os_string();
    state_dir.push(".state");
    let options = Options {
        data,
        state_dir: state_dir.into(),
        origin: "audit.local".to_owned(),
        tenant: "default".to_owned(),
        durability: journal::Durability::Process,
        segment_bytes: 64 * 1024 * 1024,
        heartbeat: Duration::from_hours(1),
    };
    let running = recorder::open(options, || Ok(Box::new(NoIndex))).await?;
    let mut writers = tokio::task::JoinSet::new();
    for first in 0..WRITERS {
        let recorder = running.recorder.clone();
        writers.spawn(async move {
            for number in (first..calls).step_by(WRITERS as usize) {
                record(&recorder, number).await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    running.close();
    Ok(())
}

async fn record(recorder: &Recorder, number: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let facts = facts(number);
    let names = PersonNames { user: Some(facts.user.clone()), subjects: Vec::new() };
    let persons = recorder.persons(&names).await?;
    let ids = DecisionIds {
        decision_id: Uuid::now_v7(),
        trace_id: Uuid::new_v4(),
        request_id: Uuid::new_v4().to_string(),
    };
    let received = RequestReceived {
        source: Some(facts.source.clone()),
        user_id: Some(facts.user.clone()),
        model: Some(facts.model.clone()),
        ..RequestReceived::default()
    };
    let judged = PolicyEvaluationComplete {
        stage: Some("request".to_owned()),
        outcome: Some("ALLOW".to_owned()),
        violations: Some(Vec::new()),
        evaluated: Some(7),
        context: Some(serde_json::to_value(&facts)?),
        ..PolicyEvaluationComplete::default()
    };
    let at = Timestamp::from_micros(facts.at);
    let events = [
        Event::new(Component::Gateway, at, received),
        Event::new(Component::PolicyEngine, at, judged),
        Event::new(Component::Gateway, at, RequestCompleted::default()),
    ];
    let mut writer = recorder.decision(ids, persons);
    let mut body = writer.body(Role::ClientRequest, 0)?;
    let text = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"call {number}\"}}]}}");
    body.push(text.as_bytes());
    writer.commit(&events, vec![body]).await?;
    Ok(())
}

fn facts(number: u64) -> Facts {
    let tokens = Counts { minute: number % 500, hour: number % 9_000, day: number % 200_000 };
    Facts {
        source: ["finance-app", "support-bot", "hr-portal"][(number % 3) as usize].to_owned(),
        user: format!("u-{}", number % USERS),
        request_type: "summarise".to_owned(),
        model: MODELS[(number % 4) as usize].to_owned(),
        provider: "openai".to_owned(),
        data_classes: vec!["pii".to_owned()],
        findings: vec![FindingFact::new("email", number % 40, 1.0)],
        request_bytes: 2_048,
        estimated_tokens: 512,
        roles: vec!["system".to_owned(), "user".to_owned()],
        at: Timestamp::now().as_micros(),
        counters: Counters { user_tokens: tokens, ..Counters::default() },
        ..Facts::default()
    }
}
