//! Calls that were given up before their end was recorded (the disk was full, say): they get it
//! as soon as the journal takes records again.

use crate::core::Core;
use crate::decision::DecisionIds;
use crate::error::RecordError;
use crate::held::{HeldCall, Hold};
use crate::open_calls::{GIVEN_UP_MAX, GivenUp};
use crate::recorder::Recorder;
use crate::recovery::{self, InterruptedError};
use event::Heartbeat;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often the journal is tried.
const TRY_INTERVAL: Duration = Duration::from_secs(1);
/// Ends what is given up, until the recorder is gone.
pub(crate) async fn follow(mut given_up: mpsc::Receiver<GivenUp>, core: Weak<Core>) {
    let mut waiting = Vec::new();
    while let Some(call) = next(&mut waiting, &mut given_up).await {
        waiting.push(call);
        tokio::time::sleep(TRY_INTERVAL).await;
        while waiting.len() < GIVEN_UP_MAX
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
async fn next(
    waiting: &mut Vec<GivenUp>,
    given_up: &mut mpsc::Receiver<GivenUp>,
) -> Option<GivenUp> {
    match waiting.pop() {
        Some(call) => Some(call),
        None => given_up.recv().await,
    }
}

async fn end(recorder: &Recorder, calls: &[GivenUp]) -> Result<usize, InterruptedError> {
    // Shows that records are taken again, and that whatever was in the queue is settled.
    let open_requests = Some(recorder.open_call_count() as u64);
    recorder.control(Heartbeat { open_requests }).await?;
    let Some(from) = calls.iter().map(|call| call.since).min() else { return Ok(0) };
    let running = calls.iter().map(|call| HeldCall {
        ids: DecisionIds {
            decision_id: call.decision_id,
            trace_id: call.trace_id,
            request_id: call.request_id.clone(),
        },
        records: call.records,
        hold: Hold::Running,
    });
    let count = recovery::finish_given_up(recorder, from, running.collect()).await?;
    for call in calls {
        recorder.open_calls().leave(call.since, call.decision_id);
    }
    Ok(count)
}

fn is_temporary(error: &InterruptedError) -> bool {
    matches!(error, InterruptedError::Record(RecordError::Journal(error)) if error.is_temporary())
}
