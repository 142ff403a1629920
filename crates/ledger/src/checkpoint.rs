//! c2sp.org/tlog-checkpoint: the signed size and root of a log.

use std::fmt;
use std::str::FromStr;

use crate::hash::{EMPTY_ROOT, Hash};
use crate::key::{KeyKind, Signer, VerifiedSignature, VerifierKey, is_key_name};
use crate::note::{Note, NoteError};
use crate::tile::LOG_SIZE_MAX;

/// Most extension lines that are read past.
const EXTENSION_LINES_MAX: usize = 64;

/// Origin, size and root of a log. `Display` is the note's text without extension lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: also the name of its key.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// A checkpoint with the note that carries it. Nothing is verified until [`Self::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

/// The keys that a reader trusts.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys {
    /// Keys of the log, [`KeyKind::Ed25519`]. Their name is the origin that is accepted; several
    /// while a key is being replaced.
    pub log: Vec<VerifierKey>,
    /// Keys of witnesses, [`KeyKind::CosignatureV1`].
    pub witnesses: Vec<VerifierKey>,
    /// How many different witnesses must have cosigned.
    pub witnesses_min: usize,
}

/// A checkpoint that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note around it is not valid, or not signed by a trusted key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not a checkpoint.
    #[error("not a checkpoint ({0}): get it again, byte for byte")]
    Malformed(&'static str),
    /// An origin that we would not write.
    #[error("{0:?} cannot be an origin: give a URL without scheme, spaces and plus")]
    Origin(String),
    /// No trusted key has this origin.
    #[error("no trusted log key is named {0:?}: give the verifier key of this log")]
    UnknownOrigin(String),
    /// Signed, but not by enough witnesses.
    #[error(
        "{found} trusted witnesses cosigned, {needed} must: ask the log for a newer checkpoint"
    )]
    Witnesses {
        /// How many did.
        found: usize,
        /// How many must.
        needed: usize,
    },
}

// === impl Checkpoint ===

impl Checkpoint {
    /// A checkpoint to be signed.
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        let origin = origin.into();
        if !is_key_name(&origin) {
            return Err(CheckpointError::Origin(origin));
        }
        check_size(size, &root)?;
        Ok(Self { origin, size, root })
    }

    /// Signs it as a note; `to_string()` of that is what the log serves.
    pub fn sign(
        &self,
        signer: &(impl Signer + ?Sized),
    ) -> Result<SignedCheckpoint, CheckpointError> {
        if signer.name() != self.origin {
            return Err(CheckpointError::UnknownOrigin(self.origin.clone()));
        }
        let mut note = Note::new(self.to_string())?;
        note.sign(signer)?;
        Ok(SignedCheckpoint { checkpoint: self.clone(), note })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Reads a note's text. Extension lines are passed over.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let text = text.strip_suffix('\n').ok_or(malformed("no newline at the end"))?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("fewer than three lines"));
        };
        if origin.is_empty() || lines.clone().any(str::is_empty) {
            return Err(malformed("an empty line"));
        }
        if lines.count() > EXTENSION_LINES_MAX {
            return Err(malformed("too many extension lines"));
        }
        let size = parse_decimal(size).ok_or(malformed("the size"))?;
        let root = Hash::from_base64(root).ok_or(malformed("the root"))?;
        check_size(size, &root)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

fn check_size(size: u64, root: &Hash) -> Result<(), CheckpointError> {
    if size > LOG_SIZE_MAX {
        return Err(CheckpointError::Malformed("the size is over 2^63 - 1"));
    }
    // c2sp.org/tlog-witness: size 0 goes with the root of the empty tree only.
    if size == 0 && *root != EMPTY_ROOT {
        return Err(CheckpointError::Malformed("size 0 with a root that is not the empty tree's"));
    }
    Ok(())
}

/// An ASCII decimal without sign and leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

// === impl SignedCheckpoint ===

impl SignedCheckpoint {
    /// Reads a signed checkpoint. Nothing is verified yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        Ok(Self { checkpoint: note.text().parse()?, note })
    }

    /// What it says, verified or not.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note that carries it.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The note, to add cosignatures to.
    pub fn note_mut(&mut self) -> &mut Note {
        &mut self.note
    }

    /// Verifies origin, the log's signature and the witnesses' cosignatures.
    pub fn verify(&self, keys: &TrustedKeys) -> Result<Vec<VerifiedSignature>, CheckpointError> {
        let origin = &self.checkpoint.origin;
        let log: Vec<VerifierKey> = keys
            .log
            .iter()
            .filter(|key| key.name() == origin && key.kind() == KeyKind::Ed25519)
            .cloned()
            .collect();
        if log.is_empty() {
            return Err(CheckpointError::UnknownOrigin(origin.clone()));
        }
        let mut verified = self.note.verify(&log)?;
        let cosigned = match self.note.verify(&keys.witnesses) {
            Err(NoteError::NoKnownSignature) => Vec::new(),
            other => other?,
        };
        let found = count_witnesses(&cosigned);
        if found < keys.witnesses_min {
            return Err(CheckpointError::Witnesses { found, needed: keys.witnesses_min });
        }
        verified.extend(cosigned);
        Ok(verified)
    }
}

impl fmt::Display for SignedCheckpoint {
    /// The signed note as it is stored and sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// Different witness keys; two times of one key count once, two names of one key also.
fn count_witnesses(cosigned: &[VerifiedSignature]) -> usize {
    let mut keys: Vec<&[u8; 32]> = cosigned
        .iter()
        .filter(|signature| signature.key.kind() == KeyKind::CosignatureV1)
        .map(|signature| signature.key.public())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}
