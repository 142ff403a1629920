//! The crate at its boundary: trees, tiles, proofs, notes, and what the verifier finds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod bytes;
mod interop;
mod log;
mod notes;
mod proofs;
mod tamper;
mod tiles;
mod tlog_proof;
mod trees;
