//! Decisions: lists, one in full, its proof.

use crate::audit::Note;
use crate::caller::Caller;
use crate::detail;
use crate::extract::Params;
use crate::params::{ListParams, NoParams, ProofParams};
use crate::problem::Problem;
use crate::schemas::{DecisionList, Detail, ProofAnswer};
use crate::state::{Shared, blocking};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use event::Decision;
use http::{HeaderValue, header};
use recorder::{position_of, prove};
use std::sync::Arc;
use uuid::Uuid;

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
/// up to two seconds for the index to reach a decision just made.
#[utoipa::path(
    get, path = "/api/v1/audit/logs/{id}", tag = "decisions",
    params(("id" = String, Path, description = "Decision id or request id.")),
    responses((status = 200, description = "The decision.", body = Detail))
)]
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Params<NoParams>,
) -> Result<Json<Detail>, Problem> {
    let found = match find(&shared, &caller, &id).await {
        Ok(found) => found,
        Err(problem) => {
            return Err(shared.failed(&caller, Note::failed("show").target(id), problem).await);
        }
    };
    let (item, other_ids) = found;
    let decision_id = item.id;
    let (pointers, mut events) = shared
        .query(move |index| Ok((index.records(decision_id)?, index.events_of(decision_id)?)))
        .await?;
    let reading = shared.clone();
    let mut stored = blocking(move || detail::read(&reading, &pointers)).await?;
    for event in &mut events.items {
        stored.complete(event).map_err(|error| Problem::internal(&error))?;
    }
    let note = Note::done("show").target(decision_id.to_string()).records(1);
    shared.record(&caller, note).await?;
    Ok(Json(Detail {
        item,
        other_ids,
        request: stored.request,
        response: stored.response,
        events: events.items,
        integrity: stored.integrity,
    }))
}

/// The proof of a decision. Waits up to two seconds for a checkpoint that covers it.
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
    let with_keys = !params.wants_sealed()?;
    match pack(&shared, &caller, &id, with_keys).await {
        Ok((decision_id, bundle)) => {
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
    caller: &Caller,
    id: &str,
    with_keys: bool,
) -> Result<(Uuid, Vec<u8>), Problem> {
    let decision_id = find(shared, caller, id).await?.0.id;
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
        let bytes = serde_json::to_vec(&bundle).map_err(|error| Problem::internal(&error))?;
        Ok((decision_id, bytes))
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

/// The decision with this id or request id, once the index has what is committed of it.
async fn find(
    shared: &Shared,
    caller: &Caller,
    id: &str,
) -> Result<(Decision, Vec<Uuid>), Problem> {
    let mut found = look(shared, id).await?;
    if found.as_ref().is_none_or(|(decision, _)| !decision.settled())
        && shared.index_caught_up().await
    {
        found = look(shared, id).await?;
    }
    let sight = caller.sight();
    found.filter(|(decision, _)| sight.sees(decision)).ok_or_else(|| {
        Problem::not_found("there is no decision with this id or request id that you may see")
    })
}

async fn look(shared: &Shared, id: &str) -> Result<Option<(Decision, Vec<Uuid>)>, Problem> {
    let id = id.to_owned();
    shared
        .query(move |index| {
            if let Ok(uuid) = id.parse::<Uuid>()
                && let Some(decision) = index.decision(uuid)?
            {
                return Ok(Some((decision, Vec::new())));
            }
            let found = index.by_request_id(&id)?;
            Ok(found.map(|found| (found.decision, found.other_ids)))
        })
        .await
}
