#![doc = include_str!("../README.md")]

mod bundle;
mod format;
mod slots;

pub use bundle::{BUNDLE_BYTES_MAX, BUNDLE_VERSION, Base64, ProofBundle, ProvenRecord};
pub use format::{
    EARLY_PARTS_MAX, NOTES_FROM, PART_HEADER_BYTES, PIECE_BYTES_MAX, PartHeader, Pieces, Place,
    Role, SealedGroup, read_groups, read_key_sets, read_places, record_id, write_group,
    write_key_sets, write_places,
};
pub use slots::{SLOT_BYTES, SlotValue, read_slots, write_slot};
