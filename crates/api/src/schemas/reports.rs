//! What other systems report, and what they are told.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// One decision or event, or an array of them.
#[derive(ToSchema)]
#[schema(title = "Delivery")]
#[serde(untagged)]
#[allow(dead_code, reason = "the document's; `ingest` reads what is sent")]
pub(crate) enum Delivery {
    /// One.
    One(Box<Report>),
    /// Up to 1,000.
    Many(Vec<Report>),
}

/// A decision, or (with `event_type`) one event of one. Fields that are not named here are kept,
/// sealed, and listed in the answer.
#[derive(ToSchema)]
#[allow(dead_code, reason = "the document's; `ingest` reads what is sent")]
pub(crate) struct Report {
    /// The sender's id: the same one is recorded once. At most 128 printable characters. Do not
    /// put names of persons into it.
    id: Option<String>,
    /// When it happened, in RFC 3339; without it: on arrival.
    #[schema(format = DateTime)]
    timestamp: Option<String>,
    /// When it was sent, by the sender's clock. Not part of the content.
    #[schema(format = DateTime)]
    sent_at: Option<String>,
    /// SHA-256 in hexadecimal of the item's canonical form (RFC 8785) without `hash` and
    /// `sent_at`. Checked.
    hash: Option<String>,
    /// The trace: a UUID, or the 32 digits of a W3C trace id.
    trace_id: Option<String>,
    /// The request; without it: `id`.
    request_id: Option<String>,
    /// The calling application. Needed, unless the key is bound to one.
    source: Option<String>,
    /// The end user. Needed for decisions.
    user_id: Option<String>,
    /// The end user's e-mail address.
    user_email: Option<String>,
    /// The session.
    session_id: Option<String>,
    /// The persons the call is about, where not the user; at most 8.
    subjects: Option<Vec<String>>,
    /// The logical action (also `request_type`). Needed for decisions.
    decision_type: Option<String>,
    /// The request as it was sent: its parts, or the body alone.
    request: Option<ReportMessage>,
    /// The answer as it was received: its parts, or the body alone.
    response: Option<ReportMessage>,
    /// The provider that answered.
    provider: Option<String>,
    /// The model that answered. Read from the bodies where they are given, as are tokens, cost,
    /// previews, finish reason and tools.
    model: Option<String>,
    /// The model asked for.
    model_requested: Option<String>,
    /// Status of the answer.
    #[schema(minimum = 100, maximum = 599)]
    status_code: Option<u16>,
    /// `ALLOW`, `FLAG`, `REDACT`, `ESCALATE` or `BLOCK`.
    outcome: Option<String>,
    /// `complete`, `client_disconnected` or `upstream_interrupted`.
    ending: Option<String>,
    /// Why the model stopped.
    finish_reason: Option<String>,
    /// Code of what went wrong.
    error_code: Option<String>,
    /// What went wrong.
    error: Option<String>,
    /// Time from request to end (also `duration_ms`).
    latency_ms: Option<f64>,
    /// Time to the first byte.
    ttft_ms: Option<f64>,
    /// Whether a stream was asked for.
    streamed: Option<bool>,
    /// The provider's usage object.
    #[schema(value_type = Option<Object>)]
    usage: Option<Value>,
    /// Tokens read, cached ones included.
    input_tokens: Option<u64>,
    /// Tokens written.
    output_tokens: Option<u64>,
    /// Both (also `tokens_used`).
    total_tokens: Option<u64>,
    /// Cost, a decimal as string or number (also `estimated_cost`).
    #[schema(value_type = Option<String>)]
    cost_usd: Option<Value>,
    /// Names of the tools offered.
    tools: Option<Vec<String>>,
    /// Names of the tools called.
    tool_calls: Option<Vec<String>>,
    /// Ids of violated policies.
    violations: Option<Vec<String>>,
    /// Classes of data that were found.
    data_classes: Option<Vec<String>>,
    /// Beginning of the prompt; it is redacted here.
    prompt_preview: Option<String>,
    /// Beginning of the answer; it is redacted here.
    response_preview: Option<String>,
    /// Whatever else the sender wants to keep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// Of an event: its type.
    #[schema(example = "routing_failed")]
    event_type: Option<String>,
    /// Of an event: the decision that it belongs to, as the sender names it; without it:
    /// `request_id`.
    decision_id: Option<String>,
    /// Of an event: its fields.
    #[schema(value_type = Option<Object>)]
    event_data: Option<Value>,
}

/// A request or an answer.
#[derive(ToSchema)]
#[allow(dead_code, reason = "the document's; `ingest` reads what is sent")]
pub(crate) struct ReportMessage {
    /// HTTP method; of requests.
    method: Option<String>,
    /// Path; of requests. It says what format the bodies have.
    path: Option<String>,
    /// Query string; of requests. Credentials are masked here.
    query: Option<String>,
    /// Status; of answers.
    #[schema(minimum = 100, maximum = 599)]
    status_code: Option<u16>,
    /// Media type of the body.
    content_type: Option<String>,
    /// Headers as name and value pairs, or as an object. Credentials are masked here.
    #[schema(value_type = Option<Vec<Vec<String>>>)]
    headers: Option<Value>,
    /// The body: a string is its text, anything else its JSON as it stands.
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// The body in base64.
    body_base64: Option<String>,
    /// SHA-256 of the body in hexadecimal. Checked.
    sha256: Option<String>,
}

/// What became of a delivery. Everything with status 202 is durable.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reported {
    /// How many items are recorded, now or earlier.
    pub accepted: usize,
    /// How many are not.
    pub refused: usize,
    /// The items, in their order.
    pub items: Vec<ReportedItem>,
}

/// What became of one item.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ReportedItem {
    /// Its place in the delivery, from 0.
    pub index: usize,
    /// The sender's id.
    pub id: Option<String>,
    /// 202 where it is recorded; 400, 403, 409 (the id was used for other content), 413 or 503.
    pub status: u16,
    /// The decision, as it is known here.
    pub decision_id: Option<Uuid>,
    /// Why it is not recorded, for programs.
    pub code: Option<&'static str>,
    /// The field that is wrong.
    pub field: Option<String>,
    /// Why it is not recorded, for people.
    pub detail: Option<String>,
    /// Fields that are kept and were not understood.
    pub unknown_fields: Vec<String>,
}
