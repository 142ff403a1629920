//! The index on SQLite: one file, one writer, a few readers.
//!
//! `audit_events` and `audit_logs` are real tables, readable with any SQLite tool; triggers refuse
//! every change that is not the indexer's. The file is a view of the journal: it can be deleted,
//! and is then built again.

mod conditions;
mod connect;
mod decision_row;
mod events;
mod filters;
mod guard;
mod keys;
mod list;
mod metrics;
mod pool;
mod reader;
mod rebuild;
mod rollup;
mod schema;
mod sessions;
mod writer;

pub use guard::translate;
pub use reader::SqliteReader;
pub use rebuild::{Rebuild, rebuild};
pub use writer::SqliteWriter;
