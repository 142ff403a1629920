//! The store in `control.db`.

mod keys;
mod people;
mod sessions;

use super::{IdentityStore, SigningKey};
use crate::keys::StoredKey;
use crate::limits::DayUse;
use crate::secret::Digest;
use crate::sessions::{Refresh, Session, Turn, Which};
use crate::users::{Account, AccountChange};
use crate::{ApiKey, Result, store};
use event::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// People, sessions and keys in `control.db`.
pub struct SqliteIdentity {
    connection: Mutex<Connection>,
}

impl SqliteIdentity {
    /// Opens `control.db`, or makes it, mode 0600, and brings it to the newest format.
    ///
    /// # Errors
    /// [`crate::Error::NewerFormat`], or what the file system says.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { connection: Mutex::new(store::open(path)?) })
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        // Every change is a transaction, so a panic elsewhere left nothing half done.
        read(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = write(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

impl fmt::Debug for SqliteIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteIdentity").finish_non_exhaustive()
    }
}

impl IdentityStore for SqliteIdentity {
    fn accounts(&self) -> Result<Vec<Account>> {
        self.read(people::all)
    }

    fn account(&self, username: &str) -> Result<Option<Account>> {
        self.read(|connection| people::by_name(connection, username))
    }

    fn add_account(&self, account: &Account) -> Result<()> {
        self.write(|transaction| people::add(transaction, account))
    }

    fn change_account(
        &self,
        id: &str,
        change: &AccountChange,
        keep: Option<&str>,
        now: Timestamp,
    ) -> Result<Account> {
        self.write(|transaction| people::change(transaction, id, change, keep, now))
    }

    fn open_session(
        &self,
        account: &Account,
        session: &Session,
        refresh: &Refresh,
        sessions_max: usize,
    ) -> Result<bool> {
        self.write(|transaction| {
            sessions::open(transaction, account, session, refresh, sessions_max)
        })
    }

    fn sessions(&self, now: Timestamp) -> Result<Vec<Session>> {
        self.read(|connection| sessions::live(connection, now))
    }

    fn turn(&self, presented: &Digest, next: &Refresh, now: Timestamp) -> Result<Turn> {
        self.write(|transaction| sessions::turn(transaction, presented, next, now))
    }

    fn end_sessions(&self, which: &Which<'_>) -> Result<usize> {
        self.write(|transaction| sessions::end(transaction, which))
    }

    fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        self.read(sessions::signing_keys)
    }

    fn add_signing_key(&self, key: &SigningKey, drop_before: Timestamp) -> Result<()> {
        self.write(|transaction| sessions::add_signing_key(transaction, key, drop_before))
    }

    fn keys(&self) -> Result<Vec<StoredKey>> {
        self.read(keys::all)
    }

    fn add_key(&self, key: &StoredKey) -> Result<()> {
        self.write(|transaction| keys::insert(transaction, key))
    }

    fn replace_key(&self, old: &str, ends: Timestamp, key: &StoredKey) -> Result<()> {
        self.write(|transaction| keys::replace(transaction, old, ends, key))
    }

    fn revoke_key(&self, id: &str, now: Timestamp) -> Result<ApiKey> {
        self.write(|transaction| keys::revoke(transaction, id, now))
    }

    fn keys_used(&self, used: &[(String, Timestamp)]) -> Result<()> {
        self.write(|transaction| keys::used(transaction, used))
    }

    fn key_use(&self) -> Result<Vec<(String, DayUse)>> {
        self.read(keys::day_use)
    }

    fn save_key_use(&self, used: &[(String, DayUse)]) -> Result<()> {
        self.write(|transaction| keys::save_day_use(transaction, used))
    }
}
