//! The gateway's policy steps, whatever the policies and the texts are: the strongest outcome is
//! done, and what is taken out is all that changes.

use crate::harness::{Harness, Told, settings, with_policies};
use crate::policies::chat;
use policy::{Detectors, Document, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::OnceLock;
use testkit::{Behaviour, Fault, MockProvider};

const PATH: &str = "/v1/chat/completions";
const PROMPT: &str = r#"action == Action::"prompt""#;
const ANSWER: &str = r#"action == Action::"answer""#;

/// What a policy that matches asks for, and whether it is in shadow.
type Asks = (Outcome, bool);

fn asks() -> impl Strategy<Value = Asks> {
    let outcomes = vec![Outcome::Flag, Outcome::Redact, Outcome::Escalate, Outcome::Block];
    (proptest::sample::select(outcomes), any::<bool>())
}

fn some() -> impl Strategy<Value = Vec<Asks>> {
    // Two of three runs ask for nothing strong, so that answers are judged, too.
    prop_oneof![
        2 => proptest::collection::vec(
            asks().prop_map(|(outcome, shadow)| (outcome.min(Outcome::Redact), shadow)), 0..4),
        1 => proptest::collection::vec(asks(), 0..5),
    ]
}

fn cedar(stage: &str, policies: &[Asks]) -> String {
    let one = |(number, (outcome, shadow)): (usize, &Asks)| {
        let mode = if *shadow { "shadow" } else { "enforce" };
        let id = format!("{}-{number}", stage.split('"').nth(1).unwrap());
        format!(
            "@id(\"{id}\") @outcome(\"{outcome}\") @mode(\"{mode}\") \
             forbid (principal, {stage}, resource);\n"
        )
    };
    policies.iter().enumerate().map(one).collect()
}

fn strongest(policies: &[Asks]) -> Outcome {
    let enforced = policies.iter().filter(|(_, shadow)| !shadow);
    enforced.map(|(outcome, _)| *outcome).max().unwrap_or(Outcome::Allow)
}

fn detectors() -> &'static Detectors {
    static DETECTORS: OnceLock<Detectors> = OnceLock::new();
    DETECTORS.get_or_init(Detectors::default)
}

/// Something that is found, or something that is not.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z ,.äß\"\\\\\n]{0,12}",
        1 => Just(" jane@example.com ".to_owned()),
        1 => Just(" joe@example.org".to_owned()),
        1 => Just("card 4111 1111 1111 1111 ".to_owned()),
        1 => Just(" DE89 3704 0044 0532 0130 00 ".to_owned()),
        1 => Just(" <EMAIL_1> ".to_owned()),
        1 => Just(" 🦀 ".to_owned()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn answers(text: &str) -> Value {
    json!({"id": "x", "object": "chat.completion", "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}})
}

/// An answer in one piece, or as a stream that is cut everywhere.
fn behaviour(text: &str, stream: bool) -> Behaviour {
    if !stream {
        let body = answers(text).to_string().into();
        return Behaviour::fault(Fault::Raw(200, "application/json".into(), body));
    }
    let event = |delta: Value, finish: Value| {
        let body = json!({"id": "x", "object": "chat.completion.chunk", "model": "gpt-4o",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {body}\n\n")
    };
    let characters: Vec<char> = text.chars().collect();
    let deltas = characters.chunks(3).map(String::from_iter);
    let mut events: String =
        deltas.map(|delta| event(json!({"content": delta}), Value::Null)).collect();
    events += &event(json!({}), json!("stop"));
    events += "data: [DONE]\n\n";
    Behaviour::fault(Fault::Raw(200, "text/event-stream".into(), events.into()))
}

/// The text of an answer, however it came.
fn said(body: &[u8], stream: bool) -> String {
    if !stream {
        let body: Value = serde_json::from_slice(body).unwrap();
        return body["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    }
    let text = std::str::from_utf8(body).unwrap();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: {"));
    let deltas = events.map(|rest| {
        let event: Value = serde_json::from_str(&format!("{{{rest}")).unwrap();
        event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    });
    deltas.collect()
}

/// Whether anything is found in a text that can be taken out.
fn finds(text: &str) -> bool {
    let body = answers(text).to_string();
    let document = Document::json(body.as_bytes()).unwrap();
    document.redact(detectors(), &mut policy::Tokens::new()).is_some()
}

/// Whether `after` is `before` with placeholders in place of parts of it.
fn keeps_the_rest(before: &str, after: &str) -> bool {
    let pieces = between_placeholders(after);
    let [first, middle @ .., last] = pieces.as_slice() else { return before == after };
    let Some(mut rest) = before.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

/// What stands between the placeholders of a text.
fn between_placeholders(text: &str) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (head, tail) = rest.split_at(at);
        piece.push_str(head);
        let name = tail[1..].split('>').next().unwrap_or_default();
        let token = name.contains('_')
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if token && tail.len() > name.len() + 1 {
            pieces.push(std::mem::take(&mut piece));
            rest = &tail[name.len() + 2..];
        } else {
            piece.push('<');
            rest = &tail[1..];
        }
    }
    piece.push_str(rest);
    pieces.push(piece);
    pieces
}

#[derive(Debug, Clone)]
struct Case {
    asked: Vec<Asks>,
    answered: Vec<Asks>,
    prompt: String,
    answer: String,
    stream: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    (some(), some(), texts(), texts(), any::<bool>()).prop_map(
        |(asked, answered, prompt, answer, stream)| Case {
            asked,
            answered,
            prompt,
            answer,
            stream,
        },
    )
}

async fn run(case: Case) -> Result<(), TestCaseError> {
    let cedar = cedar(PROMPT, &case.asked) + &cedar(ANSWER, &case.answered);
    let provider = MockProvider::start(behaviour(&case.answer, case.stream)).await;
    let harness = Harness::with(with_policies(settings(&provider.url()), &cedar)).await;
    let body = if case.stream {
        chat(&case.prompt).replacen(
            '{',
            r#"{"stream":true,"stream_options":{"include_usage":true},"#,
            1,
        )
    } else {
        chat(&case.prompt)
    };
    let answer = harness.post(PATH, body.clone()).await;
    let told = harness.decision_of(&answer);
    check(&case, &body, &told, (answer.status, &answer.body), &provider)
}

fn check(
    case: &Case,
    body: &str,
    told: &Told,
    (status, answer): (u16, &[u8]),
    provider: &MockProvider,
) -> Result<(), TestCaseError> {
    let (asked, answered) = (strongest(&case.asked), strongest(&case.answered));
    // Nobody can be asked here, so what would be held is refused.
    let done =
        |outcome: Outcome| if outcome == Outcome::Escalate { Outcome::Block } else { outcome };
    let outcome =
        if done(asked) == Outcome::Block { done(asked) } else { done(asked).max(done(answered)) };
    prop_assert_eq!(told.decision.outcome.as_deref(), Some(outcome.as_str()));
    prop_assert_eq!(&told.bodies["client_request"], body.as_bytes());
    if outcome == Outcome::Block {
        let last =
            if done(asked) == Outcome::Block { "request_blocked" } else { "response_blocked" };
        prop_assert_eq!((status, told.types().last().copied()), (403, Some(last)));
        prop_assert_eq!(provider.count(), usize::from(last == "response_blocked"));
        return Ok(());
    }
    prop_assert_eq!((status, told.types().last().copied()), (200, Some("request_completed")));
    let received = provider.received();
    let sent: Value = serde_json::from_slice(&received[0].body).unwrap();
    let sent = sent["messages"][1]["content"].as_str().unwrap();
    if asked == Outcome::Redact {
        prop_assert!(!finds(sent), "{sent:?} of {:?}", case.prompt);
        prop_assert!(keeps_the_rest(&case.prompt, sent), "{sent:?} of {:?}", case.prompt);
    }
    if asked != Outcome::Redact || !finds(&case.prompt) {
        prop_assert_eq!(received[0].body.as_ref(), body.as_bytes());
        prop_assert!(!told.bodies.contains_key("upstream_request"));
    } else {
        prop_assert_eq!(&told.bodies["upstream_request"], &received[0].body);
    }
    let got = said(answer, case.stream);
    if answered == Outcome::Redact {
        prop_assert!(!finds(&got), "{got:?} of {:?}", case.answer);
        prop_assert!(keeps_the_rest(&case.answer, &got), "{got:?} of {:?}", case.answer);
    }
    if answered != Outcome::Redact || !finds(&case.answer) {
        prop_assert_eq!(answer, told.bodies["upstream_response"].as_slice());
        prop_assert!(!told.bodies.contains_key("client_response"));
    } else {
        prop_assert_eq!(answer, told.bodies["client_response"].as_slice());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_strongest_outcome_is_done_and_nothing_else_changes(case in cases()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run(case))?;
    }
}
