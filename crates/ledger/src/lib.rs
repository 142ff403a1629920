#![doc = include_str!("../README.md")]

mod bundle;
mod checkpoint;
mod fault;
mod hash;
mod key;
mod note;
mod proof;
mod tile;
mod tlog_proof;
mod tree;
mod verify;

pub use bundle::{
    BUNDLE_BYTES_MAX, BundleError, BundleSource, ENTRY_BYTES_MAX, decode_bundle, encode_bundle,
};
pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, TrustedKeys};
pub use fault::Fault;
pub use hash::{EMPTY_ROOT, HASH_BYTES, Hash, leaf_hash, node_hash};
pub use key::{
    KEY_NAME_BYTES_MAX, KeyError, KeyKind, SignWith, Signer, VerifiedSignature, VerifierKey,
    cosignature_message, is_key_name, key_id,
};
pub use note::{
    NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, Note, NoteError, NoteSignature, parse_signature_lines,
};
pub use proof::{
    PROOF_HASHES_MAX, ProofError, Prover, consistency_proof, inclusion_proof, verify_consistency,
    verify_inclusion,
};
pub use tile::{
    BundleId, LOG_SIZE_MAX, PathError, ResourceId, TILE_BYTES_MAX, TILE_HEIGHT, TILE_LEVELS,
    TILE_WIDTH, TileError, TileId, TileSource,
};
pub use tlog_proof::{EXTRA_BYTES_MAX, Proven, TLOG_PROOF_BYTES_MAX, TlogProof, TlogProofError};
pub use tree::{Builder, TileWrite, Tree, TreeError, root_of, tree_hash};
pub use verify::{FAULTS_MAX, LogVerifier, Report, Retained, verify_log};
