//! A decision: one LLM call, folded from its events.

use crate::{Event, EventData, Origin, Timestamp, Usage};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One LLM call as lists show it (the contract's decision item). What is not known is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The decision's id (`x-audit-id`).
    pub id: Uuid,
    /// When the request arrived.
    pub timestamp: Timestamp,
    /// The trace.
    pub trace_id: Uuid,
    /// The request's id.
    pub request_id: String,
    /// How it came to be known.
    pub origin: Origin,
    /// The session.
    pub session_id: Option<String>,
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// The logical action (request type).
    pub decision_type: Option<String>,
    /// The provider that answered, or was tried last.
    pub provider: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// The model asked for.
    pub model_requested: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// Path.
    pub path: Option<String>,
    /// Status that the caller got; null while the call runs.
    pub status_code: Option<u16>,
    /// What policies decided; null while undecided.
    pub outcome: Option<String>,
    /// How the answer ended.
    pub ending: Option<String>,
    /// Error code, where the call was refused or failed.
    pub error_code: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Time from arrival to end, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Time from arrival to the answer's first byte, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Tokens read, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// Their sum.
    pub total_tokens: Option<u64>,
    /// Tokens read from a cache.
    pub cached_tokens: Option<u64>,
    /// Tokens spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Where token counts come from.
    pub usage_origin: Option<String>,
    /// Cost as an exact decimal; null where unknown.
    pub cost_usd: Option<String>,
    /// Redacted beginning of the prompt.
    pub prompt_preview: Option<String>,
    /// Redacted beginning of the answer.
    pub response_preview: Option<String>,
    /// Ids of violated policies.
    pub violations: Vec<String>,
    /// Classes of data that detectors found.
    pub data_classes: Vec<String>,
    /// `pending`, `approved`, `rejected` or `expired`, where a person was asked.
    pub review_status: Option<String>,
    /// Marked for an incident.
    pub flagged: bool,
    /// Whether the decision stood, where somebody said.
    pub stood: Option<bool>,
    /// Whether a streamed answer was asked for.
    pub streamed: Option<bool>,
}

/// What events say of an answer that does not go out, or not yet.
struct Answer<'a> {
    provider: &'a Option<String>,
    model: &'a Option<String>,
    finish_reason: &'a Option<String>,
    cost_usd: &'a Option<String>,
    usage_origin: &'a Option<String>,
    usage: Option<&'a Usage>,
}

macro_rules! answer_of {
    ($event:ty) => {
        impl<'a> From<&'a $event> for Answer<'a> {
            fn from(data: &'a $event) -> Self {
                Self {
                    provider: &data.provider,
                    model: &data.model,
                    finish_reason: &data.finish_reason,
                    cost_usd: &data.cost_usd,
                    usage_origin: &data.usage_origin,
                    usage: data.usage.as_ref(),
                }
            }
        }
    };
}

answer_of!(crate::ResponseBlocked);
answer_of!(crate::ResponseEscalated);

impl Decision {
    /// A decision of which nothing is known yet.
    pub const fn new(
        id: Uuid,
        timestamp: Timestamp,
        trace_id: Uuid,
        request_id: String,
        origin: Origin,
    ) -> Self {
        Self {
            id,
            timestamp,
            trace_id,
            request_id,
            origin,
            session_id: None,
            source: None,
            user_id: None,
            decision_type: None,
            provider: None,
            model: None,
            model_requested: None,
            method: None,
            path: None,
            status_code: None,
            outcome: None,
            ending: None,
            error_code: None,
            finish_reason: None,
            latency_ms: None,
            ttft_ms: None,
            input_tokens: None,
            output_tokens: None,
            total_tokens: None,
            cached_tokens: None,
            reasoning_tokens: None,
            usage_origin: None,
            cost_usd: None,
            prompt_preview: None,
            response_preview: None,
            violations: Vec::new(),
            data_classes: Vec::new(),
            review_status: None,
            flagged: false,
            stood: None,
            streamed: None,
        }
    }

    /// Whether the call has ended. (One that a crash cut off got no status, but has an error code.)
    pub const fn settled(&self) -> bool {
        self.status_code.is_some() || self.error_code.is_some()
    }

    /// Takes in one more event of the decision. Events come in the order of the log.
    pub fn apply(&mut self, event: &Event) {
        match &event.data {
            EventData::RequestReceived(data) => {
                self.timestamp = event.timestamp;
                self.source.clone_from(&data.source);
                self.user_id.clone_from(&data.user_id);
                self.session_id.clone_from(&data.session_id);
                self.decision_type.clone_from(&data.request_type);
                self.method.clone_from(&data.method);
                self.path.clone_from(&data.path);
                self.model_requested.clone_from(&data.model);
                self.streamed = data.stream;
                self.prompt_preview.clone_from(&data.prompt_preview);
            }
            EventData::RequestRejected(data) => {
                self.close(data.status_code, data.latency_ms);
                self.error_code.clone_from(&data.code);
            }
            EventData::PolicyEvaluationComplete(data) => {
                add(&mut self.violations, data.violations.as_deref());
                add(&mut self.data_classes, data.data_classes.as_deref());
            }
            EventData::RequestBlocked(data) => {
                self.close(data.status_code, data.latency_ms);
                self.outcome.clone_from(&data.outcome);
            }
            EventData::ResponseBlocked(data) => {
                self.close(data.status_code, data.latency_ms);
                self.outcome.clone_from(&data.outcome);
                self.answered(&Answer::from(&**data));
            }
            EventData::RequestEscalated(_) => self.outcome = Some("ESCALATE".to_owned()),
            EventData::ResponseEscalated(data) => {
                self.outcome = Some("ESCALATE".to_owned());
                self.answered(&Answer::from(&**data));
            }
            EventData::ReviewCreated(_) => self.review("pending"),
            EventData::ReviewApproved(_) => self.review("approved"),
            EventData::ReviewRejected(_) => self.review("rejected"),
            EventData::ReviewExpired(_) => self.review("expired"),
            EventData::RoutingFailed(data) => self.provider.clone_from(&data.provider),
            EventData::RoutingSuccess(data) => self.provider.clone_from(&data.provider),
            EventData::RequestFailed(data) => {
                self.close(data.status_code, data.latency_ms);
                self.error_code.clone_from(&data.code);
                if data.provider.is_some() {
                    self.provider.clone_from(&data.provider);
                }
            }
            EventData::RequestCompleted(data) => self.complete(data),
            EventData::OutcomeRecorded(data) => self.stood = stands(data.verdict.as_deref()),
            EventData::DecisionFlagged(data) => self.flagged = data.flagged.unwrap_or(true),
            _ => {}
        }
    }

    fn complete(&mut self, data: &crate::RequestCompleted) {
        self.close(data.status_code, data.latency_ms);
        self.ttft_ms = data.ttft_ms;
        self.provider.clone_from(&data.provider);
        self.model.clone_from(&data.model);
        self.outcome.clone_from(&data.outcome);
        self.ending.clone_from(&data.ending);
        self.finish_reason.clone_from(&data.finish_reason);
        self.cost_usd.clone_from(&data.cost_usd);
        self.usage_origin.clone_from(&data.usage_origin);
        self.response_preview.clone_from(&data.response_preview);
        if let Some(usage) = &data.usage {
            self.count(usage);
        }
    }

    /// What an answer cost that does not go out, or not yet. A review that refuses one says
    /// nothing of it again.
    fn answered(&mut self, answer: &Answer<'_>) {
        let set = |into: &mut Option<String>, said: &Option<String>| {
            if said.is_some() {
                into.clone_from(said);
            }
        };
        set(&mut self.provider, answer.provider);
        set(&mut self.model, answer.model);
        set(&mut self.finish_reason, answer.finish_reason);
        set(&mut self.cost_usd, answer.cost_usd);
        set(&mut self.usage_origin, answer.usage_origin);
        if let Some(usage) = answer.usage {
            self.count(usage);
        }
    }

    fn close(&mut self, status_code: Option<u16>, latency_ms: Option<f64>) {
        self.status_code = status_code;
        self.latency_ms = latency_ms;
    }

    fn review(&mut self, state: &str) {
        self.review_status = Some(state.to_owned());
    }

    const fn count(&mut self, usage: &Usage) {
        self.input_tokens = usage.input_tokens;
        self.output_tokens = usage.output_tokens;
        self.total_tokens = usage.total_tokens;
        self.cached_tokens = usage.cached_tokens;
        self.reasoning_tokens = usage.reasoning_tokens;
    }
}

/// Whether a decision stands after this was said; open again once it is appealed.
fn stands(verdict: Option<&str>) -> Option<bool> {
    match verdict {
        Some("upheld") => Some(true),
        Some("overridden") => Some(false),
        _ => None,
    }
}

fn add(into: &mut Vec<String>, names: Option<&[String]>) {
    for name in names.unwrap_or_default() {
        if !into.contains(name) {
            into.push(name.clone());
        }
    }
}
