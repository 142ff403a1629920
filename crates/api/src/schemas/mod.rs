//! The shapes of answers. Those of other crates' types are mirrored for the OpenAPI document
//! only; tests hold what is served against them.

mod mirrors;
mod models;
mod notes;
mod people;
mod reports;

pub(crate) use mirrors::{
    DecisionItem, EventItem, KeyItem, KeyLimitsItem, ProofAnswer, ReviewItem, SessionItem,
    SqlAnswer,
};

pub(crate) use models::{KeyUse, MetricsShown, ModelItem, ModelList};
pub(crate) use notes::{FlagWish, Noted, OutcomeWish};
pub(crate) use people::{
    Credentials, Me, NewPassword, NewPerson, PasswordReset, PersonChange, PersonItem, PersonList,
    ShownPassword, SignInSession, SignInSessionList, SignedOut, SigningKeyItem, SigningKeyRotation,
    Token,
};
pub(crate) use reports::{Delivery, Reported, ReportedItem};

use event::{Decision, Timestamp};
use index::EventRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A decision in full: its item, and what the journal holds of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detail {
    /// The item.
    #[serde(flatten)]
    #[schema(value_type = DecisionItem)]
    pub item: Decision,
    /// Other decisions with the same request id, newest first.
    pub other_ids: Vec<Uuid>,
    /// The request.
    pub request: Message,
    /// The answer.
    pub response: Message,
    /// The events, oldest first.
    #[schema(value_type = Vec<EventItem>)]
    pub events: Vec<EventRow>,
    /// How the records stand in the ledger.
    pub integrity: Integrity,
    /// Who looked at the decision before, newest first (200 at most); null for who may not reveal.
    pub accesses: Option<Vec<Seen>>,
}

/// An access to a decision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Seen {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// What was done: `show`, `reveal`, `proof`, …
    pub action: String,
    /// `ok`, `denied` or `failed`.
    pub result: String,
    /// Who did it.
    pub actor: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// From where.
    pub client_address: Option<String>,
    /// What for, where it was revealed.
    pub purpose: Option<String>,
}

/// A request or an answer.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Message {
    /// HTTP method; of requests.
    pub method: Option<String>,
    /// Path; of requests.
    pub path: Option<String>,
    /// Query string, credentials removed; of requests.
    pub query: Option<String>,
    /// Status that the caller got; of answers.
    pub status_code: Option<u16>,
    /// Headers as name and value pairs, credentials masked.
    #[schema(value_type = Vec<Vec<String>>)]
    pub headers: Vec<(String, String)>,
    /// The body as the caller sent or got it; null where none is stored.
    pub body: Option<Body>,
    /// Bodies as the provider got or sent them, where they differ from the caller's, by attempt.
    pub upstream: Vec<Body>,
}

/// A body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Body {
    /// Number of the attempt at a provider; 0 for the caller's.
    pub attempt: u8,
    /// Its size; null where it was erased.
    pub bytes: Option<u64>,
    /// `utf-8` or `base64`: how `data` is written.
    pub encoding: Option<String>,
    /// The bytes; null where they were erased.
    pub data: Option<String>,
    /// Whether `data` is only the beginning; the proof has all.
    pub truncated: bool,
    /// Whether it is about somebody who was erased.
    pub erased: bool,
    /// Whether personal data and secrets were replaced in `data`, or `data` is left out because it
    /// cannot be looked through; `reveal` shows it.
    pub redacted: bool,
}

/// How a decision's records stand in the ledger, as checked while they were read.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Integrity {
    /// `sealed`, `pending` (a checkpoint follows within a second) or `damaged`.
    pub state: &'static str,
    /// Name of the log.
    pub log: Option<String>,
    /// Leaves that the newest checkpoint covers.
    pub checkpoint_size: u64,
    /// The records.
    pub records: Vec<RecordPlace>,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// Where a record stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordPlace {
    /// The record.
    pub record_id: Uuid,
    /// Number of its leaf in the log.
    pub seq: u64,
    /// The writer's epoch.
    pub epoch: u64,
    /// The writer.
    pub writer: String,
    /// Place in the journal: epoch, segment, offset.
    pub position: String,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// RFC 6962 hash of its leaf, in hexadecimal.
    pub leaf_hash: String,
    /// Whether the newest checkpoint covers it.
    pub sealed: bool,
}

/// A page of decisions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionList {
    /// The decisions.
    #[schema(value_type = Vec<DecisionItem>)]
    pub items: Vec<Decision>,
    /// Continues the list; null at its end.
    pub next_cursor: Option<String>,
    /// How far the index was.
    pub as_of: Option<String>,
    /// How far it was behind.
    pub index_lag_ms: u64,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventList {
    /// The events, newest first.
    #[schema(value_type = Vec<EventItem>)]
    pub items: Vec<EventRow>,
    /// Continues the list; null at its end.
    pub next_cursor: Option<String>,
    /// How far the index was.
    pub as_of: Option<String>,
    /// How far it was behind.
    pub index_lag_ms: u64,
}

/// The events of a trace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trace {
    /// The trace.
    pub trace_id: Uuid,
    /// The events, oldest first.
    #[schema(value_type = Vec<EventItem>)]
    pub items: Vec<EventRow>,
    /// Whether there are more than are shown.
    pub truncated: bool,
}

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionList {
    /// The sessions, last active first.
    #[schema(value_type = Vec<SessionItem>)]
    pub items: Vec<index::Session>,
    /// Continues the list; null at its end.
    pub next_cursor: Option<String>,
    /// How far the index was.
    pub as_of: Option<String>,
    /// How far it was behind.
    pub index_lag_ms: u64,
}

/// A session with its first decisions; the rest are a list filtered by `session_id`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionDetail {
    /// The session.
    #[serde(flatten)]
    #[schema(value_type = SessionItem)]
    pub session: index::Session,
    /// Its decisions, oldest first.
    #[schema(value_type = Vec<DecisionItem>)]
    pub items: Vec<Decision>,
    /// Continues the decisions, with `session_id` and `sort=timestamp`.
    pub next_cursor: Option<String>,
}

/// A page of reviews.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReviewList {
    /// The reviews, newest first.
    #[schema(value_type = Vec<ReviewItem>)]
    pub items: Vec<review::Item>,
    /// Continues the list; null at its end.
    pub next_cursor: Option<String>,
}

/// A review in full: what is held, and what the policies saw. Null where it was erased.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReviewDetail {
    /// The item.
    #[serde(flatten)]
    #[schema(value_type = ReviewItem)]
    pub item: review::Item,
    /// The end user's e-mail address.
    pub user_email: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// The persons the call is about, where not the user.
    pub subjects: Vec<String>,
    /// What the policies saw.
    #[schema(value_type = Option<Object>)]
    pub facts: Option<serde_json::Value>,
    /// The request, from the record.
    pub request: Message,
    /// The answer, from the record, where one is held.
    pub response: Message,
    /// The decision's events, oldest first.
    #[schema(value_type = Vec<EventItem>)]
    pub events: Vec<EventRow>,
    /// How the records stand in the ledger.
    pub integrity: Integrity,
}

/// What a person says of a review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verdict {
    /// Why, in 1 to 4096 bytes. It is recorded.
    pub rationale: String,
}

/// A free query.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlQuery {
    /// One `SELECT` over `audit_events`, `audit_logs` and the views.
    pub query: String,
}

/// What a new key is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyWish {
    /// The only source that it may name; null: any.
    #[serde(default)]
    pub source: Option<String>,
    /// `gateway`, `ingest`, `read`; none: `gateway`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// From when on it is refused; null: never.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// How much it may be used; what is null is as configured for all keys.
    #[serde(default)]
    #[schema(value_type = Option<KeyLimitsItem>)]
    pub limits: control::KeyLimits,
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeyRotation {
    /// Seconds for which the old key still holds.
    pub overlap_s: u64,
}

/// A new key, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewApiKey {
    /// The key itself.
    pub key: String,
    /// What is stored of it.
    #[serde(flatten)]
    #[schema(value_type = KeyItem)]
    pub stored: control::ApiKey,
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// The keys, newest first.
    #[schema(value_type = Vec<KeyItem>)]
    pub items: Vec<control::ApiKey>,
}

/// Liveness or readiness.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, `ready` or `not_ready`.
    pub status: &'static str,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
