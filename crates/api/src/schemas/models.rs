//! Models, and what keys use.

use super::mirrors::{KeyLimitsItem, MetricsAnswer};
use control::KeyLimits;
use event::Timestamp;
use index::Metrics;
use serde::Serialize;
use utoipa::ToSchema;

/// The models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// Most used first.
    pub items: Vec<ModelItem>,
}

/// A model at a provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelItem {
    /// The name that callers use, where it is configured.
    pub name: Option<String>,
    /// The provider; null where none answered.
    pub provider: Option<String>,
    /// The model, as the provider names it.
    pub model: String,
    /// What of the name says which version it is.
    pub version: Option<String>,
    /// Tokens that it can take in, where configured.
    pub context_tokens: Option<u64>,
    /// US dollars for a million tokens read, where the catalogue has the model.
    pub input_usd_per_million: Option<String>,
    /// US dollars for a million tokens written.
    pub output_usd_per_million: Option<String>,
    /// Date of the price catalogue.
    pub price_catalogue: Option<String>,
    /// Its first decision.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_seen: Option<Timestamp>,
    /// Its last decision.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// How many decisions.
    pub decisions: i64,
    /// Those that went wrong.
    pub errors: i64,
    /// Tokens read and written.
    pub total_tokens: i64,
    /// Sum of known costs, exact.
    pub cost_usd: String,
    /// Who answers for its use, where configured.
    pub owner: Option<String>,
    /// Whether its use is approved, where configured.
    pub approval: Option<String>,
}

/// Sums and series, and what keys have used of the day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetricsShown {
    /// The sums.
    #[serde(flatten)]
    #[schema(value_type = MetricsAnswer)]
    pub metrics: Metrics,
    /// What keys have used of the day (UTC), where it is counted; for administrators and
    /// compliance officers.
    pub keys: Vec<KeyUse>,
}

/// What a key has used of the day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyUse {
    /// The key's id.
    pub id: String,
    /// The only source that it may name; null: any.
    pub source: Option<String>,
    /// Requests that were let through.
    pub requests: u64,
    /// Tokens, as far as known.
    pub tokens: u64,
    /// Cost, as far as known.
    pub cost_usd: String,
    /// How much it may be used; what is null is as configured for all keys.
    #[schema(value_type = KeyLimitsItem)]
    pub limits: KeyLimits,
}
