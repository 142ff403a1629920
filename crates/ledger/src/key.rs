//! c2sp.org/signed-note, "Verifier keys": names, ids and kinds of keys.
//!
//! Kinds: Ed25519 (`0x01`) and timestamped Ed25519 cosignatures (`0x04`,
//! c2sp.org/tlog-cosignature).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::sha256;

/// Longest key name that is read.
pub const KEY_NAME_BYTES_MAX: usize = 1_024;

const ED25519_SIGNATURE_BYTES: usize = 64;
const PUBLIC_KEY_BYTES: usize = 32;
const COSIGNATURE_HEADER: &str = "cosignature/v1\n";
/// Cosignature times must not exceed `2^63 - 1`.
const COSIGNATURE_SECONDS_MAX: u64 = i64::MAX as u64;

/// What a key signs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// `0x01`: Ed25519 over the text.
    Ed25519,
    /// `0x04`: Ed25519 over `cosignature/v1`, a time and the text.
    CosignatureV1,
}

/// A public key with its name, as a vkey string carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; PUBLIC_KEY_BYTES],
    key_id: u32,
}

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The key that verified it.
    pub key: VerifierKey,
    /// When it was made, in seconds since 1970, where the signature says so.
    pub time_seconds: Option<u64>,
}

/// Holds a private key of kind [`KeyKind::Ed25519`].
pub trait Signer {
    /// Name of the key.
    fn name(&self) -> &str;
    /// Id of the key; see [`key_id`].
    fn key_id(&self) -> u32;
    /// The Ed25519 signature of the message.
    fn sign(&self, message: &[u8]) -> [u8; ED25519_SIGNATURE_BYTES];
}

/// Signs with a function, for a key whose public half is known.
pub struct SignWith<F> {
    key: VerifierKey,
    sign: F,
}

/// A key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key can have this name.
    #[error("not a key name: give a URL without scheme, spaces and plus")]
    Name,
    /// Not a vkey.
    #[error("not a verifier key ({0}): give <name>+<8 hex digits>+<base64>")]
    Malformed(&'static str),
    /// A vkey of a kind that is not supported.
    #[error("verifier key of type {0:#04x}: give an Ed25519 key (0x01 or 0x04)")]
    Kind(u8),
}

/// `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]`.
pub fn key_id(name: &str, kind: KeyKind, public: &[u8; PUBLIC_KEY_BYTES]) -> u32 {
    let mut bytes = Vec::with_capacity(name.len() + 2 + PUBLIC_KEY_BYTES);
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(b'\n');
    bytes.push(kind.type_byte());
    bytes.extend_from_slice(public);
    let [a, b, c, d, ..] = sha256(&bytes).into_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Whether a key may have this name: not empty, no white space, no plus, no control characters.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= KEY_NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_whitespace() || c == '+' || c < ' ')
}

/// What a cosignature signs: header, time, then the text of the note.
pub fn cosignature_message(time_seconds: u64, text: &str) -> Vec<u8> {
    format!("{COSIGNATURE_HEADER}time {time_seconds}\n{text}").into_bytes()
}

// === impl SignWith ===

impl<F: Fn(&[u8]) -> [u8; ED25519_SIGNATURE_BYTES]> SignWith<F> {
    /// `sign` must make Ed25519 signatures that `key` verifies.
    pub fn new(key: VerifierKey, sign: F) -> Self {
        Self { key, sign }
    }
}

impl<F: Fn(&[u8]) -> [u8; ED25519_SIGNATURE_BYTES]> Signer for SignWith<F> {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn key_id(&self) -> u32 {
        self.key.key_id()
    }

    fn sign(&self, message: &[u8]) -> [u8; ED25519_SIGNATURE_BYTES] {
        (self.sign)(message)
    }
}

impl<F> fmt::Debug for SignWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignWith").field("key", &self.key).finish_non_exhaustive()
    }
}

// === impl KeyKind ===

impl KeyKind {
    /// The signature type byte that signed-note assigns.
    pub fn type_byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

// === impl VerifierKey ===

impl VerifierKey {
    /// A key by its parts; the id follows from them.
    pub fn new(
        name: impl Into<String>,
        kind: KeyKind,
        public: [u8; PUBLIC_KEY_BYTES],
    ) -> Result<Self, KeyError> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(KeyError::Name);
        }
        let key_id = key_id(&name, kind, &public);
        Ok(Self { name, kind, public, key_id })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its id.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The Ed25519 public key.
    pub fn public(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.public
    }

    /// Verifies one signature over a note's text; `None` where it is wrong.
    pub(crate) fn verify(&self, text: &str, signature: &[u8]) -> Option<VerifiedSignature> {
        let (message, signature, time_seconds) = match self.kind {
            KeyKind::Ed25519 => (text.as_bytes().to_vec(), signature, None),
            KeyKind::CosignatureV1 => {
                let (time, signature) = signature.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                if time > COSIGNATURE_SECONDS_MAX {
                    return None;
                }
                (cosignature_message(time, text), signature, Some(time))
            }
        };
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(&message, signature).ok()?;
        Some(VerifiedSignature { key: self.clone(), time_seconds })
    }
}

impl fmt::Display for VerifierKey {
    /// The vkey string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.kind.type_byte()];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, self.key_id, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<Self, KeyError> {
        // The base64 part may hold plus signs; the name may not.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed("fewer than three parts"));
        };
        let id_is_hex = id.len() == 8 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !id_is_hex {
            return Err(KeyError::Malformed("the id is not 8 lower case hex digits"));
        }
        let decoded =
            STANDARD.decode(key).map_err(|_| KeyError::Malformed("the key is not base64"))?;
        let (kind, public) = match decoded.split_first() {
            Some((0x01, public)) => (KeyKind::Ed25519, public),
            Some((0x04, public)) => (KeyKind::CosignatureV1, public),
            Some((other, _)) => return Err(KeyError::Kind(*other)),
            None => return Err(KeyError::Malformed("the key is empty")),
        };
        let public = public
            .try_into()
            .map_err(|_| KeyError::Malformed("the public key has not 32 bytes"))?;
        let parsed = Self::new(name, kind, public)?;
        if format!("{:08x}", parsed.key_id) != id {
            return Err(KeyError::Malformed("the id is not that of name and key"));
        }
        Ok(parsed)
    }
}
