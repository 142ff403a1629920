#![doc = include_str!("../README.md")]

mod answer;
mod batch;
mod canonical;
mod context;
mod decision;
mod error;
mod event_item;
mod fields;
mod ingest;
mod memory;
mod message;
mod plan;
mod prepared;
mod replay;
mod store;

pub use answer::ItemResult;
pub use batch::{DELIVERY_BYTES_MAX, ITEMS_MAX};
pub use context::{Reading, Sender};
pub use error::{DeliveryError, ItemError};
pub use ingest::{Ingest, Room};
