//! What is said of a decision afterwards: whether it stood, and that it belongs to an incident.

use super::decisions::find;
use crate::audit::Note;
use crate::caller::{Caller, Who};
use crate::extract::{Body, Params};
use crate::params::NoParams;
use crate::problem::Problem;
use crate::schemas::{FlagWish, Noted, OutcomeWish};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use event::{Component, DecisionFlagged, Event, EventData, Origin, OutcomeRecorded, Timestamp};
use http::StatusCode;
use index::RecordPointer;
use record::{NOTES_FROM, record_id};
use recorder::DecisionIds;
use std::sync::Arc;
use uuid::Uuid;

const VERDICTS: [&str; 3] = ["upheld", "overridden", "appealed"];
/// Bytes of a reason or note at most.
const TEXT_BYTES_MAX: usize = 4_096;
/// Bytes of a name at most.
const NAME_BYTES_MAX: usize = 256;
/// Records of a decision at most: a proof holds no more.
const RECORDS_MAX: usize = 1_000;

/// Says whether a decision stood: `upheld`, `overridden`, or `appealed` (then it is open again).
/// Several may follow each other; `stood` shows the last. Systems that know it can say so with a
/// key of scope `ingest`.
#[utoipa::path(
    post, path = "/api/v1/audit/logs/{id}/outcome", tag = "decisions", request_body = OutcomeWish,
    params(("id" = String, Path, description = "Decision id or request id.")),
    responses((status = 201, description = "It is recorded.", body = Noted))
)]
pub(crate) async fn outcome(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Params<NoParams>,
    Body(wish): Body<OutcomeWish>,
) -> Result<(StatusCode, Json<Noted>), Problem> {
    if !VERDICTS.contains(&wish.outcome.as_str()) {
        return Err(wrong("outcome", "must be upheld, overridden or appealed"));
    }
    let reason = needed("reason", wish.reason, TEXT_BYTES_MAX)?;
    let decided_at = match wish.decided_at.map(|text| text.parse::<Timestamp>()) {
        Some(Err(error)) => return Err(wrong("decided_at", &error.to_string())),
        Some(Ok(at)) if at > Timestamp::now() => {
            return Err(wrong("decided_at", "is in the future"));
        }
        other => other.and_then(Result::ok),
    };
    let (decided_by, api_key_id) = match (&caller.who, wish.decided_by) {
        (Who::Key(key), Some(name)) => {
            (Some(needed("decided_by", name, NAME_BYTES_MAX)?), Some(key.id.clone()))
        }
        (Who::Key(key), None) => (None, Some(key.id.clone())),
        (_, None) => (Some(caller.reviewer()), None),
        (_, Some(_)) => return Err(wrong("decided_by", "is you; leave it out")),
    };
    let event = OutcomeRecorded {
        verdict: Some(wish.outcome),
        reason: Some(reason),
        decided_by,
        api_key_id,
        decided_at: decided_at.map(|at| at.to_string()),
    };
    note(&shared, &caller, "outcome", &id, event.into()).await
}

/// Marks a decision for an incident, or takes the mark away.
#[utoipa::path(
    post, path = "/api/v1/audit/logs/{id}/flag", tag = "decisions", request_body = FlagWish,
    params(("id" = String, Path, description = "Decision id or request id.")),
    responses((status = 201, description = "It is recorded.", body = Noted))
)]
pub(crate) async fn flag(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Params<NoParams>,
    Body(wish): Body<FlagWish>,
) -> Result<(StatusCode, Json<Noted>), Problem> {
    let incident =
        wish.incident.map(|name| needed("incident", name, NAME_BYTES_MAX)).transpose()?;
    let event = DecisionFlagged {
        flagged: Some(wish.flagged.unwrap_or(true)),
        incident,
        note: Some(needed("note", wish.note, TEXT_BYTES_MAX)?),
        flagged_by: Some(caller.reviewer()),
    };
    note(&shared, &caller, "flag", &id, event.into()).await
}

fn wrong(field: &'static str, what: &str) -> Problem {
    Problem::invalid(format!("{field}: {what}")).field(Some(field))
}

fn needed(field: &'static str, text: String, bytes_max: usize) -> Result<String, Problem> {
    if text.trim().is_empty() || text.len() > bytes_max {
        return Err(wrong(field, &format!("must have 1 to {bytes_max} bytes")));
    }
    Ok(text)
}

/// Records it as the decision's next note.
async fn note(
    shared: &Arc<Shared>,
    caller: &Caller,
    action: &'static str,
    id: &str,
    data: EventData,
) -> Result<(StatusCode, Json<Noted>), Problem> {
    let (decision, _) = find(shared, caller, action, id).await?;
    let decision_id = decision.id;
    let ids =
        DecisionIds { decision_id, trace_id: decision.trace_id, request_id: decision.request_id };
    let (origin, component) = match caller.who {
        Who::Key(_) => (Origin::Reported, Component::Sdk),
        _ => (Origin::Control, Component::Api),
    };
    let event = Event::new(component, Timestamp::now(), data);
    let noted = Noted { decision_id, event_id: event.event_id, timestamp: event.timestamp };
    // One after the other, so that each has a number of its own.
    let _turn = shared.notes.of(decision_id).lock().await;
    if !shared.index_caught_up().await {
        return Err(Problem::busy());
    }
    let pointers = shared.query(move |index| index.records(decision_id)).await?;
    if pointers.len() >= RECORDS_MAX {
        let detail = "the decision has as many records as one may have";
        return Err(Problem::new(StatusCode::CONFLICT, "too_many_records", detail));
    }
    let number = next_note(decision_id, &pointers);
    shared.parts.recorder.note(ids, origin, number, event).await?;
    shared.record(caller, Note::done(action).target(decision_id.to_string()).records(1)).await?;
    Ok((StatusCode::CREATED, Json(noted)))
}

/// How many notes a decision has.
fn next_note(decision_id: Uuid, pointers: &[RecordPointer]) -> u32 {
    let has = |number: u32| {
        let id = record_id(decision_id, NOTES_FROM + number);
        pointers.iter().any(|pointer| pointer.record_id == id)
    };
    (0..RECORDS_MAX as u32).find(|number| !has(*number)).unwrap_or(RECORDS_MAX as u32)
}
