//! Authentication and authorisation, in front of every handler.

use crate::audit::Note;
use crate::caller::{Caller, Who};
use crate::problem::Problem;
use crate::roles::{Action, Door, Grant};
use crate::serve::Peer;
use crate::state::Shared;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
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
        match admitted(&gate, request.headers(), request.extensions().get()).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
            }
            Err(problem) => return finish(problem.into_response(), open),
        }
    }
    finish(next.run(request).await, open)
}

async fn admitted(
    gate: &Gate,
    headers: &HeaderMap,
    peer: Option<&Peer>,
) -> Result<Caller, Problem> {
    let peer = peer.copied().unwrap_or_default();
    let who = identify(&gate.shared, headers, peer).ok_or_else(Problem::unauthenticated)?;
    let rule = gate.action.rule();
    let grant = who.grant(gate.action);
    let caller = Caller { who, peer, grant };
    if grant != Grant::No {
        return Ok(caller);
    }
    gate.shared.record(&caller, Note::denied(rule.name)).await?;
    Err(Problem::forbidden(format!("not with this credential. {}", rule.about())))
}

fn identify(shared: &Shared, headers: &HeaderMap, peer: Peer) -> Option<Who> {
    if let Peer::Socket { .. } = peer {
        return Some(Who::Operator);
    }
    let credential = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
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
