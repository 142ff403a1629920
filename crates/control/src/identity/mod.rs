//! What keeps people, sessions, signing keys and API keys.

mod sqlite;

pub use sqlite::SqliteIdentity;

use crate::Result;
use crate::keys::{ApiKey, StoredKey};
use crate::limits::DayUse;
use crate::secret::Digest;
use crate::sessions::{Refresh, Session, Turn, Which};
use crate::users::{Account, AccountChange};
use event::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// A key that signs access tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id: `kid` of the tokens.
    pub id: String,
    /// Ed25519 seed.
    pub seed: Zeroizing<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A store of the control plane. Every call is one transaction: done whole or not at all, and
/// durable when it returns. The contract suite (`contract`, feature `testing`) says the rest.
pub trait IdentityStore: fmt::Debug + Send + Sync {
    // --- people ---

    /// Everybody, by name.
    fn accounts(&self) -> Result<Vec<Account>>;
    /// Who has this name, whatever the case of its letters.
    fn account(&self, username: &str) -> Result<Option<Account>>;
    /// Adds one; [`crate::Error::Exists`] where the name is taken.
    fn add_account(&self, account: &Account) -> Result<()>;
    /// Changes one, and ends the sessions whose tokens no longer say the truth (see
    /// [`crate::UserChange::ends_sessions`]) but for `keep`. The last enabled administrator stays
    /// one.
    fn change_account(
        &self,
        id: &str,
        change: &AccountChange,
        keep: Option<&str>,
        now: Timestamp,
    ) -> Result<Account>;

    // --- sessions ---

    /// Opens a session for an account that is still as it was found; false where it is not. The
    /// oldest sessions of the account end where there would be more than `sessions_max`.
    fn open_session(
        &self,
        account: &Account,
        session: &Session,
        refresh: &Refresh,
        sessions_max: usize,
    ) -> Result<bool>;
    /// All that have not ended, oldest first.
    fn sessions(&self, now: Timestamp) -> Result<Vec<Session>>;
    /// Takes a refresh token and puts the next one in its place. One that was used before ends its
    /// session.
    fn turn(&self, presented: &Digest, next: &Refresh, now: Timestamp) -> Result<Turn>;
    /// Ends sessions, and says how many.
    fn end_sessions(&self, which: &Which<'_>) -> Result<usize>;

    // --- keys that sign ---

    /// All of them, oldest first.
    fn signing_keys(&self) -> Result<Vec<SigningKey>>;
    /// Adds one, and drops those that were made before.
    fn add_signing_key(&self, key: &SigningKey, drop_before: Timestamp) -> Result<()>;

    // --- API keys ---

    /// All of them, newest first.
    fn keys(&self) -> Result<Vec<StoredKey>>;
    /// Adds one.
    fn add_key(&self, key: &StoredKey) -> Result<()>;
    /// Adds one that stands for another, which ends then; [`crate::Error::KeyEnded`] where that
    /// one has ended already.
    fn replace_key(&self, old: &str, ends: Timestamp, key: &StoredKey) -> Result<()>;
    /// Revokes one; a second time changes nothing.
    fn revoke_key(&self, id: &str, now: Timestamp) -> Result<ApiKey>;
    /// Notes when keys were last used.
    fn keys_used(&self, used: &[(String, Timestamp)]) -> Result<()>;
    /// What keys used of their day's quotas.
    fn key_use(&self) -> Result<Vec<(String, DayUse)>>;
    /// Saves that.
    fn save_key_use(&self, used: &[(String, DayUse)]) -> Result<()>;
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}
