//! What an index answers.

use crate::Cursor;
use event::{Component, Decision, EventType, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A page of decisions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionPage {
    /// The decisions.
    pub items: Vec<Decision>,
    /// Continues the list; none at its end.
    pub next_cursor: Option<String>,
    /// How far the index was when it answered.
    pub as_of: Option<Cursor>,
}

/// A decision found by request id.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The newest that has the request id.
    pub decision: Decision,
    /// The others, newest first (up to 100).
    pub other_ids: Vec<Uuid>,
}

/// A row of `audit_events`.
#[derive(Debug, Clone, Serialize)]
pub struct EventRow {
    /// Its id.
    pub event_id: Uuid,
    /// The decision.
    pub decision_id: Uuid,
    /// The trace.
    pub trace_id: Uuid,
    /// The request.
    pub request_id: String,
    /// Its type.
    pub event_type: EventType,
    /// Who owns it.
    pub component: Component,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Its fields, with `source`, `user_id` and `outcome` of the decision.
    pub event_data: Box<RawValue>,
}

/// A page of events.
#[derive(Debug, Clone, Serialize)]
pub struct EventPage {
    /// The events, newest first.
    pub items: Vec<EventRow>,
    /// Continues the list; none at its end.
    pub next_cursor: Option<String>,
    /// How far the index was when it answered.
    pub as_of: Option<Cursor>,
}

/// The events of one trace or decision, oldest first.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Events {
    /// The events.
    pub items: Vec<EventRow>,
    /// Whether there are more than are shown.
    pub truncated: bool,
}

/// Decisions that share a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Session {
    /// The session.
    pub session_id: String,
    /// First decision's time.
    pub first_at: Timestamp,
    /// Last decision's time.
    pub last_at: Timestamp,
    /// How many decisions.
    pub decisions: u64,
    /// Those that went wrong.
    pub errors: u64,
    /// Those that a policy blocked.
    pub blocked: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Sum of the known costs as an exact decimal; null where none is known.
    pub cost_usd: Option<String>,
    /// How many decisions have no known cost.
    pub cost_unknown: u64,
    /// The calling application of the newest decision.
    pub source: Option<String>,
    /// The end user of the newest decision.
    pub user_id: Option<String>,
}

/// A page of sessions, last active first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionPage {
    /// The sessions.
    pub items: Vec<Session>,
    /// Continues the list; none at its end.
    pub next_cursor: Option<String>,
    /// How far the index was when it answered.
    pub as_of: Option<Cursor>,
}

/// Where a record of a decision stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordPointer {
    /// Position of its frames.
    pub at: Cursor,
    /// Number of its leaf.
    pub seq: u64,
    /// Its id.
    pub record_id: Uuid,
    /// When it was written.
    pub ts: Timestamp,
}

/// How far the index is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Everything before this place is indexed.
    pub cursor: Option<Cursor>,
    /// Number of the next leaf.
    pub next_seq: u64,
    /// When the newest indexed record was written.
    pub newest_ts: Option<Timestamp>,
    /// Records indexed.
    pub records: u64,
    /// Events indexed.
    pub events: u64,
    /// Decisions indexed.
    pub decisions: u64,
}

/// Bounds of a free query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlLimits {
    /// Rows at most.
    pub rows_max: usize,
    /// Bytes of values at most.
    pub bytes_max: usize,
    /// Time at most.
    pub time_ms: u64,
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self { rows_max: 10_000, bytes_max: 16 << 20, time_ms: 10_000 }
    }
}

/// Rows that are no decisions, which a free query may read beside the tables: who may sign in, for
/// one. They come from elsewhere with the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// Its name, as a query has it.
    pub name: &'static str,
    /// Names of the columns.
    pub columns: &'static [&'static str],
    /// The rows, each as long as there are columns.
    pub rows: Vec<Vec<serde_json::Value>>,
}

/// What a free query gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SqlResult {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Whether a bound cut the rows off.
    pub truncated: bool,
}
