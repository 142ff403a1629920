//! What is decided.

use crate::support::{bundle, call};
use policy::{Bundle, Counters, Counts, Facts, FindingFact, Mode, Outcome, Source, Stage};
use proptest::prelude::*;

fn decides(policies: &str, facts: &Facts) -> Outcome {
    bundle(policies).decide(facts).outcome
}

fn when(condition: &str) -> String {
    format!(
        "@id(\"x\") @outcome(\"BLOCK\") forbid (principal, action, resource) when {{ {condition} }};"
    )
}

#[test]
fn every_attribute_says_what_the_facts_say() {
    let counts = Counts { minute: 1, hour: 20, day: 300 };
    let facts = Facts {
        session: Some("s-1".to_owned()),
        stage: Stage::Request,
        baa: true,
        data_classes: vec!["pii".to_owned()],
        findings: vec![FindingFact::new("email", 3, 0.9), FindingFact::new("badge", 1, 1.0)],
        answer_bytes: 7,
        tools_offered: vec!["search".to_owned()],
        tools_called: vec!["delete".to_owned()],
        streamed: true,
        counters: Counters { user_tokens: counts, source_requests: counts, ..Counters::default() },
        ..call()
    };
    let all = [
        "context.source == \"finance-app\" && context.user == \"u-42\"",
        "context.request_type == \"summarise\" && context.stage == \"request\"",
        "context has session && context.session == \"s-1\"",
        "context.model == \"gpt-4o-mini\" && context.provider == \"openai\" && context.baa",
        "context.data_classes.contains(\"pii\") && !context.data_classes.contains(\"phi\")",
        "context.kinds.contains(\"badge\")",
        "context.findings.email.count == 3 && context.findings.email.score == 90",
        "context.findings.phone.count == 0",
        "context.request_bytes == 2048 && context.answer_bytes == 7",
        "context.estimated_tokens == 512 && context.streamed",
        "context.roles.containsAll([\"system\", \"user\"])",
        "context.tools_offered == [\"search\"] && context.tools_called == [\"delete\"]",
        "context.hour == 10 && context.weekday == 3",
        "context.counters.user_tokens.day == 300 && context.counters.source_requests.minute == 1",
        "context.counters.user_requests.hour == 0",
        "principal == User::\"u-42\" && principal in Source::\"finance-app\"",
        "resource == Model::\"gpt-4o-mini\" && resource in Provider::\"openai\"",
        "action == Action::\"prompt\"",
    ];
    for condition in all {
        assert_eq!(decides(&when(condition), &facts), Outcome::Block, "{condition}");
    }
}

#[test]
fn a_call_that_violates_nothing_is_allowed() {
    let decision = bundle(&when("context.model == \"other\"")).decide(&call());
    assert_eq!((decision.outcome, decision.evaluated), (Outcome::Allow, 1));
    assert!(decision.violations.is_empty() && decision.errors.is_empty());
}

#[test]
fn stages_are_kept_apart() {
    let policies = "
        @id(\"in\") @outcome(\"FLAG\") forbid (principal, action, resource);
        @id(\"out\") @outcome(\"BLOCK\") @stage(\"response\") forbid (principal, action, resource);";
    assert_eq!(decides(policies, &call()), Outcome::Flag);
    assert_eq!(decides(policies, &Facts { stage: Stage::Response, ..call() }), Outcome::Block);
    let bundle = bundle(policies);
    assert!(bundle.has_stage(Stage::Response) && bundle.buffers_streams());
}

#[test]
fn a_policy_in_shadow_is_told_and_does_not_hold() {
    let policies = "
        @id(\"b\") @outcome(\"BLOCK\") @mode(\"shadow\") forbid (principal, action, resource);
        @id(\"f\") @outcome(\"FLAG\") forbid (principal, action, resource);";
    let decision = bundle(policies).decide(&call());
    assert_eq!(decision.outcome, Outcome::Flag);
    let told: Vec<_> =
        decision.violations.iter().map(|told| (&*told.policy_id, told.mode)).collect();
    assert_eq!(told, [("b", Mode::Shadow), ("f", Mode::Enforce)]);
}

#[test]
fn what_cannot_be_evaluated_blocks_and_is_named() {
    let overflow = "context.request_bytes + 9223372036854775807 > 0";
    let decision = bundle(&when(overflow)).decide(&call());
    assert_eq!(decision.outcome, Outcome::Block);
    assert_eq!(&*decision.errors[0].policy_id, "x");
    assert!(decision.errors[0].message.contains("overflow"), "{:?}", decision.errors);
    assert_eq!(decision.policy_ids(), ["x".into()]);
    let shadow = when(overflow).replace("forbid", "@mode(\"shadow\") forbid");
    let decision = bundle(&shadow).decide(&call());
    assert_eq!((decision.outcome, decision.errors.len()), (Outcome::Allow, 1));
}

#[test]
fn reviewers_are_as_many_as_the_strictest_asks_for() {
    let policies = "
        @id(\"a\") @outcome(\"ESCALATE\") forbid (principal, action, resource);
        @id(\"b\") @outcome(\"ESCALATE\") @reviewers(\"2\") forbid (principal, action, resource);
        @id(\"c\") @outcome(\"ESCALATE\") @reviewers(\"4\") @mode(\"shadow\") forbid (principal, action, resource);";
    assert_eq!(bundle(policies).decide(&call()).reviewers(), 2);
}

#[test]
fn huge_numbers_do_not_overflow() {
    let facts = Facts { request_bytes: u64::MAX, ..call() };
    assert_eq!(decides(&when("context.request_bytes + 1000 > 5000"), &facts), Outcome::Block);
    let decision = bundle(&when("context.request_bytes + 1000 > 5000")).decide(&facts);
    assert!(decision.errors.is_empty());
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(vec![Outcome::Flag, Outcome::Redact, Outcome::Escalate, Outcome::Block])
}

/// A scope, and whether the usual call is in it by Cedar's own rules.
fn scope() -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal",
        "principal is User",
        "principal == User::\"u-42\"",
        "principal == User::\"u-43\"",
        "principal in User::\"u-42\"",
        "principal in Source::\"finance-app\"",
        "principal in Source::\"hr-app\"",
        "principal is User in Source::\"finance-app\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource == Model::\"gpt-4o-mini\"",
        "resource == Model::\"gpt-4o\"",
        "resource in Provider::\"openai\"",
        "resource in Provider::\"azure\"",
        "resource is Model in Provider::\"openai\"",
    ]);
    (principal, resource).prop_map(|(principal, resource)| {
        format!("{principal}, action == Action::\"prompt\", {resource}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_strongest_wins_whatever_the_order(
        policies in prop::collection::vec((outcome(), any::<bool>(), any::<bool>()), 1..12),
        order in any::<prop::sample::Index>(),
    ) {
        let sources: Vec<Source> = policies
            .iter()
            .enumerate()
            .map(|(at, (outcome, shadow, holds))| Source {
                name: format!("{at}.cedar"),
                text: format!(
                    "@id(\"p{at}\") @outcome(\"{outcome}\") @mode(\"{}\")
                     forbid (principal, action, resource) when {{ context.baa == {holds} }};",
                    if *shadow { "shadow" } else { "enforce" },
                ),
            })
            .collect();
        let strongest = policies
            .iter()
            .filter(|(_, shadow, holds)| !shadow && !holds)
            .map(|(outcome, ..)| *outcome)
            .max()
            .unwrap_or(Outcome::Allow);
        let decision = Bundle::parse(&sources).unwrap().decide(&call());
        prop_assert_eq!(decision.outcome, strongest);
        let mut turned = sources.clone();
        turned.rotate_left(order.index(sources.len()));
        turned.reverse();
        prop_assert_eq!(Bundle::parse(&turned).unwrap().decide(&call()), decision);
    }

    #[test]
    fn a_scope_means_what_it_means_in_a_condition(scope in scope()) {
        let head = "@id(\"x\") @outcome(\"BLOCK\")";
        let by_scope = format!("{head} forbid ({scope});");
        let (principal, resource) = scope.split_once(", action == Action::\"prompt\", ").unwrap();
        let truth = |part: &str| if part.contains(' ') { part.to_owned() } else { "true".to_owned() };
        let by_condition = format!(
            "{head} forbid (principal, action, resource) when {{ ({}) && ({}) }};",
            truth(principal),
            truth(resource),
        );
        prop_assert_eq!(decides(&by_scope, &call()), decides(&by_condition, &call()), "{}", scope);
    }

    #[test]
    fn facts_come_back_from_their_json(
        words in prop::collection::vec("[a-z]{0,8}", 6),
        numbers in prop::collection::vec(any::<u32>(), 6),
        at in 0_i64..4_000_000_000_000_000,
        flags in any::<[bool; 3]>(),
    ) {
        let number = |at: usize| u64::from(numbers[at]);
        let facts = Facts {
            source: words[0].clone(),
            user: words[1].clone(),
            session: flags[0].then(|| words[2].clone()),
            stage: if flags[1] { Stage::Response } else { Stage::Request },
            baa: flags[2],
            findings: vec![FindingFact::new(words[3].clone(), number(0), 0.25)],
            roles: words[4..].to_vec(),
            estimated_tokens: number(1),
            counters: Counters {
                user_tokens: Counts { minute: number(2), hour: number(3), day: number(4) },
                ..Counters::default()
            },
            at,
            ..Facts::default()
        };
        let json = serde_json::to_string(&facts).unwrap();
        prop_assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    }
}

#[test]
fn the_json_of_facts_is_short_and_takes_what_later_versions_add() {
    let json = serde_json::to_string(&call()).unwrap();
    assert_eq!(
        json,
        r#"{"source":"finance-app","user":"u-42","request_type":"summarise","model":"gpt-4o-mini","provider":"openai","request_bytes":2048,"estimated_tokens":512,"roles":["system","user"],"at":1772620200000000}"#
    );
    let later = json.replace("{\"source\"", "{\"colour\":\"red\",\"source\"");
    assert_eq!(serde_json::from_str::<Facts>(&later).unwrap(), call());
}
