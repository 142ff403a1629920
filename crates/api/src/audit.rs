//! The audit of the audit: every access becomes an event before its answer leaves.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::Shared;
use event::Access;

/// Characters of a filter or query that are recorded at most.
const FILTER_CHARS_MAX: usize = 4_096;

/// What was done.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    action: &'static str,
    result: &'static str,
    target: Option<String>,
    filter: Option<String>,
    records: Option<u64>,
    purpose: Option<String>,
}

impl Note {
    /// Something that was done.
    pub(crate) const fn done(action: &'static str) -> Self {
        Self { action, result: "ok", target: None, filter: None, records: None, purpose: None }
    }

    /// Something that is about to be done, and cannot be taken back where it is not recorded.
    pub(crate) fn begun(action: &'static str) -> Self {
        Self { result: "begun", ..Self::done(action) }
    }

    /// Something that was not allowed.
    pub(crate) fn denied(action: &'static str) -> Self {
        Self { result: "denied", ..Self::done(action) }
    }

    /// Something that was allowed and came to nothing.
    pub(crate) fn failed(action: &'static str) -> Self {
        Self { result: "failed", ..Self::done(action) }
    }

    pub(crate) fn target(self, target: impl Into<String>) -> Self {
        Self { target: Some(cut(&target.into())), ..self }
    }

    pub(crate) fn filter(self, filter: Option<&str>) -> Self {
        Self { filter: filter.map(cut), ..self }
    }

    pub(crate) fn purpose(self, purpose: &str) -> Self {
        Self { purpose: Some(cut(purpose)), ..self }
    }

    pub(crate) fn records(self, records: usize) -> Self {
        Self { records: Some(records as u64), ..self }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(FILTER_CHARS_MAX).collect()
}

impl Shared {
    /// Records an access of a known caller. Where this fails, nothing may be shown.
    pub(crate) async fn record(&self, caller: &Caller, note: Note) -> Result<(), Problem> {
        self.record_as(caller.actor(), caller.role(), caller.peer.to_string(), note).await
    }

    /// Records an access of somebody who is not signed in (yet).
    pub(crate) async fn record_as(
        &self,
        actor: String,
        role: &str,
        from: String,
        note: Note,
    ) -> Result<(), Problem> {
        let access = Access {
            action: Some(note.action.to_owned()),
            result: Some(note.result.to_owned()),
            role: Some(role.to_owned()),
            actor: Some(actor),
            client_address: Some(from),
            target: note.target,
            filter: note.filter,
            records: note.records,
            purpose: note.purpose,
        };
        self.parts.recorder.control(access).await?;
        Ok(())
    }

    /// Does something that cannot be taken back: recorded before and after.
    pub(crate) async fn carry_out<T>(
        &self,
        caller: &Caller,
        action: &'static str,
        about: impl Fn(Note) -> Note,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        self.record(caller, about(Note::begun(action))).await?;
        match work.await {
            Ok(done) => {
                self.record(caller, about(Note::done(action))).await?;
                Ok(done)
            }
            Err(problem) => Err(self.failed(caller, about(Note::failed(action)), problem).await),
        }
    }

    /// Records an access that found nothing, and passes its problem on.
    pub(crate) async fn failed(&self, caller: &Caller, note: Note, problem: Problem) -> Problem {
        match self.record(caller, note).await {
            Ok(()) => problem,
            Err(unrecorded) => unrecorded,
        }
    }
}
