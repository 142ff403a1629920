//! Calls that were given up before their end was recorded (the disk was full, say): they get it
//! as soon as the journal takes records again.

use crate::core::Core;
use crate::held::{HeldCall, Hold};
use crate::recorder::Recorder;
use crate::recovery::{self, InterruptedError};
use crate::{DecisionIds, RecordError};
use event::Heartbeat;
use journal::Position;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::mpsc;

#[cfg(test)]
mod tests;

/// How often the journal is tried.
const TRY_INTERVAL: Duration = Duration::from_secs(1);
/// Calls that may wait for their end; the next start ends what is over.
const CALLS_MAX: usize = 65_536;

/// A call that nobody writes for any more.
#[derive(Debug)]
pub(crate) struct LateCall {
    pub ids: DecisionIds,
    /// How many records of it there are.
    pub records: u32,
    /// No record of it stands before this place.
    pub since: Position,
}

pub(crate) type LateCalls = mpsc::Receiver<LateCall>;

pub(crate) fn channel() -> (mpsc::Sender<LateCall>, LateCalls) {
    mpsc::channel(CALLS_MAX)
}

/// Ends what is given up, until the recorder is gone.
pub(crate) async fn follow(mut given_up: LateCalls, core: Weak<Core>) {
    let mut waiting = Vec::new();
    while let Some(call) = next(&mut waiting, &mut given_up).await {
        waiting.push(call);
        tokio::time::sleep(TRY_INTERVAL).await;
        while waiting.len() < CALLS_MAX
            && let Ok(call) = given_up.try_recv()
        {
            waiting.push(call);
        }
        let Some(core) = core.upgrade() else { return };
        match end(&Recorder::of(core), &waiting).await {
            Ok(count) => {
                tracing::info!(count, "calls whose outcome could not be written were ended");
                waiting.clear();
            }
            Err(error) if is_temporary(&error) => {
                tracing::debug!(%error, calls = waiting.len(), "calls wait for their end");
            }
            Err(error) => {
                tracing::error!(%error, calls = waiting.len(), "calls are ended at the next start");
                waiting.clear();
            }
        }
    }
}

/// One of those that wait, else the next that is given up; none once there can be no more.
async fn next(waiting: &mut Vec<LateCall>, given_up: &mut LateCalls) -> Option<LateCall> {
    match waiting.pop() {
        Some(call) => Some(call),
        None => given_up.recv().await,
    }
}

async fn end(recorder: &Recorder, calls: &[LateCall]) -> Result<usize, InterruptedError> {
    // Shows that records are taken again, and that whatever was in the queue is settled.
    let open_requests = Some(recorder.open_call_count() as u64);
    recorder.control(Heartbeat { open_requests }).await?;
    let Some(from) = calls.iter().map(|call| call.since).min() else { return Ok(0) };
    let running = calls.iter().map(|call| HeldCall {
        ids: call.ids.clone(),
        records: call.records,
        hold: Hold::Running,
    });
    let count = recovery::finish_given_up(recorder, from, running.collect()).await?;
    for call in calls {
        recorder.open_calls().leave(call.since, call.ids.decision_id);
    }
    Ok(count)
}

fn is_temporary(error: &InterruptedError) -> bool {
    matches!(error, InterruptedError::Record(RecordError::Journal(error)) if error.is_temporary())
}
