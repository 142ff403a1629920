//! The key-encryption key, wherever it lives.

use crate::kdf::{self, Secret};
use crate::{Error, Result, key_file, record_key};
use aws_lc_rs::aead::LessSafeKey;
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// Wraps subject keys. A local file now; a key service can stand behind the same calls, which the
/// key store makes from its own thread (`wrap`) or the caller's (`unwrap`, for what is not cached).
pub trait KeyProvider: Send + Sync {
    /// Wraps a subject key, bound to its id.
    ///
    /// # Errors
    /// Where the key-encryption key cannot be used now.
    fn wrap(&self, id: &[u8; 16], key: &[u8; 32]) -> Result<Vec<u8>>;

    /// Unwraps a subject key.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the bytes are not what `wrap` made for this id.
    fn unwrap(&self, id: &[u8; 16], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>>;

    /// The key under which names are hashed for lookup.
    ///
    /// # Errors
    /// Where the key-encryption key cannot be used now.
    fn name_key(&self) -> Result<Zeroizing<[u8; 32]>>;

    /// Tells one key-encryption key from another, and nothing else about it.
    ///
    /// # Errors
    /// Where the key-encryption key cannot be used now.
    fn check(&self) -> Result<[u8; 16]>;
}

const FILE: &str = "kek";

/// A key-encryption key in the file `kek` of the keys directory.
pub struct LocalKeyFile {
    wrap: LessSafeKey,
    names: Secret,
    check: [u8; 16],
}

impl LocalKeyFile {
    /// Reads the file, or makes it on the first start.
    ///
    /// # Errors
    /// Where it cannot be read or made, holds no key, or others may read it.
    pub fn load_or_create(keys_dir: &Path) -> Result<Self> {
        Self::from_secret(&key_file::load_or_create(keys_dir, FILE)?)
    }

    /// Reads the file, which must exist.
    ///
    /// # Errors
    /// Where it does not exist, cannot be read, holds no key, or others may read it.
    pub fn load(keys_dir: &Path) -> Result<Self> {
        Self::from_secret(&key_file::load(keys_dir, FILE)?)
    }

    fn from_secret(kek: &Secret) -> Result<Self> {
        let derive = |info: &[u8]| kdf::derive(&[], kek.as_ref(), info);
        let wrap = record_key::aead(&derive(b"audit-layer/kek/1 wrap")?)?;
        let names = derive(b"audit-layer/kek/1 names")?;
        let mut check = [0; 16];
        check.copy_from_slice(&derive(b"audit-layer/kek/1 check")?[..16]);
        Ok(Self { wrap, names, check })
    }
}

impl fmt::Debug for LocalKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeyFile").finish_non_exhaustive()
    }
}

impl KeyProvider for LocalKeyFile {
    fn wrap(&self, id: &[u8; 16], key: &[u8; 32]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        record_key::seal_into(&self.wrap, id, key, &mut out)?;
        Ok(out)
    }

    fn unwrap(&self, id: &[u8; 16], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let plain = Zeroizing::new(record_key::open(&self.wrap, id, wrapped)?);
        let mut key = Secret::default();
        if plain.len() != key.len() {
            return Err(Error::Tampered);
        }
        key.copy_from_slice(&plain);
        Ok(key)
    }

    fn name_key(&self) -> Result<Zeroizing<[u8; 32]>> {
        Ok(self.names.clone())
    }

    fn check(&self) -> Result<[u8; 16]> {
        Ok(self.check)
    }
}
