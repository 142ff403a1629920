//! Token counts of one call.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where token counts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageOrigin {
    /// The provider reported them.
    Provider,
    /// We estimated them.
    Estimated,
    /// The sender of a report says so.
    Reported,
    /// Nobody knows.
    Unknown,
}

impl UsageOrigin {
    /// The name as written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Estimated => "estimated",
            Self::Reported => "reported",
            Self::Unknown => "unknown",
        }
    }
}

/// Token counts, normalised: `input_tokens` counts everything the model read, cached tokens
/// included; `provider` is the provider's own usage object as it came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Sum, or the provider's own total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
    /// Tokens read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Tokens written to a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Tokens spent on reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// The provider's own object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Value>,
}
