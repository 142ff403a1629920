#![doc = include_str!("../README.md")]

mod age;
mod body;
mod core;
mod decision;
mod encode;
mod error;
mod files;
mod gap;
mod held;
mod indexer;
mod late;
mod open;
mod open_calls;
mod pace;
mod persons;
mod project;
mod proof;
mod read;
mod recorder;
mod recovery;
mod report;
mod sealer;
mod state;
#[cfg(test)]
mod tests;
mod workers;

pub use age::Age;
pub use body::BodyWriter;
pub use decision::{DecisionIds, DecisionWriter};
pub use error::{BODY_BYTES_MAX, EVENTS_MAX, ReadError, RecordError};
pub use files::LedgerFiles;
pub use held::{HeldCall, HeldPart, HeldProgress, Hold};
pub use indexer::IndexerError;
pub use open::{OpenError, OpenedIndex, Options, Running, open, open_holding, start_epoch};
pub use persons::{PersonNames, Persons};
pub use project::{Projector, cursor_of, position_of};
pub use proof::{ProofError, prove};
pub use read::{KeyedPayload, OpenedRecord, RecordReader, StoredBody, StoredRecord};
pub use record::{Role, record_id};
pub use recorder::Recorder;
pub use recovery::InterruptedError;
pub use report::{Drafted, REPORT_BODIES_BYTES_MAX, Receipt, Report};
pub use sealer::SealerError;
pub use state::{SignedState, StateError, StateStore};
