//! Random bytes and derived keys.

use crate::{Error, Result};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// A secret of 32 bytes, zeroed when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// Fills with random bytes of the system's generator.
pub(crate) fn fill(out: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(out).map_err(|_| Error::Crypto)
}

/// 16 random bytes, as salt or identifier. These are not secrets.
pub fn random16() -> [u8; 16] {
    let mut out = [0; 16];
    // The generator fails only where the system has none, and then every key creation before
    // this point has failed, too.
    let _filled = fill(&mut out);
    out
}

/// A new random secret.
pub(crate) fn random_secret() -> Result<Secret> {
    let mut secret = Secret::default();
    fill(secret.as_mut())?;
    Ok(secret)
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA256 with one output of 32 bytes.
pub(crate) fn derive(salt: &[u8], input: &[u8], info: &[u8]) -> Result<Secret> {
    let mut out = Secret::default();
    Salt::new(HKDF_SHA256, salt)
        .extract(input)
        .expand(&[info], Bytes(32))
        .and_then(|key| key.fill(out.as_mut()))
        .map_err(|_| Error::Crypto)?;
    Ok(out)
}
