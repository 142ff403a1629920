//! The store's own thread: gathers what waits, commits once, answers all.

use crate::shared::Shared;
use crate::store::{Lookup, Store};
use crate::{Error, KeyClass, KeyId, Result, SubjectKey, kdf};
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::{mpsc, oneshot};

/// Creations in one transaction at most.
const BATCH_KEYS_MAX: usize = 1024;

pub(crate) enum Command {
    Create(Create),
    Erase(Lookup, oneshot::Sender<Result<Option<KeyId>>>),
}

pub(crate) struct Create {
    pub class: KeyClass,
    pub lookup: Lookup,
    pub reply: oneshot::Sender<Result<Arc<SubjectKey>>>,
}

/// Serves commands until the last sender is gone.
pub(crate) fn run(store: &Store, shared: &Shared, commands: &mut mpsc::Receiver<Command>) {
    let mut batch = Vec::new();
    while let Some(command) = commands.blocking_recv() {
        let mut erase = take(command, &mut batch);
        while erase.is_none() && batch.len() < BATCH_KEYS_MAX {
            let Ok(command) = commands.try_recv() else { break };
            erase = take(command, &mut batch);
        }
        if !batch.is_empty() {
            create_all(store, shared, &mut batch);
        }
        if let Some((lookup, reply)) = erase {
            // Nobody waits any more: the erasure stands all the same.
            let _sent = reply.send(erase_one(store, shared, &lookup));
        }
    }
}

type Erasure = (Lookup, oneshot::Sender<Result<Option<KeyId>>>);

fn take(command: Command, batch: &mut Vec<Create>) -> Option<Erasure> {
    match command {
        Command::Create(create) => {
            batch.push(create);
            None
        }
        Command::Erase(lookup, reply) => Some((lookup, reply)),
    }
}

fn create_all(store: &Store, shared: &Shared, batch: &mut Vec<Create>) {
    let made = store.transaction(|store| {
        let mut keys = Vec::with_capacity(batch.len());
        for create in &*batch {
            keys.push(find_or_make(store, shared, create)?);
        }
        Ok(keys)
    });
    shared.transactions.fetch_add(1, Ordering::Relaxed);
    match made {
        Ok(keys) => {
            for (create, (key, new)) in batch.drain(..).zip(keys) {
                shared.created.fetch_add(u64::from(new), Ordering::Relaxed);
                shared.remember(Some(create.lookup), &key);
                // The caller has gone away: the key stays, it is found next time.
                let _sent = create.reply.send(Ok(key));
            }
        }
        Err(error) => {
            for create in batch.drain(..) {
                let _sent = create.reply.send(Err(error.clone()));
            }
        }
    }
}

fn find_or_make(
    store: &Store,
    shared: &Shared,
    create: &Create,
) -> Result<(Arc<SubjectKey>, bool)> {
    if let Some(row) = store.by_lookup(&create.lookup)? {
        return Ok((shared.unwrap(row.id, &row.wrapped)?, false));
    }
    let mut id = [0; 16];
    kdf::fill(&mut id)?;
    let id = KeyId::from(id);
    let secret = kdf::random_secret()?;
    let wrapped = shared.provider.wrap(id.as_bytes(), &secret)?;
    store.insert(create.class, &create.lookup, id, &wrapped)?;
    Ok((Arc::new(SubjectKey::new(id, secret)), true))
}

fn erase_one(store: &Store, shared: &Shared, lookup: &Lookup) -> Result<Option<KeyId>> {
    // Held until the cache is purged: a reader must not bring the key back into it.
    let _reading = shared.lock_reader();
    let erased = store.transaction(|store| {
        let Some(row) = store.by_lookup(lookup)? else { return Ok(None) };
        store.erase(row.id)?;
        Ok(Some(row.id))
    })?;
    if let Some(id) = erased {
        shared.forget(lookup, id);
    }
    // Also where nothing was found: an earlier attempt may have ended between the two steps.
    store.empty_log()?;
    Ok(erased)
}

impl From<mpsc::error::SendError<Command>> for Error {
    fn from(_: mpsc::error::SendError<Command>) -> Self {
        Self::Closed
    }
}
