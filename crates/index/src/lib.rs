#![doc = include_str!("../README.md")]

#[cfg(feature = "testing")]
pub mod contract;
mod cursor;
mod error;
mod filter;
mod histogram;
mod join;
mod metrics;
mod models;
mod money;
mod page;
mod record;
mod rows;
mod search;
mod status;
mod store;
mod sums;
mod text;

pub use cursor::{Cursor, CursorError};
pub use error::{Error, Result};
pub use filter::{DecisionFilter, EventFilter, SessionFilter, Sort, Unfolded};
pub use histogram::Histogram;
pub use join::{Fold, write_event_data};
pub use metrics::{
    Dimension, GROUP_BY_MAX, Group, Interval, Measures, Metrics, MetricsQuery, Point, Tally,
};
pub use models::{MODELS_MAX, ModelQuery, ModelSeen};
pub use money::{Money, MoneyError};
pub use page::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page, PageKey};
pub use record::ProjectedRecord;
pub use rows::{
    DecisionPage, EventPage, EventRow, Events, Found, RecordPointer, Relation, Session,
    SessionPage, SqlLimits, SqlResult, Status,
};
pub use search::{
    CountField, Expr, Has, Match, Op, SEARCH_BYTES_MAX, SEARCH_DEPTH_MAX, SEARCH_TERMS_MAX, Search,
    SearchError, Term, TextField,
};
pub use status::{FilterError, StatusFilter};
pub use store::{IndexReader, IndexWriter};
pub use sums::{KeptSums, SumKey, SumKind, day_of};
pub use text::{SearchTerm, holds_phrase, search_terms, write_terms};
