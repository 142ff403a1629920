//! c2sp.org/signed-note: texts with signatures. Those of unknown keys are kept and ignored.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{KeyError, Signer, VerifiedSignature, VerifierKey, is_key_name};

/// Longest note that is read.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Most signatures that a note may carry.
pub const NOTE_SIGNATURES_MAX: usize = 100;
const SIGNATURE_PREFIX: &str = "\u{2014} ";

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
    /// A key or its name cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// None of the keys signed it.
    #[error("no signature by a known key: check which key the log has, do not trust the text")]
    NoKnownSignature,
    /// A known key's signature is wrong.
    #[error("the signature by {0} does not verify: do not trust the text")]
    BadSignature(String),
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
            return Err(KeyError::Name.into());
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
                keys.iter().find(|k| k.key_id() == signature.key_id && k.name() == signature.name);
            let Some(key) = known else { continue };
            let valid = key
                .verify(&self.text, &signature.bytes)
                .ok_or_else(|| NoteError::BadSignature(key.name().to_owned()))?;
            if !verified.contains(&valid) {
                verified.push(valid);
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
