//! Shapes of other crates' types, for the OpenAPI document. Nothing is made of these; tests hold
//! what is served against them.
#![expect(dead_code, reason = "the document is made of the declarations")]

use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A decision: one LLM call. What is not known is null.
#[derive(ToSchema)]
pub(crate) struct DecisionItem {
    /// The decision's id (`x-audit-id`).
    id: Uuid,
    /// When the request arrived.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The trace.
    trace_id: Uuid,
    /// The request's id.
    request_id: String,
    /// `observed` or `reported`.
    origin: String,
    /// The session.
    session_id: Option<String>,
    /// The calling application.
    source: Option<String>,
    /// The end user.
    user_id: Option<String>,
    /// The logical action (request type).
    decision_type: Option<String>,
    /// The provider that answered, or was tried last.
    provider: Option<String>,
    /// The model that answered.
    model: Option<String>,
    /// The model asked for.
    model_requested: Option<String>,
    /// HTTP method.
    method: Option<String>,
    /// Path.
    path: Option<String>,
    /// Status that the caller got; null while the call runs.
    status_code: Option<u16>,
    /// What policies decided.
    outcome: Option<String>,
    /// How the answer ended.
    ending: Option<String>,
    /// Error code, where the call was refused or failed.
    error_code: Option<String>,
    /// Why the model stopped.
    finish_reason: Option<String>,
    /// Time from arrival to end.
    latency_ms: Option<f64>,
    /// Time from arrival to the answer's first byte.
    ttft_ms: Option<f64>,
    /// Tokens read, cached ones included.
    input_tokens: Option<u64>,
    /// Tokens written.
    output_tokens: Option<u64>,
    /// Their sum.
    total_tokens: Option<u64>,
    /// Tokens read from a cache.
    cached_tokens: Option<u64>,
    /// Tokens spent on reasoning.
    reasoning_tokens: Option<u64>,
    /// `provider`, `estimated` or `unknown`.
    usage_origin: Option<String>,
    /// Cost as an exact decimal.
    cost_usd: Option<String>,
    /// Redacted beginning of the prompt.
    prompt_preview: Option<String>,
    /// Redacted beginning of the answer.
    response_preview: Option<String>,
    /// Ids of violated policies.
    violations: Vec<String>,
    /// Classes of data that detectors found.
    data_classes: Vec<String>,
    /// `pending`, `approved`, `rejected` or `expired`, where a person was asked.
    review_status: Option<String>,
    /// Marked for an incident.
    flagged: bool,
    /// Whether the decision stood, where somebody said.
    stood: Option<bool>,
    /// Whether a streamed answer was asked for.
    streamed: Option<bool>,
}

/// An event: one fact about one step.
#[derive(ToSchema)]
pub(crate) struct EventItem {
    /// Its id.
    event_id: Uuid,
    /// The decision.
    decision_id: Uuid,
    /// The trace.
    trace_id: Uuid,
    /// The request.
    request_id: String,
    /// Its type.
    event_type: String,
    /// Who owns it.
    component: String,
    /// When it happened.
    #[schema(format = DateTime)]
    timestamp: String,
    /// Its fields (see LOGGING.md), with the decision's source, user and outcome.
    #[schema(value_type = Object)]
    event_data: Value,
}

/// Decisions that share a session.
#[derive(ToSchema)]
pub(crate) struct SessionItem {
    /// The session.
    session_id: String,
    /// First decision's time.
    #[schema(format = DateTime)]
    first_at: String,
    /// Last decision's time.
    #[schema(format = DateTime)]
    last_at: String,
    /// How many decisions.
    decisions: u64,
    /// Those that went wrong.
    errors: u64,
    /// Those that a policy blocked.
    blocked: u64,
    /// Tokens read.
    input_tokens: u64,
    /// Tokens written.
    output_tokens: u64,
    /// Both.
    total_tokens: u64,
    /// Sum of the known costs as an exact decimal; null where none is known.
    cost_usd: Option<String>,
    /// How many decisions have no known cost.
    cost_unknown: u64,
    /// The calling application of the newest decision.
    source: Option<String>,
    /// The end user of the newest decision.
    user_id: Option<String>,
}

/// Sums over decisions.
#[derive(ToSchema)]
pub(crate) struct MetricsTotals {
    /// Decisions.
    requests: i64,
    /// Those not ended.
    running: i64,
    /// Those that went wrong.
    errors: i64,
    /// Those that a policy blocked.
    blocked: i64,
    /// Those that a policy sent to a person.
    escalated: i64,
    /// Tokens read.
    input_tokens: i64,
    /// Tokens written.
    output_tokens: i64,
    /// Both.
    total_tokens: i64,
    /// Sum of known costs, exact.
    cost_usd: String,
    /// Ended decisions without a known cost.
    cost_unknown: i64,
    /// Median latency.
    latency_p50_ms: Option<f64>,
    /// 95th percentile.
    latency_p95_ms: Option<f64>,
    /// 99th percentile.
    latency_p99_ms: Option<f64>,
}

/// Sums of one group.
#[derive(ToSchema)]
pub(crate) struct MetricsGroup {
    /// The value of the first dimension; null where it is not known.
    value: Option<String>,
    /// The values of all dimensions, in the order asked for.
    values: Vec<Option<String>>,
    /// Its sums.
    #[serde(flatten)]
    measures: MetricsTotals,
}

/// One step of a series.
#[derive(ToSchema)]
pub(crate) struct MetricsPoint {
    /// Begin of the step.
    #[schema(format = DateTime)]
    start: String,
    /// The value of the first dimension, where grouped.
    value: Option<String>,
    /// The values of all dimensions, where grouped.
    values: Vec<Option<String>>,
    /// Its sums.
    #[serde(flatten)]
    measures: MetricsTotals,
}

/// Sums and series. Steps without decisions are left out.
#[derive(ToSchema)]
pub(crate) struct MetricsAnswer {
    /// From where, as taken; null where unbounded.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// To where, as taken; null where unbounded.
    #[schema(format = DateTime)]
    to: Option<String>,
    /// Over everything.
    totals: MetricsTotals,
    /// By value, most decisions first; empty where not grouped.
    groups: Vec<MetricsGroup>,
    /// By time, oldest first; empty without an interval.
    series: Vec<MetricsPoint>,
    /// Whether a bound cut off what was read (sums by user).
    truncated: bool,
}

/// What a free query gave.
#[derive(ToSchema)]
pub(crate) struct SqlAnswer {
    /// Names of the columns.
    columns: Vec<String>,
    /// The rows: a value for each column.
    #[schema(value_type = Vec<Vec<Value>>)]
    rows: Vec<Vec<Value>>,
    /// Whether a bound cut the rows off.
    truncated: bool,
}

/// An API key, without its secret.
#[derive(ToSchema)]
pub(crate) struct KeyItem {
    /// Its id.
    id: String,
    /// The key's first characters.
    hint: String,
    /// The only source that it may name; null: any.
    source: Option<String>,
    /// What it may do.
    scopes: Vec<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it is refused.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// When it was last used, to about a minute.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// The key that it replaces.
    rotated_from: Option<String>,
    /// How much it may be used.
    limits: KeyLimitsItem,
}

/// How much a key may be used; null: as configured for all keys.
#[derive(ToSchema)]
pub(crate) struct KeyLimitsItem {
    /// Requests in a second, minute or hour, as `10/s`, `600/m`, `5000/h`.
    rate: Option<String>,
    /// Requests at once, where none came for a while.
    burst: Option<u32>,
    /// Requests of a day (UTC).
    requests_per_day: Option<u64>,
    /// Tokens of a day, read and written.
    tokens_per_day: Option<u64>,
    /// Cost of a day in US dollars, as a decimal.
    cost_per_day: Option<String>,
}

/// The proof of a decision: check it with `audit-layer verify-proof`.
#[derive(ToSchema)]
pub(crate) struct ProofAnswer {
    /// Version of the format.
    v: String,
    /// The decision.
    decision_id: Uuid,
    /// The signed checkpoint (C2SP tlog-checkpoint).
    checkpoint: String,
    /// The decision's records, in the order of the log.
    records: Vec<ProofRecord>,
}

/// One record with its proof. Bytes are in base64.
#[derive(ToSchema)]
pub(crate) struct ProofRecord {
    /// The leaf, verbatim.
    leaf: String,
    /// A C2SP tlog-proof of the leaf.
    tlog_proof: String,
    /// The open part, verbatim.
    open: String,
    /// The sealed part; absent where there is none.
    sealed: String,
    /// The stored pieces of the bodies.
    parts: Vec<String>,
    /// The derived key of each sealed group; null where it was erased or left out.
    group_keys: Vec<Option<String>>,
    /// The derived key of the parts; null likewise.
    parts_key: Option<String>,
}

/// A call that waits, or waited, for a person. What is not known, or erased, is null.
#[derive(ToSchema)]
pub(crate) struct ReviewItem {
    /// Its id.
    id: String,
    /// The decision that is held.
    decision_id: Uuid,
    /// `request` or `response`: what is held.
    stage: String,
    /// `pending`, `approved`, `rejected`, `expired`, `running`, `answered` or `failed`.
    state: String,
    /// When it was opened.
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on nobody can decide any more.
    #[schema(format = DateTime)]
    expires_at: String,
    /// The policies that hold it.
    policy_ids: Vec<String>,
    /// What the policies said.
    violations: Vec<ReviewViolationItem>,
    /// The calling application.
    source: Option<String>,
    /// The end user.
    user_id: Option<String>,
    /// The logical action (request type).
    request_type: Option<String>,
    /// The model asked for.
    model: Option<String>,
    /// How many persons must approve.
    reviewers_needed: u32,
    /// What persons said, oldest first.
    votes: Vec<ReviewVote>,
    /// When it was decided.
    #[schema(format = DateTime)]
    decided_at: Option<String>,
    /// `approved`, `rejected` or `expired`; never changes again.
    outcome: Option<String>,
    /// Redacted beginning of the prompt.
    prompt_preview: Option<String>,
}

/// A policy that led to a review.
#[derive(ToSchema)]
pub(crate) struct ReviewViolationItem {
    /// The policy.
    policy_id: String,
    /// What it asks for.
    outcome: String,
    /// Its severity.
    severity: Option<String>,
    /// Its message.
    message: Option<String>,
    /// `enforce` or `shadow`.
    mode: Option<String>,
}

/// What one person said.
#[derive(ToSchema)]
pub(crate) struct ReviewVote {
    /// Who.
    reviewer: String,
    /// `approved` or `rejected`.
    verdict: String,
    /// Why.
    rationale: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
}
