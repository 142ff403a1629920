//! The records of one decision, written one after the other.

use crate::body::{BodyWriter, ClosedBody};
use crate::core::Core;
use crate::encode::{RecordDraft, encode};
use crate::error::RecordError;
use crate::open_calls::{GivenUp, is_terminal};
use crate::persons::Persons;
use event::{Event, EventType, Origin};
use journal::{Committed, Position};
use record::Role;
use seal::RecordKey;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// Ids of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionIds {
    /// Ours: UUIDv7, shown as `x-audit-id`.
    pub decision_id: Uuid,
    /// The trace.
    pub trace_id: Uuid,
    /// The caller's, or made.
    pub request_id: String,
}

/// Writes the records of one decision, in order.
pub struct DecisionWriter {
    core: Arc<Core>,
    ids: DecisionIds,
    origin: Origin,
    persons: Option<Persons>,
    number: u32,
    /// Made once, for the next record's bodies and for its fields.
    next: OnceLock<Next>,
    open_since: Option<Position>,
    /// A record is on its way: what becomes of it is not known.
    writing: bool,
}

/// Id of a record, and the key of its bodies and content fields; none where nobody's keys seal it.
struct Next {
    record_id: Uuid,
    content_key: Option<Arc<RecordKey>>,
}

impl std::fmt::Debug for DecisionWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecisionWriter").field("ids", &self.ids).finish_non_exhaustive()
    }
}

impl DecisionWriter {
    pub(crate) const fn new(
        core: Arc<Core>,
        ids: DecisionIds,
        origin: Origin,
        persons: Option<Persons>,
        number: u32,
    ) -> Self {
        let next = OnceLock::new();
        Self { core, ids, origin, persons, number, next, open_since: None, writing: false }
    }

    /// Goes on with a decision: open from here on, so that a start after a crash finds it.
    pub(crate) fn resume(
        core: Arc<Core>,
        ids: DecisionIds,
        persons: Option<Persons>,
        number: u32,
    ) -> Self {
        let since = core.open_calls.find(ids.decision_id);
        let since = since.unwrap_or_else(|| core.open_calls.enter(ids.decision_id));
        let mut writer = Self::new(core, ids, Origin::Observed, persons, number);
        writer.open_since = Some(since);
        writer
    }

    /// Number of the next record; as many exist already.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Leaves a decision that is held, once the store of what is held knows it: it is none of
    /// those that a crash cuts off. [`Recorder::resume`](crate::Recorder::resume) goes on with it.
    pub fn set_aside(mut self) {
        if let Some(since) = self.open_since.take() {
            self.core.open_calls.leave(since, self.ids.decision_id);
        }
    }

    /// The decision's ids.
    pub const fn ids(&self) -> &DecisionIds {
        &self.ids
    }

    /// A body of the next record.
    ///
    /// # Errors
    /// Where the decision has no persons whose keys could seal it.
    pub fn body(&self, role: Role, attempt: u8) -> Result<BodyWriter, RecordError> {
        let persons = self.persons.as_ref().ok_or(seal::Error::NoKeys)?;
        let next = self.next();
        Ok(BodyWriter::new(
            self.core.journal.clone(),
            self.core.tenant.clone(),
            persons.content(),
            next.content_key.clone().ok_or(seal::Error::NoKeys)?,
            next.record_id,
            role,
            attempt,
        ))
    }

    fn next(&self) -> &Next {
        self.next.get_or_init(|| {
            let record_id = record::record_id(self.ids.decision_id, self.number);
            let derive = |persons: &Persons| {
                Arc::new(RecordKey::derive(record_id.as_bytes(), persons.content()))
            };
            Next { record_id, content_key: self.persons.as_ref().map(derive) }
        })
    }

    /// Writes the next record; returns when it is durable.
    ///
    /// # Errors
    /// Where it could not be made durable: the call must then not go on.
    pub async fn commit(
        &mut self,
        events: &[Event],
        bodies: Vec<BodyWriter>,
    ) -> Result<Committed, RecordError> {
        let closed = close_all(bodies).await?;
        let next = self.next();
        let append = encode(
            &self.core.writer,
            &RecordDraft {
                record_id: next.record_id,
                decision_id: self.ids.decision_id,
                trace_id: self.ids.trace_id,
                request_id: &self.ids.request_id,
                origin: self.origin,
                events,
                persons: self.persons.as_ref(),
                content_key: next.content_key.as_ref(),
                staff: &self.core.staff,
            },
            closed,
        )?;
        let opens = events.iter().any(|event| event.event_type() == EventType::RequestReceived);
        let ends = events.iter().any(|event| is_terminal(event.event_type()));
        if opens && !ends && self.open_since.is_none() {
            self.open_since = Some(self.core.open_calls.enter(self.ids.decision_id));
        }
        self.writing = true;
        let committed = self.core.journal.append(append).await;
        self.writing = false;
        let done = committed.is_ok() && ends;
        let never_began = committed.is_err() && opens;
        if (done || never_began)
            && let Some(since) = self.open_since.take()
        {
            self.core.open_calls.leave(since, self.ids.decision_id);
        }
        let committed = committed?;
        self.number += 1;
        self.next = OnceLock::new();
        Ok(committed)
    }
}

impl Drop for DecisionWriter {
    /// Nobody will write the end of a call that is open still: its outcome could not be written,
    /// or there was none.
    fn drop(&mut self) {
        let Some(since) = self.open_since.filter(|_| !self.writing) else { return };
        let call = GivenUp {
            decision_id: self.ids.decision_id,
            trace_id: self.ids.trace_id,
            request_id: self.ids.request_id.clone(),
            records: self.number,
            since,
        };
        if let Err(error) = self.core.late.try_send(call) {
            tracing::debug!(%error, "a call that was given up is ended at the next start");
        }
    }
}

async fn close_all(bodies: Vec<BodyWriter>) -> Result<Vec<ClosedBody>, RecordError> {
    let mut closed = Vec::with_capacity(bodies.len());
    for body in bodies {
        closed.push(body.close().await?);
    }
    Ok(closed)
}
