//! Events: lists, and the events of a trace.

use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Params;
use crate::params::{EventParams, NoParams};
use crate::problem::Problem;
use crate::schemas::{EventList, Trace};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use uuid::Uuid;

/// Lists events, newest first.
#[utoipa::path(
    get, path = "/api/v1/audit/events", tag = "events", params(EventParams),
    responses((status = 200, description = "A page of events.", body = EventList))
)]
pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params { params, text }: Params<EventParams>,
) -> Result<Json<EventList>, Problem> {
    let sight = caller.sight();
    let (filter, page) = params.filter(&sight)?;
    let (mut found, status) =
        shared.query(move |index| Ok((index.events(&filter, &page)?, index.status()?))).await?;
    found.items.retain(|event| sight.sees_event(event));
    let note = Note::done("events").filter(text.as_deref()).records(found.items.len());
    shared.record(&caller, note).await?;
    Ok(Json(EventList {
        items: found.items,
        next_cursor: found.next_cursor,
        as_of: found.as_of.map(|cursor| cursor.to_string()),
        index_lag_ms: shared.index_lag_ms(status.newest_ts),
    }))
}

/// The events of a trace, oldest first.
#[utoipa::path(
    get, path = "/api/v1/audit/traces/{trace_id}", tag = "events",
    params(("trace_id" = Uuid, Path, description = "The trace.")),
    responses((status = 200, description = "The trace.", body = Trace))
)]
pub(crate) async fn trace(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(trace_id): Path<String>,
    _: Params<NoParams>,
) -> Result<Json<Trace>, Problem> {
    let id: Uuid = trace_id
        .parse()
        .map_err(|_| Problem::invalid("trace_id: must be a UUID, as x-trace-id gave it"))?;
    let sight = caller.sight();
    let mut found = shared.query(move |index| index.trace(id)).await?;
    if found.items.is_empty() && shared.index_caught_up().await {
        found = shared.query(move |index| index.trace(id)).await?;
    }
    let is_there = !found.items.is_empty();
    found.items.retain(|event| sight.sees_event(event));
    if found.items.is_empty() {
        let problem = Problem::not_found("there is no trace with this id that you may see");
        let note = if is_there { Note::denied("trace") } else { Note::failed("trace") };
        return Err(shared.failed(&caller, note.target(trace_id), problem).await);
    }
    let note = Note::done("trace").target(trace_id).records(found.items.len());
    shared.record(&caller, note).await?;
    Ok(Json(Trace { trace_id: id, items: found.items, truncated: found.truncated }))
}
