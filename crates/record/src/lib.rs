//! How a record lies in the journal's frames, and how a decision's proof is packed: the formats
//! that the recorder writes and the verifier reads. No I/O.

mod bundle;
mod format;

pub use bundle::{BUNDLE_BYTES_MAX, BUNDLE_VERSION, Base64, ProofBundle, ProvenRecord};
pub use format::{
    EARLY_PARTS_MAX, PART_HEADER_BYTES, PIECE_BYTES_MAX, PartHeader, Place, Role, SealedGroup,
    read_groups, read_key_sets, read_places, record_id, write_group, write_key_sets, write_places,
};
