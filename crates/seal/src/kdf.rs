//! Random bytes and derived keys.

use crate::{Error, Result};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use std::cell::RefCell;
use zeroize::Zeroizing;

/// Bytes of nonces and salts that are drawn at once: a draw takes half a microsecond, however
/// small it is.
const DRAWN_BYTES: usize = 1024;

/// Random bytes that are not used yet: those in front of `left`.
struct Drawn {
    bytes: [u8; DRAWN_BYTES],
    left: usize,
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; DRAWN_BYTES], left: 0 }) };
}

/// A secret of 32 bytes, zeroed when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// Fills with random bytes of the system's generator.
pub(crate) fn fill(out: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(out).map_err(|_| Error::Crypto)
}

/// Random bytes that are no secret: a nonce, a salt, an identifier.
pub(crate) fn public<const N: usize>() -> Result<[u8; N]> {
    DRAWN.with_borrow_mut(|drawn| {
        if drawn.left < N {
            drawn.left = 0;
            fill(&mut drawn.bytes)?;
            drawn.left = DRAWN_BYTES;
        }
        let (rest, out) = drawn.bytes[..drawn.left].split_last_chunk().ok_or(Error::Crypto)?;
        drawn.left = rest.len();
        Ok(*out)
    })
}

/// 16 random bytes, as salt or identifier. These are not secrets.
pub fn random16() -> [u8; 16] {
    // The generator fails only where the system has none, and then every key creation before
    // this point has failed, too.
    public().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_random_bytes_are_given_twice() {
        let draw = || {
            let mut seen = HashSet::new();
            for _ in 0..DRAWN_BYTES {
                assert!(seen.insert(public::<16>().unwrap().to_vec()));
                assert!(seen.insert(public::<12>().unwrap().to_vec()));
            }
            seen
        };
        let other = std::thread::spawn(draw).join().unwrap();
        assert!(draw().is_disjoint(&other));
    }
}
