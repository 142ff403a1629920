//! The offline verifier. It shares only format and hash code with what writes: it reads segments
//! with a loop of its own, recomputes the tree from the leaves, and believes no stored hash.
//!
//! - [`verify_data`]: a data directory, in full or its ledger only, against its own keys, pinned
//!   keys, kept checkpoints and the last signed state.
//! - [`verify_index`]: that, and every row of the index against its record.
//! - [`verify_bundle`]: the proof of one decision, with nothing but the log's key.
//!
//! Inside: `walk` finds frames on a thread of its own; `chain` follows segments, frames and
//! leaves; `record` holds what belongs to a record against its leaf; `log` and `tiles` hold the
//! tree against everything signed and stored; `open` opens what keys open. What is wrong goes
//! into a [`Report`], with its place; an error means that nothing could be verified.

mod bundle;
mod chain;
mod data;
mod error;
mod files;
mod keys;
mod leaf;
mod log;
mod open;
mod projection;
mod record;
mod report;
mod rows;
mod state;
mod sums;
mod tail;
mod tiles;
mod walk;

pub use bundle::{
    BUNDLE_RECORDS_MAX, BodyReport, BundleFault, BundleReport, LogProven, RecordReport,
    verify_bundle,
};
pub use data::{Options, verify_data};
pub use error::VerifyError;
pub use keys::Trust;
pub use log::KeptCheckpoint;
pub use open::OpenedRecord;
pub use report::{FAULTS_LISTED_PER_KIND_MAX, Fault, FaultKind, LogReport, Mode, Place, Report};
pub use rows::verify_index;
