//! The verifier.

mod bundle;
mod chain;
mod data;
mod error;
mod files;
mod keys;
mod leaf;
mod log;
mod open;
mod record;
mod report;
mod state;
mod tail;
mod tiles;
mod walk;

pub use bundle::{
    BUNDLE_RECORDS_MAX, BodyReport, BundleFault, BundleReport, RecordReport, verify_bundle,
};
pub use data::{Options, verify_data};
pub use error::VerifyError;
pub use keys::Trust;
pub use log::KeptCheckpoint;
pub use open::OpenedRecord;
pub use report::{FAULTS_LISTED_PER_KIND_MAX, Fault, FaultKind, LogReport, Mode, Place, Report};
