//! Who may use a token, in memory.

use crate::identity::IdentityStore;
use crate::{Result, User};
use event::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Who may use a token is known without reading the store.
#[derive(Default)]
pub(crate) struct Directory {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// By id.
    users: HashMap<String, Arc<User>>,
    /// The user's id by the session's.
    sessions: HashMap<String, String>,
}

impl Directory {
    pub(crate) fn load(&self, store: &dyn IdentityStore) -> Result<()> {
        let users = store.accounts()?.into_iter().map(|account| account.user);
        let users = users.map(|user| (user.id.clone(), Arc::new(user))).collect();
        let sessions = store.sessions(Timestamp::now())?.into_iter();
        let sessions = sessions.map(|session| (session.id, session.user_id)).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { users, sessions };
        Ok(())
    }

    /// The user whose session this is.
    pub(crate) fn find(&self, session_id: &str, user_id: &str) -> Option<Arc<User>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.sessions.get(session_id).filter(|owner| *owner == user_id)?;
        known.users.get(user_id).filter(|user| user.disabled_at.is_none()).cloned()
    }
}
