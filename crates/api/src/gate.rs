//! Authentication and authorisation, in front of every handler.

use crate::audit::Note;
use crate::caller::{Caller, Who};
use crate::feed::Presented;
use crate::problem::Problem;
use crate::roles::{Action, Door, Grant};
use crate::serve::Peer;
use crate::state::Shared;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};
use std::sync::Arc;

/// What stands in front of one route.
#[derive(Clone)]
pub(crate) struct Gate {
    pub shared: Arc<Shared>,
    pub action: Action,
}

/// Lets a request through to its handler, with its caller, or refuses it.
pub(crate) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let open = match gate.action.rule().door {
        Door::Open => true,
        Door::Ledger => gate.shared.settings.ledger_public,
        Door::Closed => false,
    };
    if !open {
        let (who, presented) = match identified(&gate, &request) {
            Ok(known) => known,
            Err(problem) => return finish(problem.into_response(), open),
        };
        let peer = request.extensions().get().copied().unwrap_or_default();
        match admitted(&gate, who, peer).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                request.extensions_mut().insert(presented);
            }
            Err(problem) => return finish(problem.into_response(), open),
        }
    }
    finish(next.run(request).await, open)
}

/// Who asks, and what they showed.
fn identified(gate: &Gate, request: &Request) -> Result<(Who, Presented), Problem> {
    let socket_uid = match request.extensions().get() {
        Some(Peer::Socket { uid }) => Some(*uid),
        _ => None,
    };
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    let mut presented = Presented { authorization, socket_uid };
    let mut who = identify(&gate.shared, &presented);
    if who.is_none()
        && gate.action == Action::Feed
        && let Some(behind) = ticket(request.uri()).and_then(|text| gate.shared.tickets.take(text))
    {
        presented = behind;
        who = identify(&gate.shared, &presented);
    }
    Ok((who.ok_or_else(Problem::unauthenticated)?, presented))
}

async fn admitted(gate: &Gate, who: Who, peer: Peer) -> Result<Caller, Problem> {
    let rule = gate.action.rule();
    let grant = who.grant(gate.action);
    let caller = Caller { who, peer, grant };
    if grant != Grant::No {
        return Ok(caller);
    }
    gate.shared.record(&caller, Note::denied(rule.name)).await?;
    Err(Problem::forbidden(format!("not with this credential. {}", rule.about())))
}

/// The ticket in a query; tickets need no escapes.
fn ticket(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("ticket="))
}

/// Who shows this.
pub(crate) fn identify(shared: &Shared, presented: &Presented) -> Option<Who> {
    if presented.socket_uid.is_some() {
        return Some(Who::Operator);
    }
    let credential = presented.authorization.as_ref()?.to_str().ok()?;
    let (scheme, credential) = credential.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let credential = credential.trim();
    let control = &shared.parts.control;
    match control.authenticate(credential) {
        Some(key) => Some(Who::Key(key)),
        None => control.session(credential).map(Who::User),
    }
}

/// Nothing of the audit may stay in a cache or be taken for something that it is not.
fn finish(mut response: Response, open: bool) -> Response {
    let headers = response.headers_mut();
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if !open || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
