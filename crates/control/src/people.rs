//! The control store as callers see it: people and their sessions.

use crate::control::Control;
use crate::identity::IdentityStore;
use crate::sessions::{self, From, SESSION_IDLE, SESSIONS_MAX, Session, Turn, Which};
use crate::users::{Account, AccountChange};
use crate::{Error, LoginError, NewUser, RefreshError, Result, Role, User, UserChange, passwords};
use event::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

const ADMIN: &str = "admin";

/// A person, by a token that is still good.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Who.
    pub user: Arc<User>,
    /// In which session.
    pub session_id: String,
}

/// A person who signed in, or stays so.
#[derive(Clone)]
pub struct SignedIn {
    /// For an hour.
    pub access: crate::tokens::AccessToken,
    /// For the next one; good once.
    pub refresh: Zeroizing<String>,
    /// Seconds for which the refresh token is good.
    pub refresh_expires_in_s: u64,
    /// The session.
    pub session_id: String,
    /// Who it is.
    pub user: User,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

impl Control {
    /// Makes the user `admin` where there is no administrator. Gives the password where it made
    /// one up: show it once.
    ///
    /// # Errors
    /// Where the given password is too weak, or the store fails.
    pub fn ensure_admin(&self, password: Option<&str>) -> Result<Option<Zeroizing<String>>> {
        if self.users()?.iter().any(|user| user.role == Role::Admin) {
            return Ok(None);
        }
        let made_up = match password {
            Some(_) => None,
            None => Some(passwords::new_password()?),
        };
        let password = password.or(made_up.as_ref().map(|text| text.as_str())).unwrap_or_default();
        let new = NewUser {
            username: ADMIN,
            password,
            role: Role::Admin,
            user_id: None,
            must_change_password: false,
        };
        self.create_user(&new)?;
        Ok(made_up)
    }

    // --- signing in ---

    /// Signs a person in.
    ///
    /// # Errors
    /// [`LoginError::Refused`], [`LoginError::TooMany`], or where the store fails.
    pub fn login(
        &self,
        username: &str,
        password: &str,
        from: From<'_>,
    ) -> std::result::Result<SignedIn, LoginError> {
        let account = self.proven(username, password, from.address)?;
        let now = Timestamp::now();
        let session = Session::new(&account.user.id, from, now);
        let (refresh, stored) = sessions::new_refresh(now)?;
        let _alone = self.alone();
        if !self.store.open_session(&account, &session, &stored, SESSIONS_MAX)? {
            // Changed or disabled while the password was checked.
            return Err(LoginError::Refused);
        }
        self.directory.load(&*self.store)?;
        Ok(self.signed_in(account.user, session, refresh, now)?)
    }

    /// Keeps a person signed in: takes a refresh token and gives the next one.
    ///
    /// # Errors
    /// [`RefreshError::Refused`]; [`RefreshError::Reused`], then the session was ended; or where
    /// the store fails.
    pub fn refresh(&self, presented: &str) -> std::result::Result<SignedIn, RefreshError> {
        let digest = sessions::digest_of(presented).ok_or(RefreshError::Refused)?;
        let now = Timestamp::now();
        let (refresh, stored) = sessions::new_refresh(now)?;
        let _alone = self.alone();
        let turn = self.store.turn(&digest, &stored, now)?;
        self.directory.load(&*self.store)?;
        let user = |session: &Session| self.directory.find(&session.id, &session.user_id);
        match turn {
            Turn::Turned(session) => {
                let user = user(&session).ok_or(RefreshError::Refused)?;
                Ok(self.signed_in(User::clone(&user), session, refresh, now)?)
            }
            Turn::Reused(session) => {
                let known = self.users()?.into_iter().find(|user| user.id == session.user_id);
                let username = known.map_or(session.user_id, |user| user.username);
                Err(RefreshError::Reused { username, session_id: session.id })
            }
            Turn::Unknown => Err(RefreshError::Refused),
        }
    }

    /// Whose token this is, where it is still good. From memory.
    pub fn session(&self, token: &str) -> Option<Signed> {
        let claims = self.tokens.check(token, Timestamp::now())?;
        let user = self.directory.find(&claims.sid, &claims.sub)?;
        Some(Signed { user, session_id: claims.sid })
    }

    /// The sessions of a user that have not ended, oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn sessions(&self, user_id: &str) -> Result<Vec<Session>> {
        let mut sessions = self.store.sessions(Timestamp::now())?;
        sessions.retain(|session| session.user_id == user_id);
        Ok(sessions)
    }

    /// Ends sessions at once, and says how many: their tokens hold no longer.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is one and it is not there, or where the store fails.
    pub fn end_sessions(&self, which: &Which<'_>) -> Result<usize> {
        let ended = self.change_people(|store| store.end_sessions(which))?;
        match which {
            Which::One { session_id, .. } if ended == 0 => {
                Err(Error::NotFound { what: "session", id: (*session_id).to_owned() })
            }
            _ => Ok(ended),
        }
    }

    /// Makes a new key sign access tokens, and gives its id. Tokens of earlier ones hold for as
    /// long as they do, or end at once; people stay signed in.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn rotate_signing_key(&self, end_earlier: bool) -> Result<String> {
        let _alone = self.alone();
        self.tokens.rotate(&*self.store, Timestamp::now(), end_earlier)
    }

    // --- people ---

    /// All users, by name.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn users(&self) -> Result<Vec<User>> {
        Ok(self.store.accounts()?.into_iter().map(|account| account.user).collect())
    }

    /// A user, by id or by name.
    ///
    /// # Errors
    /// [`Error::NotFound`], or where the store fails.
    pub fn user(&self, id_or_name: &str) -> Result<User> {
        let lower = id_or_name.to_lowercase();
        let fits = |user: &User| user.id == id_or_name || user.username.to_lowercase() == lower;
        let missing = || Error::NotFound { what: "user", id: id_or_name.to_owned() };
        self.users()?.into_iter().find(fits).ok_or_else(missing)
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Invalid`], or where the store fails.
    pub fn create_user(&self, new: &NewUser<'_>) -> Result<User> {
        let user = User::new(new)?;
        passwords::check(new.password, new.username)?;
        let account = Account { user, password_hash: passwords::hash(new.password)? };
        self.change_people(|store| store.add_account(&account))?;
        Ok(account.user)
    }

    /// Changes a user; where what tokens stand for changes, all sessions end.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LastAdmin`], [`Error::Invalid`], or where the store fails.
    pub fn change_user(&self, id_or_name: &str, change: UserChange) -> Result<User> {
        change.check()?;
        let id = self.user(id_or_name)?.id;
        let change = AccountChange { user: change, password: None };
        self.change_account(&id, &change, None)
    }

    /// Sets a password that its owner has to change at the next sign-in. All sessions end.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], or where the store fails.
    pub fn reset_password(&self, id_or_name: &str, password: &str) -> Result<User> {
        let user = self.user(id_or_name)?;
        passwords::check(password, &user.username)?;
        let password = Some((passwords::hash(password)?, true));
        let change = AccountChange { password, ..AccountChange::default() };
        self.change_account(&user.id, &change, None)
    }

    /// Changes one's own password. All other sessions end.
    ///
    /// # Errors
    /// [`LoginError::Refused`] where the current one is wrong, [`LoginError::TooMany`], or
    /// [`Error::Invalid`] where the new one is too weak or the same.
    pub fn change_password(
        &self,
        signed: &Signed,
        address: &str,
        current: &str,
        new: &str,
    ) -> std::result::Result<User, LoginError> {
        let account = self.proven(&signed.user.username, current, address)?;
        if current == new {
            let allowed = "another one than the current one";
            return Err(Error::Invalid { what: "the new password", allowed }.into());
        }
        passwords::check(new, &account.user.username)?;
        let password = Some((passwords::hash(new)?, false));
        let change = AccountChange { password, ..AccountChange::default() };
        Ok(self.change_account(&account.user.id, &change, Some(&signed.session_id))?)
    }

    // --- inside ---

    /// The account, where name and password are right and it is not held up.
    fn proven(
        &self,
        username: &str,
        password: &str,
        address: &str,
    ) -> std::result::Result<Account, LoginError> {
        let started = Instant::now();
        if let Some(retry_after_s) = self.attempts.wait_s(username, address, started) {
            return Err(LoginError::TooMany { retry_after_s });
        }
        let account = self.store.account(username)?;
        let account = account.filter(|account| account.user.disabled_at.is_none());
        let stored = account.as_ref().map(|account| account.password_hash.as_str());
        let fits = passwords::matches(password, stored, &self.decoy);
        let Some(account) = account.filter(|_| fits) else {
            self.attempts.failed(username, address, started);
            return Err(LoginError::Refused);
        };
        self.attempts.succeeded(username, address);
        Ok(account)
    }

    fn signed_in(
        &self,
        user: User,
        session: Session,
        refresh: Zeroizing<String>,
        now: Timestamp,
    ) -> Result<SignedIn> {
        let access = self.tokens.sign(&*self.store, &user.id, &session.id, now)?;
        let refresh_expires_in_s = SESSION_IDLE.as_secs();
        Ok(SignedIn { access, refresh, refresh_expires_in_s, session_id: session.id, user })
    }

    fn change_account(&self, id: &str, change: &AccountChange, keep: Option<&str>) -> Result<User> {
        let now = Timestamp::now();
        let account = self.change_people(|store| store.change_account(id, change, keep, now))?;
        Ok(account.user)
    }

    fn change_people<T>(&self, change: impl FnOnce(&dyn IdentityStore) -> Result<T>) -> Result<T> {
        let _alone = self.alone();
        let done = change(&*self.store)?;
        self.directory.load(&*self.store)?;
        Ok(done)
    }
}
