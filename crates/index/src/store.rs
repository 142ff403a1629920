//! What a backend implements. Methods are synchronous: callers in an async runtime run them on
//! blocking threads.

use crate::{
    Cursor, DecisionFilter, DecisionPage, EventFilter, EventPage, Events, Found, KeptSums, Metrics,
    MetricsQuery, ModelQuery, ModelSeen, Page, ProjectedRecord, RecordPointer, Relation, Result,
    Session, SessionFilter, SessionPage, SqlLimits, SqlResult, Status,
};
use event::{Decision, Timestamp};
use uuid::Uuid;

/// The indexer's side. There is one writer.
pub trait IndexWriter: Send {
    /// Everything before this place is indexed; none in an empty index.
    fn cursor(&self) -> Option<Cursor>;

    /// Indexes these records, in journal order, and advances the cursor, in one transaction.
    /// Records that stand before the index's cursor are skipped: applying one twice changes
    /// nothing. After an error nothing of the call is in the index; it may be repeated.
    fn apply(&mut self, records: &[ProjectedRecord], cursor: &Cursor) -> Result<()>;
}

/// The query side; shared between threads.
pub trait IndexReader: Send + Sync {
    /// A page of decisions.
    fn list(&self, filter: &DecisionFilter, page: &Page) -> Result<DecisionPage>;

    /// One decision.
    fn decision(&self, id: Uuid) -> Result<Option<Decision>>;

    /// The decisions with a request id.
    fn by_request_id(&self, request_id: &str) -> Result<Option<Found>>;

    /// A page of events, newest first.
    fn events(&self, filter: &EventFilter, page: &Page) -> Result<EventPage>;

    /// A trace's events, oldest first.
    fn trace(&self, trace_id: Uuid) -> Result<Events>;

    /// A decision's events, oldest first.
    fn events_of(&self, decision_id: Uuid) -> Result<Events>;

    /// Where a decision's records stand, oldest first.
    fn records(&self, decision_id: Uuid) -> Result<Vec<RecordPointer>>;

    /// A page of sessions, last active first.
    fn sessions(&self, filter: &SessionFilter, page: &Page) -> Result<SessionPage>;

    /// One session, as far as it is of the filter's source and user (its times do not count); its
    /// decisions are a list filtered by it.
    fn session(&self, session_id: &str, of: &SessionFilter) -> Result<Option<Session>>;

    /// The models that answered (or were asked for), most decisions first; at most
    /// [`MODELS_MAX`].
    fn models(&self, query: &ModelQuery) -> Result<Vec<ModelSeen>>;

    /// Sums.
    fn metrics(&self, query: &MetricsQuery) -> Result<Metrics>;

    /// The days (UTC) of which sums are kept; none where this backend keeps none.
    fn kept_days(&self) -> Result<Vec<Timestamp>> {
        Ok(Vec::new())
    }

    /// The sums that are kept of the day that begins here; none where this backend keeps none.
    fn kept_sums(&self, _day: Timestamp) -> Result<Option<KeptSums>> {
        Ok(None)
    }

    /// One `SELECT` over `audit_events`, `audit_logs`, the views and `beside`, in PostgreSQL's
    /// dialect.
    fn sql(&self, query: &str, beside: &[Relation], limits: &SqlLimits) -> Result<SqlResult>;

    /// How far the index is.
    fn status(&self) -> Result<Status>;
}
