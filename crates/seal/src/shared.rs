//! What the callers and the store's thread share: the caches, the lookup key, the figures.

use crate::store::{Lookup, Store};
use crate::{Error, KeyClass, KeyId, KeyProvider, Result, SubjectKey};
use aws_lc_rs::hmac;
use quick_cache::sync::Cache;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the callers and the store's thread share.
pub(crate) struct Shared {
    pub provider: Arc<dyn KeyProvider>,
    pub created: AtomicU64,
    pub transactions: AtomicU64,
    names: hmac::Key,
    pub by_name: Cache<Lookup, Arc<SubjectKey>>,
    pub by_id: Cache<KeyId, Arc<SubjectKey>>,
    reader: Mutex<Store>,
}

impl Shared {
    pub(crate) fn new(
        path: &Path,
        provider: Arc<dyn KeyProvider>,
        cache_keys_max: usize,
    ) -> Result<Self> {
        let reader = Store::open_read_only(path, provider.check()?)?;
        let names = hmac::Key::new(hmac::HMAC_SHA256, provider.name_key()?.as_ref());
        Ok(Self {
            provider,
            created: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            names,
            by_name: Cache::new(cache_keys_max),
            by_id: Cache::new(cache_keys_max),
            reader: Mutex::new(reader),
        })
    }

    pub(crate) fn lookup(&self, class: KeyClass, name: &str) -> Lookup {
        let mut context = hmac::Context::with_key(&self.names);
        context.update(&[class.number(), 0]);
        context.update(name.as_bytes());
        let mut lookup = [0; 32];
        lookup.copy_from_slice(context.sign().as_ref());
        lookup
    }

    pub(crate) fn lock_reader(&self) -> MutexGuard<'_, Store> {
        // Reading leaves nothing half done, so a panic elsewhere is no reason to stop.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unwrap(&self, id: KeyId, wrapped: &[u8]) -> Result<Arc<SubjectKey>> {
        let secret = self.provider.unwrap(id.as_bytes(), wrapped).map_err(|error| match error {
            Error::Tampered => Error::DamagedKey { id },
            other => other,
        })?;
        Ok(Arc::new(SubjectKey::new(id, secret)))
    }

    pub(crate) fn remember(&self, lookup: Option<Lookup>, key: &Arc<SubjectKey>) {
        if let Some(lookup) = lookup {
            self.by_name.insert(lookup, key.clone());
        }
        self.by_id.insert(key.id(), key.clone());
    }

    pub(crate) fn forget(&self, lookup: &Lookup, id: KeyId) {
        self.by_name.remove(lookup);
        self.by_id.remove(&id);
    }
}
