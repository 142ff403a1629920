//! Why a report, or a whole delivery, is not taken.

use recorder::RecordError;

/// Why one item of a delivery was not recorded. The others are not concerned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// A field is missing or says what cannot be.
    #[error("{field}: {what}")]
    Invalid {
        /// The field, with the names of those that it stands in.
        field: String,
        /// What is wrong, and what to write.
        what: String,
    },
    /// The key may not speak for this source.
    #[error("source: this key may report for {allowed:?} only")]
    Source {
        /// The only source that the key may name.
        allowed: String,
    },
    /// The id was used for something else.
    #[error(
        "id: {id:?} was delivered before with other content; give each report an id of its own"
    )]
    Conflict {
        /// The sender's id.
        id: String,
    },
    /// It could not be made durable.
    #[error(transparent)]
    Unrecorded(#[from] RecordError),
    /// An event of the same decision, in the same delivery, could not be recorded.
    #[error("not recorded, because the events of its decision are recorded together: {0}")]
    Together(String),
}

/// Why nothing of a delivery was taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// Not what can be taken at all.
    #[error("{0}")]
    Malformed(String),
    /// Too many items.
    #[error("a delivery holds at most {items_max} items, this one {items}; split it")]
    TooMany {
        /// How many there are.
        items: usize,
        /// How many may be.
        items_max: usize,
    },
    /// Too much is under way.
    #[error("too much is being delivered at once; try again in a second")]
    Busy,
    /// What was delivered before is still being read from the journal.
    #[error(
        "what was delivered before is still being read from the journal; try again in a second"
    )]
    NotReady,
    /// The memory of what was delivered fails.
    #[error("what was delivered before cannot be looked up: {0}")]
    Memory(String),
}

impl ItemError {
    pub(crate) fn invalid(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), what: what.into() }
    }

    /// The field that is wrong, where one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::Source { .. } => Some("source"),
            Self::Conflict { .. } => Some("id"),
            Self::Unrecorded(_) | Self::Together(_) => None,
        }
    }
}
