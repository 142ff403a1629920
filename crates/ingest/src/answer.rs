//! What a sender is told.

use crate::error::ItemError;
use uuid::Uuid;

/// What became of one item.
#[derive(Debug)]
pub struct ItemResult {
    /// Its place in the delivery, from 0.
    pub index: usize,
    /// The sender's id of it.
    pub id: Option<String>,
    /// Its fields that are kept without being understood.
    pub unknown_fields: Vec<String>,
    /// The decision as it is known here, durably recorded; or why it is not.
    pub recorded: Result<Uuid, ItemError>,
}
