//! Decisions: lists, one in full, its proof.

use crate::audit::Note;
use crate::caller::{Caller, Sight};
use crate::detail;
use crate::extract::Params;
use crate::params::{ListParams, ProofParams, ShowParams};
use crate::problem::Problem;
use crate::roles::Action;
use crate::schemas::{DecisionList, Detail, ProofAnswer, Seen};
use crate::state::{Shared, blocking};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use event::{Decision, EventData, EventType};
use http::{HeaderValue, header};
use index::{EventFilter, EventRow, Page};
use recorder::{position_of, prove};
use std::sync::Arc;
use uuid::Uuid;

/// Accesses that a detail shows at most.
const ACCESSES_SHOWN_MAX: u32 = 200;

/// Lists decisions.
#[utoipa::path(
    get, path = "/api/v1/audit/logs", tag = "decisions", params(ListParams),
    responses((status = 200, description = "A page of decisions.", body = DecisionList))
)]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params { params, text }: Params<ListParams>,
) -> Result<Json<DecisionList>, Problem> {
    let (filter, page) = params.filter(&caller.sight())?;
    let action = if filter.q.is_some() { "search" } else { "list" };
    let (found, status) =
        shared.query(move |index| Ok((index.list(&filter, &page)?, index.status()?))).await?;
    let note = Note::done(action).filter(text.as_deref()).records(found.items.len());
    shared.record(&caller, note).await?;
    Ok(Json(DecisionList {
        items: found.items,
        next_cursor: found.next_cursor,
        as_of: found.as_of.map(|cursor| cursor.to_string()),
        index_lag_ms: shared.index_lag_ms(status.newest_ts),
    }))
}

/// One decision in full, by its id or its request id (the newest, where several have it). Waits
/// up to two seconds for the index to reach a decision just made. Personal data and secrets in
/// bodies and headers are replaced, unless they are revealed.
#[utoipa::path(
    get, path = "/api/v1/audit/logs/{id}", tag = "decisions",
    params(("id" = String, Path, description = "Decision id or request id."), ShowParams),
    responses((status = 200, description = "The decision.", body = Detail))
)]
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    Params { params, .. }: Params<ShowParams>,
) -> Result<Json<Detail>, Problem> {
    let purpose = params.purpose()?;
    let action = if purpose.is_some() { "reveal" } else { "show" };
    let may_reveal = caller.may(Action::Reveal);
    if purpose.is_some() && !may_reveal {
        let problem = Problem::forbidden("bodies are shown redacted with this credential");
        return Err(shared.failed(&caller, Note::denied(action).target(id), problem).await);
    }
    let (item, other_ids) = find(&shared, &caller, action, &id).await?;
    let decision_id = item.id;
    let (pointers, mut events) = shared
        .query(move |index| Ok((index.records(decision_id)?, index.events_of(decision_id)?)))
        .await?;
    let accesses = if may_reveal { Some(accesses(&shared, decision_id).await?) } else { None };
    let (reading, reveal) = (shared.clone(), purpose.is_some());
    let mut stored = blocking(move || detail::read(&reading, &pointers, reveal)).await?;
    for event in &mut events.items {
        stored.complete(event).map_err(|error| Problem::internal(&error))?;
    }
    let note = Note::done(action).target(decision_id.to_string()).records(1);
    let note = match &purpose {
        Some(purpose) => note.purpose(purpose),
        None => note,
    };
    shared.record(&caller, note).await?;
    Ok(Json(Detail {
        item,
        other_ids,
        request: stored.request,
        response: stored.response,
        events: events.items,
        integrity: stored.integrity,
        accesses,
    }))
}

/// Who looked at a decision before, newest first.
async fn accesses(shared: &Shared, decision_id: Uuid) -> Result<Vec<Seen>, Problem> {
    let filter = EventFilter {
        event_type: Some(EventType::Access),
        target: Some(decision_id.to_string()),
        ..EventFilter::default()
    };
    let page = Page { limit: ACCESSES_SHOWN_MAX, cursor: None };
    let found = shared.query(move |index| index.events(&filter, &page)).await?;
    Ok(found.items.iter().filter_map(seen).collect())
}

fn seen(row: &EventRow) -> Option<Seen> {
    let data = EventData::read(EventType::Access, row.event_data.get()).ok()?;
    let EventData::Access(access) = data else { return None };
    Some(Seen {
        timestamp: row.timestamp,
        action: access.action?,
        result: access.result?,
        actor: access.actor,
        role: access.role,
        client_address: access.client_address,
        purpose: access.purpose,
    })
}

/// The proof of a decision. Waits up to two seconds for a checkpoint that covers it. The keys
/// open the bodies: who may not reveal these gets the proof without them.
#[utoipa::path(
    get, path = "/api/v1/audit/logs/{id}/proof", tag = "decisions",
    params(("id" = String, Path, description = "Decision id or request id."), ProofParams),
    responses((status = 200, description = "The proof bundle.", body = ProofAnswer))
)]
pub(crate) async fn proof(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    Params { params, text }: Params<ProofParams>,
) -> Result<Response, Problem> {
    let with_keys = !params.wants_sealed()? && caller.may(Action::Reveal);
    let decision_id = find(&shared, &caller, "proof", &id).await?.0.id;
    match pack(&shared, decision_id, with_keys).await {
        Ok(bundle) => {
            let note = Note::done("proof").target(decision_id.to_string()).records(1);
            shared.record(&caller, note.filter(text.as_deref())).await?;
            Ok(attachment(decision_id, bundle))
        }
        Err(problem) => {
            Err(shared.failed(&caller, Note::failed("proof").target(id), problem).await)
        }
    }
}

async fn pack(
    shared: &Arc<Shared>,
    decision_id: Uuid,
    with_keys: bool,
) -> Result<Vec<u8>, Problem> {
    let pointers = shared.query(move |index| index.records(decision_id)).await?;
    // Earlier epochs are sealed as far as they ever will be.
    let epoch = shared.epoch();
    let newest = pointers.iter().filter(|pointer| pointer.at.epoch == epoch);
    let newest = newest.map(|pointer| pointer.seq).max();
    if let Some(seq) = newest
        && !shared.is_sealed(seq).await
    {
        return Err(Problem::not_sealed());
    }
    let reading = shared.clone();
    blocking(move || {
        let places: Vec<_> = pointers.iter().map(|pointer| position_of(&pointer.at)).collect();
        let parts = &reading.parts;
        let bundle = prove(&parts.data, parts.recorder.keys(), decision_id, &places, with_keys)?;
        serde_json::to_vec(&bundle).map_err(|error| Problem::internal(&error))
    })
    .await?
}

fn attachment(decision_id: Uuid, bundle: Vec<u8>) -> Response {
    let mut response = bundle.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let name = format!("attachment; filename=\"{decision_id}.proof.json\"");
    if let Ok(value) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The decision with this id or request id, once the index has what is committed of it. What is
/// there and not theirs is not found either; which of the two it was is recorded.
pub(super) async fn find(
    shared: &Shared,
    caller: &Caller,
    action: &'static str,
    id: &str,
) -> Result<(Decision, Vec<Uuid>), Problem> {
    let sight = caller.sight();
    let mut found = look(shared, &sight, id).await?;
    if found.as_ref().is_none_or(|found| !found.settled) && shared.index_caught_up().await {
        found = look(shared, &sight, id).await?;
    }
    let is_there = found.is_some();
    match found.and_then(|found| found.seen) {
        Some(seen) => Ok(seen),
        None => {
            let detail = "there is no decision with this id or request id that you may see";
            let note = if is_there { Note::denied(action) } else { Note::failed(action) };
            Err(shared.failed(caller, note.target(id), Problem::not_found(detail)).await)
        }
    }
}

/// What there is with an id.
struct Looked {
    /// Whether nothing is to come.
    settled: bool,
    /// What the caller may see of it: the newest, and the ids of the others.
    seen: Option<(Decision, Vec<Uuid>)>,
}

async fn look(shared: &Shared, sight: &Sight, id: &str) -> Result<Option<Looked>, Problem> {
    let (sight, id) = (sight.clone(), id.to_owned());
    shared
        .query(move |index| {
            if let Ok(uuid) = id.parse::<Uuid>()
                && let Some(decision) = index.decision(uuid)?
            {
                let settled = decision.settled();
                let seen = sight.sees(&decision).then_some((decision, Vec::new()));
                return Ok(Some(Looked { settled, seen }));
            }
            let Some(found) = index.by_request_id(&id)? else { return Ok(None) };
            let settled = found.decision.settled();
            let mut seen = sight.sees(&found.decision).then_some((found.decision, Vec::new()));
            for other in found.other_ids {
                match (&mut seen, index.decision(other)?.filter(|other| sight.sees(other))) {
                    (Some((_, ids)), Some(_)) => ids.push(other),
                    (None, Some(other)) => seen = Some((other, Vec::new())),
                    (_, None) => {}
                }
            }
            Ok(Some(Looked { settled, seen }))
        })
        .await
}
