//! The keys in memory, for the hot path.

use crate::ApiKey;
use crate::keys::StoredKey;
use crate::secret::{self, Digest};
use event::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Prefix and 43 characters of base64url; longer texts are not hashed.
const KEY_CHARS: usize = 49;
/// Use is noted to this precision, so that a busy key costs no writes.
const USED_STEP_US: i64 = 60_000_000;

#[derive(Debug)]
struct Entry {
    digest: Digest,
    key: Arc<ApiKey>,
    used_us: AtomicI64,
    saved_us: AtomicI64,
}

/// All live keys by their hash.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: RwLock<HashMap<Digest, Entry>>,
}

impl Table {
    pub(crate) fn replace(&self, keys: Vec<StoredKey>) {
        let entries = keys
            .into_iter()
            .map(|StoredKey { digest, key }| {
                let used = key.last_used_at.map_or(0, Timestamp::as_micros);
                let (used_us, saved_us) = (AtomicI64::new(used), AtomicI64::new(used));
                (digest, Entry { digest, key: Arc::new(key), used_us, saved_us })
            })
            .collect();
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
    }

    pub(crate) fn find(&self, presented: &str, now: Timestamp) -> Option<Arc<ApiKey>> {
        if presented.len() != KEY_CHARS || !presented.starts_with("al_") {
            return None;
        }
        let digest = secret::sha256(presented);
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(&digest)?;
        if !bool::from(entry.digest.ct_eq(&digest)) || !entry.key.is_live(now) {
            return None;
        }
        if now.as_micros() - entry.used_us.load(Ordering::Relaxed) >= USED_STEP_US {
            entry.used_us.store(now.as_micros(), Ordering::Relaxed);
        }
        Some(entry.key.clone())
    }

    /// Ids with times of use that are not saved yet.
    pub(crate) fn take_used(&self) -> Vec<(String, Timestamp)> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries
            .values()
            .filter_map(|entry| {
                let used = entry.used_us.load(Ordering::Relaxed);
                let saved = entry.saved_us.swap(used, Ordering::Relaxed);
                (used > saved).then(|| (entry.key.id.clone(), Timestamp::from_micros(used)))
            })
            .collect()
    }
}
