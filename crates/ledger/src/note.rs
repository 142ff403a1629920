//! c2sp.org/signed-note: texts with signatures, and the keys that verify them.
//!
//! Key types: Ed25519 (`0x01`) and timestamped Ed25519 cosignatures (`0x04`,
//! c2sp.org/tlog-cosignature). Signatures of other keys are kept and ignored.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::sha256;

/// Longest note that is read.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Most signatures that a note may carry.
pub const NOTE_SIGNATURES_MAX: usize = 100;
/// Longest key name that is read.
pub const KEY_NAME_BYTES_MAX: usize = 1_024;

const SIGNATURE_PREFIX: &str = "\u{2014} ";
const ED25519_SIGNATURE_BYTES: usize = 64;
const PUBLIC_KEY_BYTES: usize = 32;
const COSIGNATURE_HEADER: &str = "cosignature/v1\n";
/// Cosignature times must not exceed `2^63 - 1`.
const COSIGNATURE_SECONDS_MAX: u64 = i64::MAX as u64;

/// A note: its text, which ends in a newline, and its signatures, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub key_id: u32,
    /// What follows the key id: for Ed25519 the signature, for a cosignature time and signature.
    pub bytes: Vec<u8>,
}

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

/// A note or a key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Longer or with more signatures than is read.
    #[error(
        "the note is over the limit of {NOTE_BYTES_MAX} bytes or {NOTE_SIGNATURES_MAX} signatures: get it from the log itself"
    )]
    TooLarge,
    /// Not a signed note.
    #[error("not a signed note ({0}): get it again, byte for byte")]
    Malformed(&'static str),
    /// Not a vkey.
    #[error("not a verifier key ({0}): give <name>+<8 hex digits>+<base64>")]
    Key(&'static str),
    /// A vkey of a kind that is not supported.
    #[error("verifier key of type {0:#04x}: give an Ed25519 key (0x01 or 0x04)")]
    KeyKind(u8),
    /// None of the keys signed it.
    #[error("no signature by a known key: check which key the log has, do not trust the text")]
    NoKnownSignature,
    /// A known key's signature is wrong.
    #[error("the signature by {0} does not verify: do not trust the text")]
    BadSignature(String),
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

// === impl Note ===

impl Note {
    /// A note without signatures. The text must end in a newline and have no control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text does not end in a newline"));
        }
        check_characters(&text)?;
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a signed note. Nothing is verified yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        check_characters(note)?;
        let split = note.rfind("\n\n").ok_or(NoteError::Malformed("no blank line"))? + 1;
        let (text, signatures) = (&note[..split], &note[split + 1..]);
        Ok(Self { text: text.to_owned(), signatures: parse_signature_lines(signatures)? })
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, verified or not.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature over the text.
    pub fn sign(&mut self, signer: &(impl Signer + ?Sized)) -> Result<(), NoteError> {
        let bytes = signer.sign(self.text.as_bytes()).to_vec();
        let (name, key_id) = (signer.name().to_owned(), signer.key_id());
        self.add(NoteSignature { name, key_id, bytes })
    }

    /// Adds a signature made elsewhere, such as a witness's.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if !is_key_name(&signature.name) {
            return Err(NoteError::Key("the name is empty or has spaces or a plus"));
        }
        if self.signatures.len() >= NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooLarge);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Verifies every signature whose name and id are those of a given key. One wrong signature
    /// of a known key refuses the note, and so does the lack of any.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<VerifiedSignature>, NoteError> {
        let mut verified: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let known =
                keys.iter().find(|k| k.key_id == signature.key_id && k.name == signature.name);
            let Some(key) = known else { continue };
            let time_seconds = key.verify(&self.text, &signature.bytes)?;
            if !verified.iter().any(|v| v.key == *key && v.time_seconds == time_seconds) {
                verified.push(VerifiedSignature { key: key.clone(), time_seconds });
            }
        }
        if verified.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(verified) }
    }
}

impl fmt::Display for Note {
    /// The note as it is stored and sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::Malformed("control characters"));
    }
    Ok(())
}

/// Reads signature lines, as they end a note and as witnesses answer with them.
pub fn parse_signature_lines(text: &str) -> Result<Vec<NoteSignature>, NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLarge);
    }
    let lines = text.strip_suffix('\n').ok_or(NoteError::Malformed("no signature lines"))?;
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        if signatures.len() == NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooLarge);
        }
        signatures.push(line.parse()?);
    }
    Ok(signatures)
}

// === impl NoteSignature ===

impl FromStr for NoteSignature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature line");
        let rest = line.strip_prefix(SIGNATURE_PREFIX).ok_or(malformed.clone())?;
        let (name, base64) = rest.split_once(' ').ok_or(malformed.clone())?;
        let decoded = STANDARD.decode(base64).map_err(|_| malformed.clone())?;
        let (id, bytes) = decoded.split_first_chunk::<4>().ok_or(malformed.clone())?;
        if !is_key_name(name) || bytes.is_empty() {
            return Err(malformed);
        }
        Ok(Self { name: name.to_owned(), key_id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    /// The line, with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        writeln!(f, "{SIGNATURE_PREFIX}{} {}", self.name, STANDARD.encode(bytes))
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
    ) -> Result<Self, NoteError> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(NoteError::Key("the name is empty or has spaces or a plus"));
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

    /// Verifies one signature over a note's text; yields its time if it has one.
    fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, NoteError> {
        let bad = || NoteError::BadSignature(self.name.clone());
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        match self.kind {
            KeyKind::Ed25519 => {
                key.verify(text.as_bytes(), signature).map_err(|_| bad())?;
                Ok(None)
            }
            KeyKind::CosignatureV1 => {
                let (time, signature) = signature.split_first_chunk::<8>().ok_or_else(bad)?;
                let time = u64::from_be_bytes(*time);
                if time > COSIGNATURE_SECONDS_MAX {
                    return Err(bad());
                }
                key.verify(&cosignature_message(time, text), signature).map_err(|_| bad())?;
                Ok(Some(time))
            }
        }
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
    type Err = NoteError;

    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        // The base64 part may hold plus signs; the name may not.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("fewer than three parts"));
        };
        let id_is_hex = id.len() == 8 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !id_is_hex {
            return Err(NoteError::Key("the id is not 8 lower case hex digits"));
        }
        let decoded = STANDARD.decode(key).map_err(|_| NoteError::Key("the key is not base64"))?;
        let (kind, public) = match decoded.split_first() {
            Some((0x01, public)) => (KeyKind::Ed25519, public),
            Some((0x04, public)) => (KeyKind::CosignatureV1, public),
            Some((other, _)) => return Err(NoteError::KeyKind(*other)),
            None => return Err(NoteError::Key("the key is empty")),
        };
        let public =
            public.try_into().map_err(|_| NoteError::Key("the public key has not 32 bytes"))?;
        let parsed = Self::new(name, kind, public)?;
        if format!("{:08x}", parsed.key_id) != id {
            return Err(NoteError::Key("the id is not that of name and key"));
        }
        Ok(parsed)
    }
}
