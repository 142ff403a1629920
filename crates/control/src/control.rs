//! The control store as callers see it: keys.

use crate::attempts::Attempts;
use crate::directory::Directory;
use crate::identity::{IdentityStore, SqliteIdentity};
use crate::meters::{Meter, Meters};
use crate::table::Table;
use crate::tokens::Tokens;
use crate::{ApiKey, CreatedKey, DayUse, NewKey, Result, passwords};
use event::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// People, their sessions, and API keys. Shared between threads.
pub struct Control {
    pub(crate) store: Box<dyn IdentityStore>,
    /// Held while the store changes, until what is known in memory has changed, too.
    changing: Mutex<()>,
    keys: Table,
    meters: Meters,
    pub(crate) directory: Directory,
    pub(crate) tokens: Tokens,
    pub(crate) attempts: Attempts,
    pub(crate) decoy: String,
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
    /// [`crate::Error::NewerFormat`], or what the file system says.
    pub fn open(path: &Path) -> Result<Self> {
        Self::over(Box::new(SqliteIdentity::open(path)?))
    }

    /// Over a store.
    ///
    /// # Errors
    /// What the store says.
    pub fn over(store: Box<dyn IdentityStore>) -> Result<Self> {
        let control = Self {
            tokens: Tokens::load(&*store)?,
            meters: Meters::load(&*store)?,
            directory: Directory::default(),
            store,
            changing: Mutex::default(),
            keys: Table::default(),
            attempts: Attempts::default(),
            decoy: passwords::hash(&passwords::new_password()?)?,
        };
        control.load_keys()?;
        control.directory.load(&*control.store)?;
        Ok(control)
    }

    /// The live key that was presented. From memory; fast.
    pub fn authenticate(&self, presented: &str) -> Option<Arc<ApiKey>> {
        self.keys.find(presented, Timestamp::now())
    }

    /// Counts the use of a key. From memory; saved by [`Self::flush`].
    pub fn meter(&self, key_id: &str) -> Arc<Meter> {
        self.meters.of(key_id)
    }

    /// What the live keys have used of the day, where it is counted.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn key_use(&self, today: Timestamp) -> Result<Vec<(ApiKey, DayUse)>> {
        let mut used = self.meters.used(today);
        let mut keys = self.list_keys()?;
        keys.retain(|key| key.is_live(today));
        let with_use = keys.into_iter().filter_map(|key| {
            let used = used.remove(&key.id)?;
            Some((key, used))
        });
        Ok(with_use.collect())
    }

    /// Makes a key; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// Where no scope is given, the source is not allowed, or the store fails.
    pub fn create_key(&self, new: NewKey) -> Result<CreatedKey> {
        let created = CreatedKey::new(new, None)?;
        self.change_keys(|store| store.add_key(&created.stored()))?;
        Ok(created)
    }

    /// Makes a key like this one, which then ends after `overlap` (zero: at once).
    ///
    /// # Errors
    /// [`crate::Error::NotFound`], [`crate::Error::KeyEnded`], or where the store fails.
    pub fn rotate_key(&self, id: &str, overlap: Duration) -> Result<CreatedKey> {
        let created = self.change_keys(|store| {
            let old = store.keys()?.into_iter().map(|stored| stored.key).find(|key| key.id == id);
            let missing = || crate::Error::NotFound { what: "key", id: id.to_owned() };
            let old = old.ok_or_else(missing)?;
            let created = CreatedKey::new(old.successor(), Some(id))?;
            let ends = crate::sessions::after(created.key.created_at, overlap);
            store.replace_key(id, ends, &created.stored())?;
            Ok(created)
        })?;
        if !created.key.limits.is_none() {
            self.meters.inherit(id, &created.key.id);
        }
        Ok(created)
    }

    /// Revokes a key, at once and for good.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`], or where the store fails.
    pub fn revoke_key(&self, id: &str) -> Result<ApiKey> {
        self.change_keys(|store| store.revoke_key(id, Timestamp::now()))
    }

    /// The first of the keys that were rotated into this one: itself, where none was.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`], or where the store fails.
    pub fn first_key(&self, id: &str) -> Result<String> {
        let keys = self.store.keys()?;
        let before: HashMap<_, _> = keys
            .iter()
            .map(|stored| (stored.key.id.as_str(), stored.key.rotated_from.as_deref()))
            .collect();
        let mut first = id;
        let missing = || crate::Error::NotFound { what: "key", id: id.to_owned() };
        // As many steps as there are keys: a circle, which nobody makes, ends too.
        for _ in 0..keys.len() {
            match before.get(first).ok_or_else(missing)? {
                Some(older) if before.contains_key(older) => first = older,
                _ => break,
            }
        }
        if keys.is_empty() { Err(missing()) } else { Ok(first.to_owned()) }
    }

    /// All keys, newest first, ended ones too.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn list_keys(&self) -> Result<Vec<ApiKey>> {
        self.save_used()?;
        Ok(self.store.keys()?.into_iter().map(|stored| stored.key).collect())
    }

    /// Saves how much keys were used, and when last. Call it now and then, and at the end.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn flush(&self) -> Result<()> {
        self.save_used()?;
        self.meters.save(&*self.store)
    }

    /// Nothing else changes meanwhile.
    pub(crate) fn alone(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_keys<T>(&self, change: impl FnOnce(&dyn IdentityStore) -> Result<T>) -> Result<T> {
        let _alone = self.alone();
        self.save_used()?;
        let done = change(&*self.store)?;
        self.load_keys()?;
        Ok(done)
    }

    fn load_keys(&self) -> Result<()> {
        let now = Timestamp::now();
        let mut keys = self.store.keys()?;
        keys.retain(|stored| stored.key.is_live(now));
        self.keys.replace(keys);
        Ok(())
    }

    fn save_used(&self) -> Result<()> {
        let used = self.keys.take_used();
        if used.is_empty() { Ok(()) } else { self.store.keys_used(&used) }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The time of last use is a courtesy; losing a minute of it harms nobody.
        let _flushed = self.flush();
    }
}
