#![doc = include_str!("../README.md")]

mod conditions;
mod connect;
mod decision_row;
mod events;
mod filters;
mod guard;
mod kept;
mod keys;
mod list;
mod metrics;
mod models;
mod pool;
mod reader;
mod rebuild;
mod rollup;
mod schema;
mod search;
mod sessions;
mod writer;

pub use guard::translate;
pub use reader::SqliteReader;
pub use rebuild::{Rebuild, rebuild};
pub use writer::SqliteWriter;
