//! Made-up decisions, the same in every run.

use event::{
    Component, Event, EventData, Origin, RequestCompleted, RequestReceived, RoutingStart,
    RoutingSuccess, Timestamp, Usage,
};
use index::{Cursor, ProjectedRecord};
use std::collections::VecDeque;
use uuid::Uuid;

/// When the first one happens.
pub const START_MICROS: i64 = 1_790_000_000_000_000;
const PREVIEW_CHARS: usize = 200;
const FRAME_BYTES: u64 = 4_096;
const WORDS: &str = "the customer asks for a refund of the last invoice because delivery was late \
    and wants an answer by mail today please check account balance limits credit score policy \
    number claim history contract terms interest rate monthly payment loan approval risk review \
    department manager escalation summary translate classify extract sentiment medical legal \
    travel booking hotel flight weather report quarterly revenue forecast budget team meeting \
    notes action items deadline project status update release plan";

/// Makes records up: intents, and outcomes that follow them after so many other calls.
pub struct MadeUp {
    step_micros: i64,
    number: u64,
    seq: u64,
    overlap: usize,
    running: VecDeque<(u64, Vec<Event>)>,
    ended: bool,
    words: Vec<&'static str>,
}

/// Numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.below(u64::MAX), self.below(u64::MAX))
    }

    fn text(&mut self, words: &[&str]) -> String {
        let mut text = String::with_capacity(PREVIEW_CHARS + 24);
        while text.len() < PREVIEW_CHARS {
            text.push_str(self.one_of(words));
            text.push(' ');
        }
        if self.below(500) == 0 {
            text.push_str("退款申请");
        }
        text
    }
}

impl MadeUp {
    pub fn new(step_micros: i64, overlap: usize) -> Self {
        let words = WORDS.split_whitespace().collect();
        let running = VecDeque::new();
        Self { step_micros, number: 0, seq: 0, overlap, running, ended: true, words }
    }

    fn at(&self, number: u64) -> i64 {
        START_MICROS + number as i64 * self.step_micros
    }

    /// Time-ordered, as the gateway makes them.
    pub fn decision_id(&self, number: u64) -> Uuid {
        let millis = (self.at(number) / 1000) as u128;
        let random = Dice(number ^ 0x5eed).uuid().as_u128();
        Uuid::from_u128(millis << 80 | 7 << 76 | random & 0x0fff_3fff_ffff_ffff_ffff)
    }

    /// Random, as clients make them.
    pub fn trace_id(number: u64) -> Uuid {
        Dice(number ^ 0x7ace).uuid()
    }

    /// Random, as clients make them.
    pub fn request_id(number: u64) -> String {
        Dice(number ^ 0x4e9).uuid().to_string()
    }

    fn event(
        &self,
        number: u64,
        place: i64,
        after: i64,
        component: Component,
        data: EventData,
    ) -> Event {
        let event_id = Uuid::from_u128(self.decision_id(number).as_u128() ^ place as u128);
        let timestamp = Timestamp::from_micros(self.at(number) + after);
        Event { event_id, component, timestamp, data }
    }

    fn intent(&self, dice: &mut Dice, number: u64, model: &str, provider: &str) -> Vec<Event> {
        let received = RequestReceived {
            source: Some(format!("app-{}", dice.below(8))),
            user_id: Some(format!("user-{}", dice.below(5_000))),
            user_email: Some("someone@example.com".to_owned()),
            client_address: Some("192.0.2.7".to_owned()),
            session_id: (!number.is_multiple_of(3))
                .then(|| format!("s-{}", number / 30 * 10 + dice.below(10))),
            request_type: Some(
                dice.one_of(&["chat", "summarise", "classify", "extract"]).to_owned(),
            ),
            method: Some("POST".to_owned()),
            path: Some("/v1/chat/completions".to_owned()),
            format: Some("openai_chat".to_owned()),
            model: Some(model.to_owned()),
            stream: Some(number.is_multiple_of(2)),
            request_bytes: Some(812),
            api_key_id: Some("key_0191e4c2".to_owned()),
            prompt_preview: Some(dice.text(&self.words)),
            headers: Some([("content-type", "application/json")].into_iter().collect()),
            ..RequestReceived::default()
        };
        let routing = RoutingStart {
            model: Some(model.to_owned()),
            strategy: Some("single".to_owned()),
            candidates: Some(vec![format!("{provider}/{model}")]),
        };
        vec![
            self.event(number, 1, 0, Component::Gateway, received.into()),
            self.event(number, 2, 90, Component::ModelRouter, routing.into()),
        ]
    }

    fn end(&self, dice: &mut Dice, number: u64, model: &str, provider: &str) -> Vec<Event> {
        let latency = 50.0 + dice.below(2_000_000) as f64 / 1000.0;
        let status = [500, 429].get(dice.below(100) as usize).copied().unwrap_or(200);
        let outcome = match dice.below(200) {
            0 => "ESCALATE",
            1..=4 => "FLAG",
            5..=8 => "REDACT",
            _ => "ALLOW",
        };
        let (input, output) = (20 + dice.below(2_000), 5 + dice.below(500));
        let routed = RoutingSuccess {
            provider: Some(provider.to_owned()),
            model: Some(model.to_owned()),
            attempt: Some(1),
            status_code: Some(status),
            latency_ms: Some(latency * 0.9),
            ..RoutingSuccess::default()
        };
        let completed = RequestCompleted {
            status_code: Some(status),
            latency_ms: Some(latency),
            ttft_ms: Some(latency / 2.0),
            overhead_ms: Some(0.6),
            provider: Some(provider.to_owned()),
            model: Some(model.to_owned()),
            usage: Some(Usage {
                input_tokens: Some(input),
                output_tokens: Some(output),
                total_tokens: Some(input + output),
                ..Usage::default()
            }),
            usage_origin: Some("provider".to_owned()),
            cost_usd: Some(format!("0.{:07}", input * 25 + output * 100)),
            cost_state: Some("exact".to_owned()),
            finish_reason: Some("stop".to_owned()),
            response_bytes: Some(1_204),
            bytes_delivered: Some(1_204),
            outcome: Some(outcome.to_owned()),
            ending: Some("complete".to_owned()),
            response_preview: Some(dice.text(&self.words)),
            ..RequestCompleted::default()
        };
        let end = (latency * 1000.0) as i64;
        vec![
            self.event(number, 3, end * 9 / 10, Component::ModelRouter, routed.into()),
            self.event(number, 4, end, Component::Gateway, completed.into()),
        ]
    }

    fn record(&mut self, number: u64, events: Vec<Event>) -> ProjectedRecord {
        let seq = self.seq;
        self.seq += 1;
        let cursor = |seq| Cursor::new("w-00c0ffee", 1, 0, (seq + 1) * FRAME_BYTES);
        ProjectedRecord {
            at: cursor(seq),
            next: cursor(seq + 1),
            seq,
            record_id: Uuid::from_u128(u128::from(seq)),
            tenant: "default".to_owned(),
            origin: Origin::Observed,
            decision_id: self.decision_id(number),
            trace_id: Self::trace_id(number),
            request_id: Self::request_id(number),
            ts: Timestamp::from_micros(self.at(number) + 200),
            events,
        }
    }
}

impl Iterator for MadeUp {
    type Item = ProjectedRecord;

    fn next(&mut self) -> Option<ProjectedRecord> {
        // A call begins, and one that began before ends.
        self.ended = !self.ended;
        if self.ended
            && self.running.len() > self.overlap
            && let Some((number, end)) = self.running.pop_front()
        {
            return Some(self.record(number, end));
        }
        let number = self.number;
        self.number += 1;
        let mut dice = Dice(number);
        let model = dice.one_of(&["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "mistral-8b"]);
        let provider = if model.starts_with("gpt") { "openai" } else { "anthropic" };
        let intent = self.intent(&mut dice, number, model, provider);
        let end = self.end(&mut dice, number, model, provider);
        self.running.push_back((number, end));
        Some(self.record(number, intent))
    }
}
