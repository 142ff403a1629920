//! The calls whose end is not recorded yet.

use event::EventType;
use journal::{Position, Progress};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use uuid::Uuid;

/// Whether an event of this type ends its decision.
pub const fn is_terminal(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::RequestCompleted
            | EventType::RequestFailed
            | EventType::RequestBlocked
            | EventType::ResponseBlocked
            | EventType::RequestRejected
    )
}

/// Calls that may wait for their end; the next start ends what is over.
pub(crate) const GIVEN_UP_MAX: usize = 65_536;

/// An open call that nobody writes for any more.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub decision_id: Uuid,
    pub trace_id: Uuid,
    pub request_id: String,
    /// How many records of it there are.
    pub records: u32,
    /// No record of it stands before this place.
    pub since: Position,
}

/// The calls whose intent is recorded and whose outcome is not, by a lower bound of their place.
/// The lowest bound is kept beside the journal, so that a start after a crash reads from there.
#[derive(Debug)]
pub(crate) struct OpenCalls {
    calls: Mutex<BTreeSet<(Position, Uuid)>>,
    progress: watch::Receiver<Progress>,
}

impl OpenCalls {
    pub(crate) fn new(progress: watch::Receiver<Progress>) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::default(), progress })
    }

    fn end(&self) -> Position {
        self.progress.borrow().end
    }

    pub(crate) fn enter(&self, decision_id: Uuid) -> Position {
        let mut calls = self.lock();
        // Read under the lock: `lowest` must never pass a call that is about to be written.
        let since = self.end();
        calls.insert((since, decision_id));
        since
    }

    pub(crate) fn leave(&self, since: Position, decision_id: Uuid) {
        self.lock().remove(&(since, decision_id));
    }

    /// Where this call was entered, where it is open. Looks at all of them.
    pub(crate) fn find(&self, decision_id: Uuid) -> Option<Position> {
        let calls = self.lock();
        calls.iter().find(|(_, open)| *open == decision_id).map(|(since, _)| *since)
    }

    /// No open call stands before this place.
    pub(crate) fn lowest(&self) -> Position {
        let calls = self.lock();
        calls.first().map_or_else(|| self.end(), |(position, _)| *position)
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Position, Uuid)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
