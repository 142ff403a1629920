//! Who calls, and what of the audit they may see.

use crate::machine;
use crate::problem::Problem;
use crate::roles::{Action, Grant};
use crate::serve::Peer;
use axum::extract::FromRequestParts;
use control::{ApiKey, Signed};
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
    /// How much of what was asked for the caller gets; never nothing.
    pub grant: Grant,
}

/// How a caller is known.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// Somebody on this machine, over the control socket.
    Operator,
    /// A person who signed in.
    User(Signed),
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
            Who::User(signed) => signed.user.username.clone(),
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

    /// The end user of decisions whom the caller stands for.
    pub(crate) fn identity(&self) -> Option<&str> {
        match &self.who {
            Who::User(signed) => Some(signed.user.identity()),
            _ => None,
        }
    }

    /// The session that the caller is in.
    pub(crate) fn signed(&self) -> Result<&Signed, Problem> {
        match &self.who {
            Who::User(signed) => Ok(signed),
            _ => Err(Problem::invalid("only people who signed in have an account and sessions")),
        }
    }

    /// Whether the caller may do this, too.
    pub(crate) fn may(&self, action: Action) -> bool {
        self.who.grant(action) == Grant::All
    }

    /// Role, as accesses record it.
    pub(crate) fn role(&self) -> &'static str {
        match &self.who {
            Who::Operator => "operator",
            Who::User(signed) => signed.user.role.as_str(),
            Who::Key(_) => "api_key",
        }
    }

    /// The end user whose decisions are all that the caller sees; none: it is not bound to one.
    pub(crate) fn own_user(&self) -> Option<&str> {
        match &self.who {
            Who::User(signed) if self.grant != Grant::All => Some(signed.user.identity()),
            _ => None,
        }
    }

    /// The source whose decisions are all that the caller sees; none: it is not bound to one.
    pub(crate) fn own_source(&self) -> Option<&str> {
        match &self.who {
            Who::Key(key) => key.source.as_deref(),
            _ => None,
        }
    }

    /// Both of these.
    pub(crate) fn sight(&self) -> Sight {
        Sight {
            user_id: self.own_user().map(str::to_owned),
            source: self.own_source().map(str::to_owned),
        }
    }
}

// === impl Who ===

impl Who {
    /// How much of what an action is about it gets.
    pub(crate) fn grant(&self, action: Action) -> Grant {
        match self {
            Self::Operator => Grant::All,
            Self::User(signed) => action.rule().of_role(signed.user.role),
            Self::Key(key) => action.rule().of_scopes(&key.scopes),
        }
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
