//! Who calls, and what of the audit they may see.

use crate::machine;
use crate::problem::Problem;
use crate::serve::Peer;
use axum::extract::FromRequestParts;
use control::{ApiKey, Role, Scope, User};
use event::Decision;
use http::request::Parts;
use index::EventRow;
use serde::Deserialize;
use std::sync::Arc;

/// An authenticated caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub who: Who,
    pub peer: Peer,
}

/// How a caller is known.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// Somebody on this machine, over the control socket.
    Operator,
    /// A person who signed in.
    User(Arc<User>),
    /// A program with a key.
    Key(Arc<ApiKey>),
}

/// What a caller may see; nothing set: everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    pub user_id: Option<String>,
    pub source: Option<String>,
}

// === impl Caller ===

impl Caller {
    /// Who did it, as accesses record it.
    pub(crate) fn actor(&self) -> String {
        match &self.who {
            Who::Operator => match self.peer {
                Peer::Socket { uid } => format!("uid:{uid}"),
                _ => "operator".to_owned(),
            },
            Who::User(user) => user.username.clone(),
            Who::Key(key) => key.id.clone(),
        }
    }

    /// Who gives a verdict: a person, known by the same name again.
    pub(crate) fn reviewer(&self) -> String {
        match (&self.who, self.peer) {
            (Who::Operator, Peer::Socket { uid }) => machine::user_name(uid),
            _ => self.actor(),
        }
    }

    /// Role, as accesses record it.
    pub(crate) fn role(&self) -> &'static str {
        match &self.who {
            Who::Operator => "operator",
            Who::User(user) => user.role.as_str(),
            Who::Key(_) => "api_key",
        }
    }

    pub(crate) fn sight(&self) -> Sight {
        match &self.who {
            Who::User(user) if user.role == Role::Viewer => {
                Sight { user_id: Some(user.username.clone()), source: None }
            }
            Who::Key(key) => Sight { user_id: None, source: key.source.clone() },
            Who::Operator | Who::User(_) => Sight::default(),
        }
    }

    pub(crate) fn may_read(&self) -> bool {
        match &self.who {
            Who::Operator | Who::User(_) => true,
            Who::Key(key) => key.allows(Scope::Read),
        }
    }

    pub(crate) fn has_role(&self, roles: &[Role]) -> bool {
        match &self.who {
            Who::Operator => true,
            Who::User(user) => roles.contains(&user.role),
            Who::Key(_) => false,
        }
    }

    pub(crate) const fn is_operator(&self) -> bool {
        matches!(self.who, Who::Operator)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Put there by the gate; without it nobody is known.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

// === impl Sight ===

impl Sight {
    pub(crate) fn sees(&self, decision: &Decision) -> bool {
        fits(self.user_id.as_deref(), decision.user_id.as_deref())
            && fits(self.source.as_deref(), decision.source.as_deref())
    }

    /// Whether an event may be shown: it names its decision's user and source.
    pub(crate) fn sees_event(&self, event: &EventRow) -> bool {
        #[derive(Deserialize)]
        struct Named {
            user_id: Option<String>,
            source: Option<String>,
        }
        if self.user_id.is_none() && self.source.is_none() {
            return true;
        }
        let Ok(named) = serde_json::from_str::<Named>(event.event_data.get()) else {
            return false;
        };
        fits(self.user_id.as_deref(), named.user_id.as_deref())
            && fits(self.source.as_deref(), named.source.as_deref())
    }

    /// The value to filter by: the caller's own wish, where it is within sight.
    pub(crate) fn narrow(
        limit: Option<&String>,
        wish: Option<String>,
        what: &str,
    ) -> Result<Option<String>, Problem> {
        match (limit, wish) {
            (None, wish) => Ok(wish),
            (Some(limit), None) => Ok(Some(limit.clone())),
            (Some(limit), Some(wish)) if *limit == wish => Ok(Some(wish)),
            (Some(limit), Some(_)) => Err(Problem::forbidden(format!(
                "only {what} {limit:?} may be read with this credential"
            ))),
        }
    }
}

fn fits(limit: Option<&str>, value: Option<&str>) -> bool {
    limit.is_none_or(|limit| value == Some(limit))
}
