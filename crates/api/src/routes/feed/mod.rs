//! The live feed, over a WebSocket and as server-sent events.

mod params;
mod socket;
mod stream;
mod telling;

use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Params;
use crate::feed::{FeedMessage, FeedTicket, Presented, TICKET_GOOD};
use crate::params::NoParams;
use crate::problem::Problem;
use crate::serve::Stopping;
use crate::state::Shared;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, header};
use params::FeedParams;
use std::sync::Arc;
use telling::Telling;

/// The header with which a browser says where it was when it asks for events again.
const LAST_EVENT_ID: &str = "last-event-id";

/// Decisions as they end, over a WebSocket. Browsers pass a ticket, and must come from the same
/// origin. The server sends texts; it takes none: more than a few messages a second end the feed.
#[utoipa::path(
    get, path = "/ws/feed", tag = "feed", params(FeedParams),
    responses(
        (status = 101, description = "A WebSocket; each text is a message.", body = FeedMessage<'static>),
        (status = 426, description = "Not a WebSocket's handshake.", body = Problem,
            content_type = "application/problem+json")
    )
)]
pub(crate) async fn socket(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    presented: Extension<Presented>,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    Params { params, .. }: Params<FeedParams>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    check_origin(&shared, &caller, &headers).await?;
    let upgrade = upgrade.map_err(|rejection| {
        let detail =
            format!("{}; this route speaks WebSocket over HTTP/1.1", rejection.body_text());
        Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
    })?;
    let telling = Telling::open(&shared, caller, presented.0, params, None).await?;
    let stopping = stopping.map(|stopping| stopping.0);
    Ok(upgrade
        .max_message_size(socket::MESSAGE_BYTES_MAX)
        .max_frame_size(socket::MESSAGE_BYTES_MAX)
        .on_upgrade(|socket| socket::run(socket, telling, stopping)))
}

/// Decisions as they end, as server-sent events: the event is the message's type, its id the
/// cursor. `Last-Event-ID` goes before `since`.
#[utoipa::path(
    get, path = "/api/v1/feed", tag = "feed", params(FeedParams),
    responses((
        status = 200, description = "Events; the data of each is a message.", body = FeedMessage<'static>,
        content_type = "text/event-stream"
    ))
)]
pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    presented: Extension<Presented>,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    Params { params, .. }: Params<FeedParams>,
) -> Result<Response, Problem> {
    check_origin(&shared, &caller, &headers).await?;
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let telling = Telling::open(&shared, caller, presented.0, params, last).await?;
    let body = stream::body(telling, stopping.map(|stopping| stopping.0));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

/// A ticket that opens the feed once, within 30 seconds, as whoever asks for it.
#[utoipa::path(
    post, path = "/api/v1/feed/tickets", tag = "feed",
    responses((status = 201, description = "The ticket.", body = FeedTicket))
)]
pub(crate) async fn ticket(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    presented: Extension<Presented>,
    _: Params<NoParams>,
) -> Result<(StatusCode, Json<FeedTicket>), Problem> {
    let ticket = shared.tickets.give(presented.0).ok_or_else(Problem::busy)?;
    shared.record(&caller, Note::done("feed_ticket")).await?;
    Ok((StatusCode::CREATED, Json(FeedTicket { ticket, expires_in: TICKET_GOOD.as_secs() })))
}

/// A page of somewhere else may not listen with what a browser knows.
async fn check_origin(
    shared: &Shared,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let from = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, at)| at);
    if from.is_some() && from == host {
        return Ok(());
    }
    shared.record(caller, Note::denied("feed")).await?;
    Err(Problem::forbidden("the page that asks is of another origin than this server"))
}
