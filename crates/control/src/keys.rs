//! API keys.

use crate::limits::KeyLimits;
use crate::secret::{self, Digest};
use crate::{Error, Result, Scope};
use event::Timestamp;
use serde::Serialize;
use std::fmt;
use uuid::Uuid;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
/// Bytes of a source's name at most, as in the header.
const SOURCE_BYTES_MAX: usize = 256;
/// Characters of a key that lists show, so that people can tell keys apart.
const HINT_CHARS: usize = 10;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// The key's first characters.
    pub hint: String,
    /// The only source that it may name; none: any.
    pub source: Option<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<Timestamp>,
    /// The key that it replaces.
    pub rotated_from: Option<String>,
    /// How much it may be used.
    pub limits: KeyLimits,
}

/// An API key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// SHA-256 of the key.
    pub digest: Digest,
    /// The rest.
    pub key: ApiKey,
}

/// What a new key is for.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// The only source that it may name; none: any.
    pub source: Option<String>,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
    /// From when on it is refused; none: never.
    pub expires_at: Option<Timestamp>,
    /// How much it may be used.
    pub limits: KeyLimits,
}

/// A new key. The secret is shown this once.
#[derive(Clone)]
pub struct CreatedKey {
    /// The key itself.
    pub secret: Zeroizing<String>,
    /// What is stored of it.
    pub key: ApiKey,
}

impl fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl ApiKey {
    /// Whether it may do this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it is neither revoked nor expired at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// A key like this one.
    pub(crate) fn successor(&self) -> NewKey {
        NewKey {
            source: self.source.clone(),
            scopes: self.scopes.clone(),
            expires_at: self.expires_at,
            limits: self.limits,
        }
    }
}

impl CreatedKey {
    /// Makes one up.
    pub(crate) fn new(new: NewKey, rotated_from: Option<&str>) -> Result<Self> {
        let mut scopes = new.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let Some(first) = scopes.first() else {
            let what = "the list of scopes";
            return Err(Error::Invalid { what, allowed: "at least one scope" });
        };
        if let Some(source) = &new.source {
            check_source(source)?;
        }
        new.limits.check()?;
        let secret = secret::random_text::<KEY_BYTES>(first.prefix())?;
        let key = ApiKey {
            id: format!("key_{}", Uuid::now_v7().simple()),
            hint: secret.chars().take(HINT_CHARS).collect(),
            source: new.source,
            scopes,
            created_at: Timestamp::now(),
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
            rotated_from: rotated_from.map(str::to_owned),
            limits: new.limits,
        };
        Ok(Self { secret, key })
    }

    /// What is stored of it.
    pub(crate) fn stored(&self) -> StoredKey {
        StoredKey { digest: secret::sha256(&self.secret), key: self.key.clone() }
    }
}

fn check_source(source: &str) -> Result<()> {
    let printable = source.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if source.trim().is_empty() || source.len() > SOURCE_BYTES_MAX || !printable {
        return Err(Error::Invalid {
            what: "the source",
            allowed: "1 to 256 printable ASCII characters, as in the header x-llm-source",
        });
    }
    Ok(())
}
