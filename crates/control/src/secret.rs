//! Random texts and their hashes.

use crate::{Error, Result};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// SHA-256 of a secret text; all that is stored of a key.
pub(crate) type Digest = [u8; 32];

pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| Error::Crypto)?;
    Ok(bytes)
}

/// `N` random bytes in base64url behind a prefix.
pub(crate) fn random_text<const N: usize>(prefix: &str) -> Result<Zeroizing<String>> {
    let bytes = random::<N>()?;
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + N.div_ceil(3) * 4));
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes.as_ref(), &mut text);
    Ok(text)
}

pub(crate) fn sha256(text: &str) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}
