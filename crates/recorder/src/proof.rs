//! The proof of a decision, packed from journal, ledger and keys.

use crate::error::ReadError;
use crate::files::LedgerFiles;
use crate::read::{RecordReader, StoredRecord, damaged, derive};
use journal::Position;
use ledger::{Prover, SignedCheckpoint, TlogProof};
use record::{BUNDLE_VERSION, Base64, ProofBundle, ProvenRecord, read_key_sets};
use seal::{KeyRing, RecordKey};
use std::path::Path;
use uuid::Uuid;

/// Tries against a checkpoint that is replaced meanwhile.
const TRIES_MAX: usize = 5;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The newest checkpoint does not cover the decision yet.
    #[error("the decision is not sealed yet; a checkpoint follows within a second")]
    NotSealed,
    /// The record's epoch ended before a checkpoint covered it.
    #[error(
        "record {seq} of epoch {epoch} was never sealed: its log ended before; what is left of it \
         is shown, but cannot be proved"
    )]
    NeverSealed {
        /// The epoch.
        epoch: u32,
        /// The leaf's number.
        seq: u64,
    },
    /// A record cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}; run `audit-layer verify`")]
    Ledger(String),
}

/// Packs the proof of the decision whose records stand at these positions.
///
/// # Errors
/// Where no checkpoint covers it yet, or something stored is damaged.
pub fn prove(
    data: &Path,
    keys: &KeyRing,
    decision_id: Uuid,
    positions: &[Position],
    with_keys: bool,
) -> Result<ProofBundle, ProofError> {
    let journal = data.join("journal");
    let mut stored = Vec::with_capacity(positions.len());
    for position in positions {
        let record = RecordReader::open(&journal, Some(*position), true)?
            .next(None)?
            .filter(|record| record.leaf.decision_id == decision_id)
            .ok_or_else(|| damaged(*position, "the index points to another record"))?;
        stored.push(record);
    }
    let mut checkpoints: Vec<String> = Vec::new();
    let mut records = Vec::with_capacity(stored.len());
    // A decision that was held or cut off can end in a later epoch than it began in.
    for of_epoch in stored.chunk_by(|a, b| a.at.epoch == b.at.epoch) {
        let epoch = of_epoch.first().map_or(1, |record| record.at.epoch);
        let files = LedgerFiles::new(&data.join("ledger"), epoch);
        let (checkpoint, proofs) = included(&files, of_epoch).map_err(|error| match error {
            ProofError::NotSealed if later_epoch(data, epoch) => ProofError::NeverSealed {
                epoch,
                seq: of_epoch.last().map_or(0, |record| record.leaf.seq),
            },
            error => error,
        })?;
        checkpoints.push(checkpoint);
        for (record, proof) in of_epoch.iter().zip(proofs) {
            records.push(proven(record, &journal, keys, proof, with_keys)?);
        }
    }
    let checkpoint = checkpoints.pop().ok_or(ProofError::NotSealed)?;
    Ok(ProofBundle {
        v: BUNDLE_VERSION.to_owned(),
        decision_id,
        checkpoint,
        earlier_checkpoints: checkpoints,
        records,
    })
}

fn later_epoch(data: &Path, epoch: u32) -> bool {
    let later = LedgerFiles::new(&data.join("ledger"), epoch.saturating_add(1));
    matches!(later.vkey(), Ok(Some(_)))
}

/// The newest checkpoint with the inclusion of each record in it.
fn included(
    files: &LedgerFiles,
    stored: &[StoredRecord],
) -> Result<(String, Vec<String>), ProofError> {
    let mut last = None;
    for _ in 0..TRIES_MAX {
        match include(files, stored) {
            // A newer checkpoint may have replaced the partial tiles of this one.
            Err(error @ ProofError::Ledger(_)) => last = Some(error),
            done => return done,
        }
    }
    Err(last.unwrap_or(ProofError::NotSealed))
}

fn include(
    files: &LedgerFiles,
    stored: &[StoredRecord],
) -> Result<(String, Vec<String>), ProofError> {
    let ledger = |error: &dyn ToString| ProofError::Ledger(error.to_string());
    let text = files.checkpoint().map_err(|e| ledger(&e))?.ok_or(ProofError::NotSealed)?;
    let checkpoint = SignedCheckpoint::parse(text.as_bytes()).map_err(|e| ledger(&e))?;
    let size = checkpoint.checkpoint().size;
    if stored.iter().any(|record| record.leaf.seq >= size) {
        return Err(ProofError::NotSealed);
    }
    let prover = Prover::new(files, size).map_err(|e| ledger(&e))?;
    let mut proofs = Vec::with_capacity(stored.len());
    for record in stored {
        let path = prover.inclusion(record.leaf.seq).map_err(|e| ledger(&e))?;
        let proof =
            TlogProof { extra: None, index: record.leaf.seq, path, checkpoint: checkpoint.clone() };
        proofs.push(proof.to_string());
    }
    Ok((text, proofs))
}

fn proven(
    record: &StoredRecord,
    journal: &Path,
    keys: &KeyRing,
    tlog_proof: String,
    with_keys: bool,
) -> Result<ProvenRecord, ReadError> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| damaged(record.at, "text is not UTF-8"))
    };
    let parts = record.all_parts(journal)?;
    let mut parts_key = None;
    if with_keys && let Some((key_sets, _)) = parts.first() {
        let set = read_key_sets(key_sets)
            .and_then(|mut sets| sets.pop())
            .ok_or_else(|| damaged(record.at, "a part's keys"))?;
        parts_key = derive(keys, record.leaf.record_id, &set)?.as_ref().map(export).transpose()?;
    }
    let mut group_keys = Vec::new();
    for key in record.group_keys(keys)? {
        group_keys.push(key.filter(|_| with_keys).as_ref().map(export).transpose()?);
    }
    Ok(ProvenRecord {
        leaf: text(&record.leaf_bytes)?,
        tlog_proof,
        open: text(&record.open)?,
        sealed: record.sealed.as_ref().map(|(_, payload)| payload.clone()).unwrap_or_default(),
        parts: parts.into_iter().map(|(_, payload)| Base64(payload)).collect(),
        group_keys,
        parts_key,
    })
}

fn export(key: &RecordKey) -> Result<Base64, seal::Error> {
    Ok(Base64(key.export()?.to_vec()))
}
