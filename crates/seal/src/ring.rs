//! The key store as callers see it.

use crate::shared::Shared;
use crate::store::Store;
use crate::writer::{self, Command, Create};
use crate::{Error, KeyClass, KeyId, KeyProvider, Result, SubjectKey};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Creations that may wait; more callers wait for room.
const QUEUE_KEYS_MAX: usize = 4096;

/// How to open a [`KeyRing`].
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Unwrapped keys kept in memory at most.
    pub cache_keys_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_keys_max: 65_536 }
    }
}

/// Figures since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Keys created.
    pub created: u64,
    /// Transactions that created or looked for keys.
    pub transactions: u64,
}

/// Subject keys: found, or created durably, by class and name; found by id for reading.
pub struct KeyRing {
    shared: Arc<Shared>,
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl KeyRing {
    /// Opens the store for reading and creating keys; makes it where there is none.
    ///
    /// # Errors
    /// [`Error::WrongKek`] where the provider is not the store's, [`Error::NewerFormat`], or what
    /// the file system says.
    pub fn open(path: &Path, provider: Arc<dyn KeyProvider>, options: Options) -> Result<Self> {
        let store = Store::open(path, provider.check()?)?;
        let shared = Arc::new(Shared::new(path, provider, options.cache_keys_max)?);
        let (commands, mut receiver) = mpsc::channel(QUEUE_KEYS_MAX);
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name("subject-keys".to_owned())
            .spawn(move || writer::run(&store, &theirs, &mut receiver))
            .map_err(|error| Error::io(path, &error))?;
        Ok(Self { shared, commands: Some(commands), thread: Some(thread) })
    }

    /// Opens the store for reading only, beside a running server or without one.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where there is no store.
    pub fn open_read_only(path: &Path, provider: Arc<dyn KeyProvider>) -> Result<Self> {
        let shared = Arc::new(Shared::new(path, provider, Options::default().cache_keys_max)?);
        Ok(Self { shared, commands: None, thread: None })
    }

    /// The key, where it is in memory.
    pub fn cached(&self, class: KeyClass, name: &str) -> Option<Arc<SubjectKey>> {
        self.shared.by_name.get(&self.shared.lookup(class, name))
    }

    /// The key, created where there is none. It is durable when this returns.
    ///
    /// # Errors
    /// Where it could not be made durable; nothing may be sealed then.
    pub async fn get_or_create(&self, class: KeyClass, name: &str) -> Result<Arc<SubjectKey>> {
        let lookup = self.shared.lookup(class, name);
        if let Some(key) = self.shared.by_name.get(&lookup) {
            return Ok(key);
        }
        let commands = self.commands.as_ref().ok_or(Error::ReadOnly)?;
        let (reply, answer) = oneshot::channel();
        commands.send(Command::Create(Create { class, lookup, reply })).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// The key of a name, where it has one. Never creates.
    ///
    /// # Errors
    /// Where the store or the provider fails.
    pub fn find(&self, class: KeyClass, name: &str) -> Result<Option<Arc<SubjectKey>>> {
        let lookup = self.shared.lookup(class, name);
        if let Some(key) = self.shared.by_name.get(&lookup) {
            return Ok(Some(key));
        }
        let reader = self.shared.lock_reader();
        let Some(row) = reader.by_lookup(&lookup)? else { return Ok(None) };
        let key = self.shared.unwrap(row.id, &row.wrapped)?;
        self.shared.remember(Some(lookup), &key);
        Ok(Some(key))
    }

    /// The key with this id.
    ///
    /// # Errors
    /// [`Error::Erased`], [`Error::Unknown`], or what the store or the provider says.
    pub fn by_id(&self, id: KeyId) -> Result<Arc<SubjectKey>> {
        if let Some(key) = self.shared.by_id.get(&id) {
            return Ok(key);
        }
        let reader = self.shared.lock_reader();
        let key = self.shared.unwrap(id, &reader.by_id(id)?)?;
        self.shared.remember(None, &key);
        Ok(key)
    }

    /// Destroys the key of a name and leaves a tombstone, in one transaction; gives its id, or
    /// none where the name has no key. Copies of the store are the caller's concern.
    ///
    /// # Errors
    /// Where it is not certain that nothing is left on disk: call again then.
    pub async fn erase(&self, class: KeyClass, name: &str) -> Result<Option<KeyId>> {
        let commands = self.commands.as_ref().ok_or(Error::ReadOnly)?;
        let (reply, answer) = oneshot::channel();
        commands.send(Command::Erase(self.shared.lookup(class, name), reply)).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Figures since the start.
    pub fn stats(&self) -> Stats {
        Stats {
            created: self.shared.created.load(Ordering::Relaxed),
            transactions: self.shared.transactions.load(Ordering::Relaxed),
        }
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already seen by whoever waited for an answer.
            let _joined = thread.join();
        }
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
