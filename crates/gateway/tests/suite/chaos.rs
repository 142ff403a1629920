//! Whatever providers do: the bounds of retries and circuits hold, and the records say what
//! happened.

use crate::harness::{Harness, Told, provider, with_model, with_policies};
use crate::models::chat;
use gateway::{Breaker, Retry, Settings};
use proptest::prelude::*;
use std::time::Duration;
use testkit::{Behaviour, Fault, MockProvider};

const TARGETS: usize = 3;
const CALLS: usize = 6;
const FAILURES: u32 = 3;
/// Takes out what is found, both ways: every attempt gets the same.
const HIDE: &str = "@id(\"hide\") @outcome(\"REDACT\") forbid (principal, action, resource) \
    when { context.data_classes.contains(\"pii\") };";

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let status = |status| Just(Behaviour::fault(Fault::Status(status)));
    let fault = |fault| Just(Behaviour::fault(fault));
    let limited = Behaviour::fault(Fault::Status(429));
    prop_oneof![
        3 => Just(Behaviour::good()),
        2 => status(500),
        1 => status(503),
        1 => status(408),
        1 => status(400),
        1 => Just(limited.clone()),
        1 => Just(limited.clone().with_header("retry-after-ms", "2")),
        1 => Just(limited.with_header("retry-after", "60")),
        2 => fault(Fault::Reset),
        1 => fault(Fault::Silence),
        1 => fault(Fault::CutAfter(0)),
        1 => fault(Fault::ShortBody),
        1 => fault(Fault::HangAfter(1)),
    ]
}

fn scripts() -> impl Strategy<Value = Vec<Vec<Behaviour>>> {
    let script = proptest::collection::vec(behaviour(), 0..20);
    proptest::collection::vec(script, TARGETS)
}

/// Whether a target that behaved so has failed, as its circuit sees it.
fn counts(behaviour: &Behaviour) -> Option<bool> {
    match behaviour.fault {
        Fault::Status(429) => None,
        Fault::None | Fault::Status(400) => Some(false),
        _ => Some(true),
    }
}

/// How many requests a circuit lets through that never closes again.
fn let_through(script: &[Behaviour]) -> usize {
    let mut in_a_row = 0;
    for (at, behaviour) in script.iter().enumerate() {
        match counts(behaviour) {
            Some(true) => in_a_row += 1,
            Some(false) => in_a_row = 0,
            None => {}
        }
        if in_a_row == FAILURES {
            return at + 1;
        }
    }
    usize::MAX
}

fn settings(providers: &[MockProvider], retries: u32, attempts_max: u32) -> Settings {
    let named = providers.iter().enumerate();
    let mut settings =
        with_model(named.map(|(n, mock)| provider(&n.to_string(), &mock.url())).collect());
    let model = &mut settings.models[0];
    model.retry = Retry {
        retries,
        attempts_max,
        backoff: Duration::from_millis(1),
        retry_after_max: Duration::from_millis(100),
    };
    model.breaker = Breaker { failures: FAILURES, open: Duration::from_hours(1) };
    for target in &mut model.targets {
        target.first_byte = Duration::from_millis(150);
        target.idle = Duration::from_millis(150);
    }
    settings
}

/// What the record of one call must say, whatever happened.
fn check_record(told: &Told, retries: u32, attempts_max: u32) -> Result<(), TestCaseError> {
    let failed = told.fields("routing_failed", "attempt");
    let answered = told.fields("routing_success", "attempt");
    let numbers: Vec<_> =
        failed.iter().chain(&answered).filter_map(serde_json::Value::as_u64).collect();
    let expected: Vec<_> = (1..=numbers.len() as u64).collect();
    prop_assert_eq!(&numbers, &expected, "attempts are numbered without a gap");
    prop_assert!(answered.len() <= 1);
    let passed_over = |kind: &serde_json::Value| kind == "circuit_open" || kind == "busy";
    let kinds = told.fields("routing_failed", "error_kind");
    let sent = numbers.len() - kinds.iter().filter(|kind| passed_over(kind)).count();
    prop_assert!(sent <= attempts_max as usize, "{} requests", sent);
    let providers = told.fields("routing_failed", "provider");
    for name in ["0", "1", "2"] {
        let tries = providers.iter().zip(&kinds).filter(|(p, k)| *p == name && !passed_over(k));
        prop_assert!(tries.count() <= retries as usize + 1);
    }
    let next = told.fields("routing_failed", "next_target");
    for (at, next) in next.iter().enumerate() {
        let follows = providers.get(at + 1).cloned().or_else(|| {
            Some(told.field("routing_success", "provider")).filter(|name| !name.is_null())
        });
        let named = next.as_str().and_then(|next| next.split('/').next().map(str::to_owned));
        prop_assert_eq!(named, follows.and_then(|name| name.as_str().map(str::to_owned)));
    }
    let ends = ["request_completed", "request_failed"];
    let ended = told.types().iter().filter(|kind| ends.contains(kind)).count();
    prop_assert_eq!(ended, 1);
    for ((role, _), bytes) in &told.parts {
        if *role == "upstream_request" {
            prop_assert!(String::from_utf8_lossy(bytes).contains("\"m-at-"));
        }
    }
    Ok(())
}

async fn run(
    scripts: Vec<Vec<Behaviour>>,
    retries: u32,
    attempts_max: u32,
    guarded: bool,
) -> Result<(), TestCaseError> {
    let mut mocks = Vec::new();
    for script in &scripts {
        let mock = MockProvider::start(Behaviour::good()).await;
        mock.script(script.iter().cloned());
        mocks.push(mock);
    }
    let settings = settings(&mocks, retries, attempts_max);
    let harness = match guarded {
        true => Harness::with(with_policies(settings, HIDE)).await,
        false => Harness::with(settings).await,
    };
    let body = chat("m").replace("hi", "hi, jane@example.com");
    let mut before = 0;
    for _ in 0..CALLS {
        let answer = harness.post("/v1/chat/completions", body.clone()).await;
        let sent: usize = mocks.iter().map(MockProvider::count).sum();
        prop_assert!(sent - before <= attempts_max as usize);
        before = sent;
        prop_assert!(
            [200, 400, 408, 429, 500, 502, 503, 504].contains(&answer.status),
            "{}",
            answer.status
        );
    }
    for (mock, script) in mocks.iter().zip(&scripts) {
        prop_assert!(mock.count() <= let_through(script), "called while its circuit was open");
        for received in mock.received() {
            let text = String::from_utf8_lossy(&received.body).into_owned();
            prop_assert_eq!(text.contains("hi, <EMAIL_1>"), guarded, "{}", text);
        }
    }
    let all = harness.ended(CALLS).await;
    prop_assert_eq!(all.len(), CALLS);
    let mut recorded = 0;
    for told in &all {
        check_record(told, retries, attempts_max)?;
        let kinds = told.fields("routing_failed", "error_kind");
        let tried = kinds.iter().filter(|kind| *kind != "circuit_open" && *kind != "busy").count();
        recorded += tried + told.fields("routing_success", "attempt").len();
    }
    prop_assert_eq!(recorded, before, "every request that a provider saw is told");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn bounds_hold_under_a_chaos_provider(
        scripts in scripts(), retries in 0..3_u32, attempts_max in 1..7_u32, guarded in any::<bool>()
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run(scripts, retries, attempts_max, guarded))?;
    }
}
