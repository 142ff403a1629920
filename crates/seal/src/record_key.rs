//! One key per record, and sealing under it.

use crate::kdf::{self, Secret};
use crate::{Error, Result, SubjectKey};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// Bytes of a key commitment.
pub const COMMITMENT_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// What sealing adds to a text: nonce and tag.
pub const SEALED_OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

const AAD_VERSION: &[u8] = b"audit-layer/1";
const INFO_AEAD: &[u8] = b"audit-layer/record/1 aead";
const COMMIT_LABEL: &[u8] = b"audit-layer/record/1 commit\0";

/// The key of one record under one set of persons. Each of them is needed to derive it.
pub struct RecordKey {
    keys: Result<Keys>,
    commitment: [u8; COMMITMENT_BYTES],
}

struct Keys {
    aead: LessSafeKey,
    secret: Secret,
}

impl RecordKey {
    /// Derives the record's key from the subject keys of its persons, in any order. Where none is
    /// given, every use of the key fails with [`Error::NoKeys`].
    pub fn derive(record_id: &[u8; 16], keys: &[Arc<SubjectKey>]) -> Self {
        Self::from_secret(derive_secret(record_id, keys))
    }

    /// A disclosed key, as from a proof bundle.
    ///
    /// # Errors
    /// [`Error::Commitment`] where it is not the key that the record committed to.
    pub fn from_parts(aead: [u8; 32], commitment: [u8; COMMITMENT_BYTES]) -> Result<Self> {
        let key = Self::from_secret(Ok(Zeroizing::new(aead)));
        if key.commitment != commitment {
            return Err(Error::Commitment);
        }
        Ok(key)
    }

    /// A disclosed key whose commitment stands nowhere at hand, such as that of bodies alone.
    pub fn from_disclosed(aead: [u8; 32]) -> Self {
        Self::from_secret(Ok(Zeroizing::new(aead)))
    }

    fn from_secret(secret: Result<Secret>) -> Self {
        let commitment = secret.as_ref().map_or([0; COMMITMENT_BYTES], commit);
        let keys = secret.and_then(|secret| Ok(Keys { aead: aead(&secret)?, secret }));
        Self { keys, commitment }
    }

    /// Binds the record to this very key; stands in the record.
    pub const fn commitment(&self) -> [u8; COMMITMENT_BYTES] {
        self.commitment
    }

    /// The key itself, to disclose this one record.
    ///
    /// # Errors
    /// [`Error::NoKeys`] where it was derived from none.
    pub fn export(&self) -> Result<Zeroizing<[u8; 32]>> {
        Ok(self.keys()?.secret.clone())
    }

    /// Seals: nonce ‖ ciphertext ‖ tag.
    ///
    /// # Errors
    /// [`Error::NoKeys`], or [`Error::Crypto`] where the library fails.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(plain.len() + SEALED_OVERHEAD_BYTES);
        self.seal_into(aad, plain, &mut out)?;
        Ok(out)
    }

    /// Appends the sealed text to `out`, without another allocation where it has room.
    ///
    /// # Errors
    /// As [`seal`](Self::seal); `out` is then as it was.
    pub fn seal_into(&self, aad: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        seal_into(&self.keys()?.aead, aad, plain, out)
    }

    /// Opens what [`seal`](Self::seal) made with the same additional data.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the bytes, the additional data or the key are others.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        open(&self.keys()?.aead, aad, sealed)
    }

    fn keys(&self) -> Result<&Keys> {
        self.keys.as_ref().map_err(Clone::clone)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKey")
            .field("commitment", &hex::encode(self.commitment))
            .finish_non_exhaustive()
    }
}

fn derive_secret(record_id: &[u8; 16], keys: &[Arc<SubjectKey>]) -> Result<Secret> {
    if let [key] = keys {
        return kdf::derive(record_id, key.secret(), INFO_AEAD);
    }
    if keys.is_empty() {
        return Err(Error::NoKeys);
    }
    let mut set: Vec<&Arc<SubjectKey>> = keys.iter().collect();
    set.sort_by_key(|key| key.id());
    set.dedup_by_key(|key| key.id());
    let mut input = Zeroizing::new(Vec::with_capacity(32 * set.len()));
    for key in set {
        input.extend_from_slice(key.secret());
    }
    kdf::derive(record_id, &input, INFO_AEAD)
}

fn commit(secret: &Secret) -> [u8; COMMITMENT_BYTES] {
    let mut context = Context::new(&SHA256);
    context.update(COMMIT_LABEL);
    context.update(secret.as_ref());
    let mut out = [0; COMMITMENT_BYTES];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The cipher under a secret.
pub(crate) fn aead(secret: &Secret) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM_SIV, secret.as_ref()).map_err(|_| Error::Crypto)?;
    Ok(LessSafeKey::new(key))
}

pub(crate) fn seal_into(
    key: &LessSafeKey,
    aad: &[u8],
    plain: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    let nonce = kdf::public::<NONCE_BYTES>()?;
    out.reserve(plain.len() + SEALED_OVERHEAD_BYTES);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let text = &mut out[start + NONCE_BYTES..];
    let nonce = Nonce::assume_unique_for_key(nonce);
    let Ok(tag) = key.seal_in_place_separate_tag(nonce, Aad::from(aad), text) else {
        out.truncate(start);
        return Err(Error::Crypto);
    };
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

pub(crate) fn open(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Error::Tampered)?;
    let (text, tag) = text.split_last_chunk::<TAG_BYTES>().ok_or(Error::Tampered)?;
    let mut plain = vec![0; text.len()];
    let nonce = Nonce::assume_unique_for_key(*nonce);
    key.open_separate_gather(nonce, Aad::from(aad), text, tag, &mut plain)
        .map_err(|_| Error::Tampered)?;
    Ok(plain)
}

/// Additional data: where in which record the sealed bytes stand. Sealed groups have role 0 and
/// their number as `attempt`.
pub fn aad(tenant: &str, record_id: &[u8; 16], role: u8, attempt: u8, number: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(AAD_VERSION.len() + tenant.len() + 24);
    out.extend_from_slice(AAD_VERSION);
    out.push(0);
    out.extend_from_slice(tenant.as_bytes());
    out.push(0);
    out.extend_from_slice(record_id);
    out.push(role);
    out.push(attempt);
    out.extend_from_slice(&number.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyId;

    #[test]
    fn derivation_is_the_documented_one() {
        let key = |n: u8| Arc::new(SubjectKey::new(KeyId::from([n; 16]), Zeroizing::new([n; 32])));
        let record_id = std::array::from_fn(|n| n as u8);
        let key = RecordKey::derive(&record_id, &[key(2), key(1)]);
        // Computed apart, from the table in README.md.
        assert_eq!(
            hex::encode(*key.export().unwrap()),
            "769441411cdf9e3007790a8465ffb5aa05fa1426bcb61bc67300f30dffd32351"
        );
        assert_eq!(
            hex::encode(key.commitment()),
            "da564631fcdc15399dc26f2374bfdcb54a6cdf720606f43f2ba69b97bd591f86"
        );
    }
}
