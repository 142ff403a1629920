//! c2sp.org/tlog-proof: the offline proof that one leaf is in a log.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{
    Checkpoint, CheckpointError, SignedCheckpoint, TrustedKeys, parse_decimal,
};
use crate::hash::{Hash, leaf_hash};
use crate::key::VerifiedSignature;
use crate::note::NOTE_BYTES_MAX;
use crate::proof::{PROOF_HASHES_MAX, ProofError, verify_inclusion};

/// Extra data that a proof may carry.
pub const EXTRA_BYTES_MAX: usize = 65_536;
/// Longest proof that is read.
pub const TLOG_PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 2 * EXTRA_BYTES_MAX;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A leaf's number, its audit path and the checkpoint. Stored as `.tlog-proof`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque data that nothing authenticates; usually none.
    pub extra: Option<Vec<u8>>,
    /// Number of the leaf.
    pub index: u64,
    /// Its audit path, from its sibling up.
    pub path: Vec<Hash>,
    /// The checkpoint, with all signatures.
    pub checkpoint: SignedCheckpoint,
}

/// What a verified proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The checkpoint that covers the leaf.
    pub checkpoint: Checkpoint,
    /// Number of the leaf.
    pub index: u64,
    /// The signatures of trusted keys: the log's, then the witnesses'.
    pub signatures: Vec<VerifiedSignature>,
}

/// A proof that cannot be read or that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// Longer than is read.
    #[error(
        "the proof is over the limit of {TLOG_PROOF_BYTES_MAX} bytes: get it from the log itself"
    )]
    TooLarge,
    /// Not of the form that tlog-proof describes.
    #[error("not a c2sp.org/tlog-proof@v1 ({0}): get it again, byte for byte")]
    Malformed(&'static str),
    /// The checkpoint in it is not valid or not signed by a trusted key.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaf is not where the proof says.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

// === impl TlogProof ===

impl TlogProof {
    /// Reads a proof. Nothing is verified yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let malformed = TlogProofError::Malformed;
        if bytes.len() > TLOG_PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(malformed("the first line"));
        }
        let mut line = lines.next();
        let mut extra = None;
        if let Some(base64) = line.and_then(|line| line.strip_prefix("extra ")) {
            extra = Some(parse_extra(base64)?);
            line = lines.next();
        }
        let index = line
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .ok_or(malformed("the index"))?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == PROOF_HASHES_MAX {
                return Err(malformed("too many hashes"));
            }
            path.push(Hash::from_base64(line).ok_or(malformed("a hash"))?);
        }
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        Ok(Self { extra, index, path, checkpoint })
    }

    /// Verifies that this very leaf is in the log, by signatures of trusted keys.
    pub fn verify(&self, leaf: &[u8], keys: &TrustedKeys) -> Result<Proven, TlogProofError> {
        self.verify_hash(&leaf_hash(leaf), keys)
    }

    /// As [`Self::verify`], for a leaf hash.
    pub fn verify_hash(&self, leaf: &Hash, keys: &TrustedKeys) -> Result<Proven, TlogProofError> {
        let signatures = self.checkpoint.verify(keys)?;
        let checkpoint = self.checkpoint.checkpoint();
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(Proven { checkpoint: checkpoint.clone(), index: self.index, signatures })
    }
}

impl fmt::Display for TlogProof {
    /// The proof as it is stored and sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

fn parse_extra(base64: &str) -> Result<Vec<u8>, TlogProofError> {
    let malformed = TlogProofError::Malformed("the extra data");
    let extra = STANDARD.decode(base64).map_err(|_| malformed.clone())?;
    if extra.is_empty() || extra.len() > EXTRA_BYTES_MAX { Err(malformed) } else { Ok(extra) }
}
