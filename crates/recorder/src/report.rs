//! Records that do not belong to a call under way here: what other systems report, and what is
//! said of a decision afterwards.

use crate::body::BodyWriter;
use crate::decision::{DecisionIds, DecisionWriter};
use crate::encode::{RecordDraft, encode};
use crate::error::RecordError;
use crate::persons::Persons;
use crate::recorder::Recorder;
use event::{Event, Origin};
use journal::{Append, Committed};
use record::{NOTES_FROM, Role};
use seal::RecordKey;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes of all bodies of a report at most: they go with their record.
pub const REPORT_BODIES_BYTES_MAX: usize = crate::pace::TOGETHER_BYTES_MAX;

/// What another system reported of one decision, in one record.
#[derive(Debug)]
pub struct Report<'a> {
    /// The decision.
    pub ids: &'a DecisionIds,
    /// How many records of it there are already.
    pub number: u32,
    /// Whose keys seal it.
    pub persons: &'a Persons,
    /// The events.
    pub events: &'a [Event],
    /// Whole bodies, at most [`REPORT_BODIES_BYTES_MAX`] together.
    pub bodies: &'a [(Role, &'a [u8])],
}

/// A record that is sealed and not yet written.
#[derive(Debug)]
pub struct Drafted(Append);

/// A record that is on its way.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Committed, journal::Error>>);

// === impl Recorder ===

impl Recorder {
    /// Seals a report. Takes processor time, and waits for nothing.
    ///
    /// # Errors
    /// Where it has no or too many events, or too long bodies.
    pub fn draft(&self, report: &Report<'_>) -> Result<Drafted, RecordError> {
        if report.bodies.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
            > REPORT_BODIES_BYTES_MAX
        {
            return Err(RecordError::BodyTooLong);
        }
        let record_id = record::record_id(report.ids.decision_id, report.number);
        let content = report.persons.content();
        let content_key = Arc::new(RecordKey::derive(record_id.as_bytes(), content));
        let mut bodies = Vec::with_capacity(report.bodies.len());
        for (role, bytes) in report.bodies {
            let mut body = BodyWriter::new(
                self.journal().clone(),
                self.tenant(),
                content,
                content_key.clone(),
                record_id,
                *role,
                0,
            );
            body.push(bytes);
            bodies.push(body.close_whole()?);
        }
        let append = encode(
            self.writer(),
            &RecordDraft {
                record_id,
                decision_id: report.ids.decision_id,
                trace_id: report.ids.trace_id,
                request_id: &report.ids.request_id,
                origin: Origin::Reported,
                events: report.events,
                persons: Some(report.persons),
                content_key: Some(&content_key),
                staff: self.staff(),
            },
            bodies,
        )?;
        Ok(Drafted(append))
    }

    /// Puts a draft into the journal's queue, where it shares commits with what stands beside it;
    /// waits only for a place there.
    ///
    /// # Errors
    /// Where the journal takes nothing.
    pub async fn enqueue(&self, draft: Drafted) -> Result<Receipt, RecordError> {
        Ok(Receipt(self.journal().enqueue(draft.0).await?))
    }

    /// Records what is said of a decision afterwards: its `number`th note, from 0.
    ///
    /// # Errors
    /// Where it could not be made durable.
    pub async fn note(
        &self,
        ids: DecisionIds,
        origin: Origin,
        number: u32,
        event: Event,
    ) -> Result<Committed, RecordError> {
        let number = NOTES_FROM.saturating_add(number);
        DecisionWriter::new(self.core().clone(), ids, origin, None, number)
            .commit(&[event], Vec::new())
            .await
    }
}

// === impl Receipt ===

impl Receipt {
    /// Waits until the record is durable.
    ///
    /// # Errors
    /// Where it could not be made durable.
    pub async fn durable(self) -> Result<Committed, RecordError> {
        Ok(self.0.await.map_err(|_| journal::Error::Poisoned)??)
    }
}
