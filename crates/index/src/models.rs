//! The models that decisions name.

use event::Timestamp;
use serde::Serialize;

/// Models that are listed at most.
pub const MODELS_MAX: usize = 1_000;

/// Whose models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelQuery {
    /// The calling application.
    pub source: Option<String>,
    /// The end user; taken from base rows, and so bounded.
    pub user_id: Option<String>,
}

/// What is known of a model from its decisions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSeen {
    /// The provider; null where none answered.
    pub provider: Option<String>,
    /// The model, as served; as asked for where none served.
    pub model: String,
    /// Its first decision.
    pub first_seen: Timestamp,
    /// Its last decision.
    pub last_seen: Timestamp,
    /// How many decisions.
    pub decisions: i64,
    /// Those that went wrong.
    pub errors: i64,
    /// Tokens read and written.
    pub total_tokens: i64,
    /// Sum of known costs, exact.
    pub cost_usd: String,
}
