//! A record as the index takes it.

use crate::Cursor;
use event::{Event, Origin, Timestamp};
use uuid::Uuid;

/// One record of the journal, its open and sealed parts joined.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectedRecord {
    /// Where it stands: the position from which its frames can be read again.
    pub at: Cursor,
    /// Where reading goes on behind it.
    pub next: Cursor,
    /// Number of its leaf.
    pub seq: u64,
    /// Its id.
    pub record_id: Uuid,
    /// The tenant.
    pub tenant: String,
    /// How it came to be known.
    pub origin: Origin,
    /// The decision that it belongs to.
    pub decision_id: Uuid,
    /// The trace.
    pub trace_id: Uuid,
    /// The request.
    pub request_id: String,
    /// When it was written.
    pub ts: Timestamp,
    /// Its events in order.
    pub events: Vec<Event>,
}
