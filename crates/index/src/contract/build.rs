//! Records for the suite.

use crate::{Cursor, ProjectedRecord};
use event::{
    Component, Event, EventData, Origin, PolicyEvaluationComplete, RequestBlocked,
    RequestCompleted, RequestFailed, RequestReceived, RoutingStart, Timestamp, Usage,
};
use uuid::Uuid;

/// 2026-11-21T00:00:00Z.
const START_MICROS: i64 = 1_795_219_200_000_000;
const SECOND: i64 = 1_000_000;
const FRAME_BYTES: u64 = 4_096;

/// Numbers records as a journal would.
#[derive(Debug)]
pub struct Builder {
    writer: String,
    seq: u64,
}

/// One call, as the suite describes it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Seconds after the suite's start.
    pub second: i64,
    /// Its number: makes its ids.
    pub number: u64,
    /// The calling application.
    pub source: &'static str,
    /// The end user.
    pub user: &'static str,
    /// The session.
    pub session: Option<&'static str>,
    /// The model asked for.
    pub model: &'static str,
    /// Status that the caller got; none: it failed without one.
    pub status: Option<u16>,
    /// What policies decided.
    pub outcome: &'static str,
    /// Milliseconds.
    pub latency_ms: f64,
    /// Decimal.
    pub cost: Option<&'static str>,
    /// The prompt.
    pub prompt: &'static str,
    /// The answer.
    pub answer: &'static str,
    /// Violated policies.
    pub violations: &'static [&'static str],
}

impl Default for Call {
    fn default() -> Self {
        Self {
            second: 0,
            number: 0,
            source: "finance-app",
            user: "u-42",
            session: None,
            model: "gpt-4o",
            status: Some(200),
            outcome: "ALLOW",
            latency_ms: 100.0,
            cost: Some("0.0001475"),
            prompt: "Summarise the complaint",
            answer: "The customer asks for a refund",
            violations: &[],
        }
    }
}

// === impl Call ===

impl Call {
    /// The decision's id.
    pub fn id(&self) -> Uuid {
        Uuid::from_u128(0x0191_e4c2_7f00_7000_8000_0000_0000_0000 + u128::from(self.number))
    }

    /// Its trace: two calls share one.
    pub fn trace_id(&self) -> Uuid {
        Uuid::from_u128(0x550e_8400_e29b_41d4_a716_4466_5544_0000 + u128::from(self.number / 2))
    }

    /// Its request id.
    pub fn request_id(&self) -> String {
        format!("request-{}", self.number)
    }

    /// When it began.
    pub fn at(&self) -> Timestamp {
        Self::time(self.second)
    }

    /// A time of the suite.
    pub fn time(second: i64) -> Timestamp {
        Timestamp::from_micros(START_MICROS + second * SECOND)
    }

    fn begin(&self) -> Vec<Event> {
        let received = RequestReceived {
            source: Some(self.source.to_owned()),
            user_id: Some(self.user.to_owned()),
            session_id: self.session.map(str::to_owned),
            request_type: Some("summarise".to_owned()),
            method: Some("POST".to_owned()),
            path: Some("/v1/chat/completions".to_owned()),
            model: Some(self.model.to_owned()),
            stream: Some(true),
            prompt_preview: Some(self.prompt.to_owned()),
            ..RequestReceived::default()
        };
        let routing =
            RoutingStart { model: Some(self.model.to_owned()), ..RoutingStart::default() };
        vec![
            self.event(0, Component::Gateway, received.into()),
            self.event(1, Component::ModelRouter, routing.into()),
        ]
    }

    fn end(&self) -> Vec<Event> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let policies = PolicyEvaluationComplete {
            stage: Some("request".to_owned()),
            outcome: Some(self.outcome.to_owned()),
            violations: Some(owned(self.violations)),
            ..PolicyEvaluationComplete::default()
        };
        let last: EventData = match (self.outcome, self.status) {
            ("BLOCK", status) => RequestBlocked {
                outcome: Some("BLOCK".to_owned()),
                policy_ids: Some(owned(self.violations)),
                status_code: status,
                latency_ms: Some(self.latency_ms),
                ..RequestBlocked::default()
            }
            .into(),
            (_, None) => {
                RequestFailed { code: Some("interrupted".to_owned()), ..RequestFailed::default() }
                    .into()
            }
            (outcome, status) => RequestCompleted {
                status_code: status,
                latency_ms: Some(self.latency_ms),
                provider: Some("openai".to_owned()),
                model: Some(format!("{}-2024-08-06", self.model)),
                usage: Some(Usage {
                    input_tokens: Some(20),
                    output_tokens: Some(10),
                    total_tokens: Some(30),
                    ..Usage::default()
                }),
                cost_usd: self.cost.map(str::to_owned),
                outcome: Some(outcome.to_owned()),
                ending: Some("complete".to_owned()),
                response_preview: Some(self.answer.to_owned()),
                ..RequestCompleted::default()
            }
            .into(),
        };
        vec![
            self.event(2, Component::PolicyEngine, policies.into()),
            self.event(3, Component::Gateway, last),
        ]
    }

    fn event(&self, place: i64, component: Component, data: EventData) -> Event {
        let timestamp = Timestamp::from_micros(self.at().as_micros() + place);
        let id = self.id().as_u128() + ((place as u128 + 1) << 32);
        Event { event_id: Uuid::from_u128(id), component, timestamp, data }
    }
}

// === impl Builder ===

impl Default for Builder {
    fn default() -> Self {
        Self { writer: "w-00c0ffee".to_owned(), seq: 0 }
    }
}

impl Builder {
    /// A journal of this writer.
    pub fn of(writer: &str) -> Self {
        Self { writer: writer.to_owned(), seq: 0 }
    }

    /// The place of a record.
    pub fn cursor(&self, seq: u64) -> Cursor {
        Cursor::new(self.writer.clone(), 1, 0, FRAME_BYTES * (seq + 1))
    }

    /// The place behind all records so far.
    pub fn end(&self) -> Cursor {
        self.cursor(self.seq)
    }

    /// A record with these events.
    pub fn record(&mut self, call: &Call, origin: Origin, events: Vec<Event>) -> ProjectedRecord {
        let seq = self.seq;
        self.seq += 1;
        ProjectedRecord {
            at: self.cursor(seq),
            next: self.cursor(seq + 1),
            seq,
            record_id: Uuid::from_u128(u128::from(seq) + 1),
            tenant: "default".to_owned(),
            origin,
            decision_id: call.id(),
            trace_id: call.trace_id(),
            request_id: call.request_id(),
            ts: Timestamp::from_micros(call.at().as_micros() + 10),
            events,
        }
    }

    /// The record of what was asked.
    pub fn intent(&mut self, call: &Call) -> ProjectedRecord {
        self.record(call, Origin::Observed, call.begin())
    }

    /// The record of what came of it.
    pub fn outcome(&mut self, call: &Call) -> ProjectedRecord {
        self.record(call, Origin::Observed, call.end())
    }

    /// Both records of each call, as they lie in a journal when calls overlap.
    pub fn calls(&mut self, calls: &[Call]) -> Vec<ProjectedRecord> {
        let mut records = Vec::new();
        for pair in calls.chunks(2) {
            records.extend(pair.iter().map(|call| self.intent(call)));
            records.extend(pair.iter().map(|call| self.outcome(call)));
        }
        records
    }
}
