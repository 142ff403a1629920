//! What is said of a decision afterwards.

use event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Whether a decision stood.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutcomeWish {
    /// `upheld`, `overridden` or `appealed`.
    #[schema(example = "overridden")]
    pub outcome: String,
    /// Why, in 1 to 4096 bytes. It is recorded.
    pub reason: String,
    /// Who decided so. With a key only: people are who they signed in as.
    #[serde(default)]
    pub decided_by: Option<String>,
    /// When it was decided, where that was earlier.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
}

/// A mark for an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagWish {
    /// Whether it is marked from now on; null: it is.
    #[serde(default)]
    pub flagged: Option<bool>,
    /// The incident.
    #[serde(default)]
    pub incident: Option<String>,
    /// Why, in 1 to 4096 bytes. It is recorded.
    pub note: String,
}

/// What was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Noted {
    /// The decision.
    pub decision_id: Uuid,
    /// The event.
    pub event_id: Uuid,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
}
