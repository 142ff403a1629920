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
use control::KeyLimits;
use http::{HeaderValue, Uri, header};
use std::sync::Arc;
use std::time::Instant;

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
            Err(problem) => return not_kept(problem.into_response(), open),
        };
        let peer = request.extensions().get().copied().unwrap_or_default();
        match admitted(&gate, who, peer).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                request.extensions_mut().insert(presented);
            }
            Err(problem) => return not_kept(problem.into_response(), open),
        }
    }
    not_kept(next.run(request).await, open)
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
    within_limits(&gate.shared, &caller).await?;
    if let Who::User(signed) = &caller.who
        && signed.user.must_change_password
        && !gate.action.with_any_password()
    {
        gate.shared.record(&caller, Note::denied(rule.name)).await?;
        return Err(Problem::password_change_required());
    }
    if grant != Grant::No {
        return Ok(caller);
    }
    gate.shared.record(&caller, Note::denied(rule.name)).await?;
    Err(Problem::forbidden(format!("not with this credential. {}", rule.about())))
}

/// Refuses callers that ask faster than they may.
async fn within_limits(shared: &Shared, caller: &Caller) -> Result<(), Problem> {
    let (who, limits) = match &caller.who {
        Who::Operator => return Ok(()),
        Who::User(signed) => (&signed.user.id, shared.settings.user_limits),
        Who::Key(key) => (&key.id, key.limits.or(&shared.settings.key_limits)),
    };
    // Quotas of a day are the gateway's business.
    let limits = KeyLimits { rate: limits.rate, burst: limits.burst, ..KeyLimits::default() };
    if limits.is_none() {
        return Ok(());
    }
    let Err(refused) = shared.throttle.admit(who, &limits, Instant::now()) else { return Ok(()) };
    if refused.noted {
        shared.record(caller, Note::denied("rate_limited")).await?;
    }
    Err(Problem::too_many_requests(refused.retry_after))
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

/// Nothing of the audit may stay in a cache.
fn not_kept(mut response: Response, open: bool) -> Response {
    let headers = response.headers_mut();
    if !open || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
