//! The recorder: opens a data directory and is the only way to write into it.

use crate::core::Core;
use crate::decision::{DecisionIds, DecisionWriter};
use crate::encode::Writer;
use crate::error::RecordError;
use crate::gap::Gap;
use crate::open_calls::{GIVEN_UP_MAX, GivenUp, OpenCalls};
use crate::persons::{PersonNames, Persons};
use event::{Component, Event, EventData, Origin, Timestamp};
use journal::{Committed, Journal};
use seal::{KeyClass, KeyRing, SubjectKey};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Writes records. Cheap to clone; every clone writes to the same journal.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Core>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("writer", &self.inner.writer).finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder, and the calls that are given up while it writes.
    pub(crate) fn new(
        journal: Journal,
        journal_dir: PathBuf,
        keys: Arc<KeyRing>,
        staff: Arc<SubjectKey>,
    ) -> (Self, mpsc::Receiver<GivenUp>) {
        let meta = journal.meta();
        let writer = Writer {
            tenant: meta.tenant.clone(),
            name: meta.writer.clone(),
            epoch: u64::from(meta.epoch),
        };
        let tenant = Arc::from(writer.tenant.as_str());
        let open_calls = OpenCalls::new(journal.committed());
        let journal = Arc::new(journal);
        let gap = Gap::new(journal.clone());
        let (late, given_up) = mpsc::channel(GIVEN_UP_MAX);
        let inner =
            Core { journal, journal_dir, keys, staff, writer, tenant, open_calls, gap, late };
        (Self { inner: Arc::new(inner) }, given_up)
    }

    /// What this and every other clone share, without keeping it.
    pub(crate) fn downgrade(&self) -> Weak<Core> {
        Arc::downgrade(&self.inner)
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.inner
    }

    pub(crate) const fn of(inner: Arc<Core>) -> Self {
        Self { inner }
    }

    /// Names a decision's persons and makes their keys durable. Fast where they are known.
    ///
    /// # Errors
    /// Where a key cannot be made durable: nothing may be sealed under it then.
    pub async fn persons(&self, names: &PersonNames) -> Result<Persons, RecordError> {
        let user = if let Some(name) = &names.user {
            self.key(KeyClass::Subject, name).await?
        } else {
            let day = Timestamp::now().to_string();
            self.key(KeyClass::Day, day.split_at(10).0).await?
        };
        let mut subjects = Vec::with_capacity(names.subjects.len());
        for name in &names.subjects {
            subjects.push((name.clone(), self.key(KeyClass::Subject, name).await?));
        }
        Ok(Persons::new(user, subjects))
    }

    async fn key(&self, class: KeyClass, name: &str) -> Result<Arc<SubjectKey>, RecordError> {
        if let Some(key) = self.inner.keys.cached(class, name) {
            return Ok(key);
        }
        Ok(self.inner.keys.get_or_create(class, name).await?)
    }

    /// Begins a decision that the gateway observes.
    pub fn decision(&self, ids: DecisionIds, persons: Persons) -> DecisionWriter {
        DecisionWriter::new(self.inner.clone(), ids, Origin::Observed, Some(persons), 0)
    }

    /// Goes on with a decision that was set aside, and of which `number` records exist already.
    /// Until it ends or is set aside again, a crash cuts it off.
    pub fn resume(
        &self,
        ids: DecisionIds,
        persons: Option<Persons>,
        number: u32,
    ) -> DecisionWriter {
        DecisionWriter::resume(self.inner.clone(), ids, persons, number)
    }

    /// Records one event of the product's own administration.
    ///
    /// # Errors
    /// Where it could not be made durable.
    pub async fn control(&self, data: impl Into<EventData>) -> Result<Committed, RecordError> {
        let decision_id = Uuid::now_v7();
        let ids =
            DecisionIds { decision_id, trace_id: decision_id, request_id: decision_id.to_string() };
        let event = Event::new(Component::Api, Timestamp::now(), data);
        DecisionWriter::new(self.inner.clone(), ids, Origin::Control, None, 0)
            .commit(&[event], Vec::new())
            .await
    }

    /// Notes a call that goes through without a record (`on_record_failure = "forward"`).
    pub fn note_gap(&self) {
        self.inner.gap.note();
    }

    /// The key store.
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.inner.keys
    }

    /// Directory of the journal.
    pub fn journal_dir(&self) -> &Path {
        &self.inner.journal_dir
    }

    /// The tenant.
    pub fn tenant(&self) -> Arc<str> {
        self.inner.tenant.clone()
    }

    /// The journal, for its progress and figures.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.inner.journal
    }

    /// Calls whose outcome is not recorded yet.
    pub fn open_call_count(&self) -> usize {
        self.inner.open_calls.count()
    }

    pub(crate) fn open_calls(&self) -> &Arc<OpenCalls> {
        &self.inner.open_calls
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    pub(crate) fn staff(&self) -> &Arc<SubjectKey> {
        &self.inner.staff
    }

    pub(crate) fn gap(&self) -> &Gap {
        &self.inner.gap
    }
}
