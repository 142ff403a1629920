#![doc = include_str!("../README.md")]

#[cfg(feature = "testing")]
pub mod contract;
mod cursor;
mod error;
mod filter;
mod histogram;
mod join;
mod metrics;
mod money;
mod page;
mod record;
mod rows;
mod store;
mod sums;
mod text;

pub use cursor::{Cursor, CursorError};
pub use error::{Error, Result};
pub use filter::{DecisionFilter, EventFilter, FilterError, SessionFilter, Sort, StatusFilter};
pub use histogram::Histogram;
pub use join::{Fold, write_event_data};
pub use metrics::{Dimension, Group, Interval, Measures, Metrics, MetricsQuery, Point, Tally};
pub use money::{Money, MoneyError};
pub use page::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page, PageKey};
pub use record::ProjectedRecord;
pub use rows::{
    DecisionPage, EventPage, EventRow, Events, Found, RecordPointer, Session, SessionPage,
    SqlLimits, SqlResult, Status,
};
pub use store::{IndexReader, IndexWriter};
pub use sums::{KeptSums, SumKey, SumKind, day_of};
pub use text::{SearchTerm, search_terms, write_terms};
