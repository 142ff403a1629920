//! The control store as callers see it.

use crate::attempts::Attempts;
use crate::meters::{Meter, Meters};
use crate::table::Table;
use crate::tokens::Tokens;
use crate::users::Account;
use crate::{
    AccessToken, ApiKey, CreatedKey, LoginError, NewKey, Result, Role, User, keys, passwords,
    secret, store, users,
};
use event::Timestamp;
use rusqlite::Connection;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const ADMIN: &str = "admin";
/// Random bytes of a password that nobody chose.
const PASSWORD_BYTES: usize = 18;

/// Users and API keys. Shared between threads.
pub struct Control {
    connection: Mutex<Connection>,
    keys: Table,
    meters: Meters,
    /// By id: who may use a token is known without reading the file.
    accounts: RwLock<HashMap<String, (Arc<User>, i64)>>,
    tokens: Tokens,
    attempts: Attempts,
    decoy: String,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Opens `control.db`, or makes it, mode 0600.
    ///
    /// # Errors
    /// [`Error::NewerFormat`], or what the file system says.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = store::open(path)?;
        let control = Self {
            tokens: Tokens::load(&connection)?,
            meters: Meters::load(&connection)?,
            connection: Mutex::new(connection),
            keys: Table::default(),
            accounts: RwLock::default(),
            attempts: Attempts::default(),
            decoy: passwords::hash(&secret::random_text::<PASSWORD_BYTES>("")?)?,
        };
        let connection = control.lock();
        control.load_keys(&connection)?;
        control.load_accounts(&connection)?;
        drop(connection);
        Ok(control)
    }

    /// Makes the user `admin` where there is no user at all. Gives the password where it made
    /// one up: show it once.
    ///
    /// # Errors
    /// Where the given password is not allowed, or the store fails.
    pub fn ensure_admin(&self, password: Option<&str>) -> Result<Option<Zeroizing<String>>> {
        if !self.users()?.is_empty() {
            return Ok(None);
        }
        if let Some(password) = password {
            self.create_user(ADMIN, password, Role::Admin)?;
            return Ok(None);
        }
        let password = secret::random_text::<PASSWORD_BYTES>("")?;
        self.create_user(ADMIN, &password, Role::Admin)?;
        Ok(Some(password))
    }

    // --- keys ---

    /// The live key that was presented. From memory; fast.
    pub fn authenticate(&self, presented: &str) -> Option<Arc<ApiKey>> {
        self.keys.find(presented, Timestamp::now())
    }

    /// Counts the use of a key. From memory; saved by [`Self::flush`].
    pub fn meter(&self, key_id: &str) -> Arc<Meter> {
        self.meters.of(key_id)
    }

    /// Makes a key; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// Where no scope is given, the source is not allowed, or the store fails.
    pub fn create_key(&self, new: NewKey) -> Result<CreatedKey> {
        self.change_keys(|connection| keys::create(connection, new, None))
    }

    /// Makes a key like this one, which then ends after `overlap` (zero: at once).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::KeyEnded`], or where the store fails.
    pub fn rotate_key(&self, id: &str, overlap: Duration) -> Result<CreatedKey> {
        let created = self.change_keys(|connection| keys::rotate(connection, id, overlap))?;
        if !created.key.limits.is_none() {
            self.meters.inherit(id, &created.key.id);
        }
        Ok(created)
    }

    /// Revokes a key, at once and for good.
    ///
    /// # Errors
    /// [`Error::NotFound`], or where the store fails.
    pub fn revoke_key(&self, id: &str) -> Result<ApiKey> {
        self.change_keys(|connection| keys::revoke(connection, id))
    }

    /// All keys, newest first, ended ones too.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn list_keys(&self) -> Result<Vec<ApiKey>> {
        let connection = self.lock();
        self.save_used(&connection)?;
        Ok(keys::all(&connection)?.into_iter().map(|(_, key)| key).collect())
    }

    /// Saves how much keys were used, and when last. Call it now and then, and at the end.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn flush(&self) -> Result<()> {
        let connection = self.lock();
        self.save_used(&connection)?;
        self.meters.save(&connection)
    }

    // --- users ---

    /// Signs a person in. `from` is where the attempt came from.
    ///
    /// # Errors
    /// [`LoginError::Refused`], [`LoginError::TooMany`], or where the store fails.
    pub fn login(
        &self,
        username: &str,
        password: &str,
        from: &str,
    ) -> std::result::Result<AccessToken, LoginError> {
        let started = Instant::now();
        if let Some(retry_after_s) = self.attempts.wait_s(username, from, started) {
            return Err(LoginError::TooMany { retry_after_s });
        }
        let account = users::by_name(&self.lock(), username)?
            .filter(|account| account.user.disabled_at.is_none());
        let stored = account.as_ref().map(|account| account.password_hash.as_str());
        let fits = passwords::matches(password, stored, &self.decoy);
        let Some(account) = account.filter(|_| fits) else {
            self.attempts.failed(username, from, started);
            return Err(LoginError::Refused);
        };
        self.attempts.succeeded(username, from);
        let now = Timestamp::now();
        users::logged_in(&self.lock(), &account.user.id, now)?;
        Ok(self.tokens.sign(&account, now)?)
    }

    /// Whose token this is, where it is still good. From memory.
    pub fn session(&self, token: &str) -> Option<Arc<User>> {
        let claims = self.tokens.check(token, Timestamp::now())?;
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let (user, generation) = accounts.get(&claims.sub)?;
        (*generation == claims.generation && user.disabled_at.is_none()).then(|| user.clone())
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Invalid`], or where the store fails.
    pub fn create_user(&self, username: &str, password: &str, role: Role) -> Result<User> {
        let hash = passwords::hash(password)?;
        self.change_users(|connection| users::create(connection, username, &hash, role))
    }

    /// All users, by name.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn users(&self) -> Result<Vec<User>> {
        Ok(users::all(&self.lock())?.into_iter().map(|account| account.user).collect())
    }

    /// Changes a password and ends the user's tokens.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], or where the store fails.
    pub fn set_password(&self, username: &str, password: &str) -> Result<()> {
        self.change_users(|connection| users::set_password(connection, username, password))
    }

    /// Disables or enables a user and ends the user's tokens.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LastAdmin`], or where the store fails.
    pub fn set_disabled(&self, username: &str, disabled: bool) -> Result<()> {
        self.change_users(|connection| users::set_disabled(connection, username, disabled))
    }

    // --- inside ---

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Every change is a transaction, so a panic elsewhere left nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_keys<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.lock();
        self.save_used(&connection)?;
        let transaction = connection.transaction()?;
        let done = change(&transaction)?;
        transaction.commit()?;
        self.load_keys(&connection)?;
        Ok(done)
    }

    fn change_users<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let done = change(&transaction)?;
        transaction.commit()?;
        self.load_accounts(&connection)?;
        Ok(done)
    }

    fn load_keys(&self, connection: &Connection) -> Result<()> {
        let now = Timestamp::now();
        let mut keys = keys::all(connection)?;
        keys.retain(|(_, key)| key.is_live(now));
        self.keys.replace(keys);
        Ok(())
    }

    fn load_accounts(&self, connection: &Connection) -> Result<()> {
        let accounts = users::all(connection)?
            .into_iter()
            .map(|Account { user, token_generation, .. }| {
                (user.id.clone(), (Arc::new(user), token_generation))
            })
            .collect();
        *self.accounts.write().unwrap_or_else(PoisonError::into_inner) = accounts;
        Ok(())
    }

    fn save_used(&self, connection: &Connection) -> Result<()> {
        for (id, at) in self.keys.take_used() {
            keys::used(connection, &id, at)?;
        }
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The time of last use is a courtesy; losing a minute of it harms nobody.
        let _flushed = self.flush();
    }
}
