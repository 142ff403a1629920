//! Authentication and authorisation, in front of every handler.

use crate::audit::Note;
use crate::caller::{Caller, Who};
use crate::problem::Problem;
use crate::serve::Peer;
use crate::state::Shared;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use control::Role;
use http::{HeaderMap, HeaderValue, header};
use std::sync::Arc;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody; nothing of the audit is shown.
    Public,
    /// Anybody or whoever may read, by configuration.
    Ledger,
    /// Signed-in people, and keys with scope read; each sees what it may.
    Read,
    /// Administrators and compliance officers.
    Officer,
    /// Only over the control socket.
    Operator,
}

impl Access {
    /// Who that is, for people.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Public => "No credential is needed.",
            Self::Ledger => "Needs no credential where the ledger is configured as public.",
            Self::Read => {
                "For people who signed in and API keys with scope `read`; viewers see their own \
                 data, keys made for one source see that source's."
            }
            Self::Officer => "For administrators and compliance officers.",
            Self::Operator => "Only over the control socket of the data directory.",
        }
    }

    /// Whether a request without credentials gets through.
    fn is_open(self, shared: &Shared) -> bool {
        match self {
            Self::Public => true,
            Self::Ledger => shared.settings.ledger_public,
            Self::Read | Self::Officer | Self::Operator => false,
        }
    }

    fn admits(self, caller: &Caller) -> bool {
        match self {
            Self::Public => true,
            Self::Ledger | Self::Read => caller.may_read(),
            Self::Officer => caller.has_role(&[Role::Admin, Role::ComplianceOfficer]),
            Self::Operator => caller.is_operator(),
        }
    }
}

/// What stands in front of one route.
#[derive(Clone)]
pub(crate) struct Gate {
    pub shared: Arc<Shared>,
    pub access: Access,
    pub action: &'static str,
}

/// Lets a request through to its handler, with its caller, or refuses it.
pub(crate) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let open = gate.access.is_open(&gate.shared);
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
    let caller = Caller { who, peer };
    if gate.access.admits(&caller) {
        return Ok(caller);
    }
    gate.shared.record(&caller, Note::denied(gate.action)).await?;
    Err(Problem::forbidden(format!("not with this credential. {}", gate.access.about())))
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
