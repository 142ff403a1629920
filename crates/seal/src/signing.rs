//! The key that signs checkpoints.

use crate::{Error, Result, key_file};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use std::{fmt, path::Path};

const FILE: &str = "signing";

/// An Ed25519 key in the file `signing` of the keys directory (its seed, in hexadecimal).
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl SigningKey {
    /// Reads the key, or makes it on the first start.
    ///
    /// # Errors
    /// Where it cannot be read or made, holds no key, or others may read it.
    pub fn load_or_create(keys_dir: &Path) -> Result<Self> {
        Self::from_seed(key_file::load_or_create(keys_dir, FILE)?.as_ref())
    }

    /// Reads the key, which must exist.
    ///
    /// # Errors
    /// Where it does not exist, cannot be read, holds no key, or others may read it.
    pub fn load(keys_dir: &Path) -> Result<Self> {
        Self::from_seed(key_file::load(keys_dir, FILE)?.as_ref())
    }

    fn from_seed(seed: &[u8]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Error::Crypto)?;
        let mut public = [0; 32];
        let bytes = pair.public_key().as_ref();
        if bytes.len() != public.len() {
            return Err(Error::Crypto);
        }
        public.copy_from_slice(bytes);
        Ok(Self { pair, public })
    }

    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        let signature = self.pair.sign(message);
        // Ed25519 signatures have 64 bytes; a shorter one would verify nowhere.
        if signature.as_ref().len() == out.len() {
            out.copy_from_slice(signature.as_ref());
        }
        out
    }

    /// The public key.
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &hex::encode(self.public))
            .finish_non_exhaustive()
    }
}
