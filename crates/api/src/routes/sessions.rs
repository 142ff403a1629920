//! Sessions.

use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Params;
use crate::params::{NoParams, SessionParams};
use crate::problem::Problem;
use crate::schemas::{SessionDetail, SessionList};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use index::{DecisionFilter, Page, SessionFilter, Sort};
use std::sync::Arc;

/// Lists sessions, last active first.
#[utoipa::path(
    get, path = "/api/v1/audit/sessions", tag = "sessions", params(SessionParams),
    responses((status = 200, description = "A page of sessions.", body = SessionList))
)]
pub(crate) async fn sessions(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params { params, text }: Params<SessionParams>,
) -> Result<Json<SessionList>, Problem> {
    let (filter, page) = params.filter(&caller.sight())?;
    let (found, status) =
        shared.query(move |index| Ok((index.sessions(&filter, &page)?, index.status()?))).await?;
    let note = Note::done("sessions").filter(text.as_deref()).records(found.items.len());
    shared.record(&caller, note).await?;
    Ok(Json(SessionList {
        items: found.items,
        next_cursor: found.next_cursor,
        as_of: found.as_of.map(|cursor| cursor.to_string()),
        index_lag_ms: shared.index_lag_ms(status.newest_ts),
    }))
}

/// One session with its decisions.
#[utoipa::path(
    get, path = "/api/v1/audit/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "The session.")),
    responses((status = 200, description = "The session.", body = SessionDetail))
)]
pub(crate) async fn session(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Params<NoParams>,
) -> Result<Json<SessionDetail>, Problem> {
    let sight = caller.sight();
    let filter = DecisionFilter {
        session_id: Some(id.clone()),
        source: sight.source.clone(),
        user_id: sight.user_id.clone(),
        sort: Sort::Oldest,
        ..DecisionFilter::default()
    };
    // Sums are over what the caller sees of the session, and over nothing else.
    let of =
        SessionFilter { source: sight.source, user_id: sight.user_id, ..SessionFilter::default() };
    let session_id = id.clone();
    let (seen, is_there) = shared
        .query(move |index| {
            let Some(session) = index.session(&session_id, &of)? else {
                return Ok((
                    None,
                    index.session(&session_id, &SessionFilter::default())?.is_some(),
                ));
            };
            Ok((Some((session, index.list(&filter, &Page::default())?)), true))
        })
        .await?;
    let Some((session, page)) = seen else {
        let problem = Problem::not_found("there is no session with this id that you may see");
        let note = if is_there { Note::denied("session") } else { Note::failed("session") };
        return Err(shared.failed(&caller, note.target(id), problem).await);
    };
    let note = Note::done("session").target(id).records(page.items.len());
    shared.record(&caller, note).await?;
    Ok(Json(SessionDetail { session, items: page.items, next_cursor: page.next_cursor }))
}
