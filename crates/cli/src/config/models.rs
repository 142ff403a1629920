//! `[[models]]` and `[limits]`, with their defaults.

use control::KeyLimits;
use serde::{Deserialize, Serialize};

/// `[limits]`: those of keys that have none of their own.
pub type Limits = KeyLimits;

/// `[[models]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name that callers use.
    pub name: String,
    /// How a target is chosen.
    #[serde(default)]
    pub strategy: Strategy,
    /// What it stands for.
    pub targets: Vec<Target>,
    /// Who answers for its use.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whether its use is approved: the operator's own word.
    #[serde(default)]
    pub approval: Option<String>,
    /// Tokens that it can take in.
    #[serde(default)]
    pub context_tokens: Option<u64>,
    /// Further attempts at the same target at most.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Attempts of one call at most, over all targets.
    #[serde(default)]
    pub attempts_max: Option<u32>,
    /// Pause before the first further attempt; doubles each time.
    #[serde(default)]
    pub backoff_ms: Option<u64>,
    /// The longest `Retry-After` that is waited for.
    #[serde(default)]
    pub retry_after_max_ms: Option<u64>,
    /// Failures in a row after which a target is left alone.
    #[serde(default)]
    pub breaker_failures: Option<u32>,
    /// How long it is left alone before one call may try.
    #[serde(default)]
    pub breaker_open_ms: Option<u64>,
}

/// `models.strategy`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// In the order given.
    #[default]
    Priority,
    /// By weight.
    Weighted,
    /// The faster of two, of late.
    LeastLatency,
}

/// `models.targets`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name of the provider.
    pub provider: String,
    /// Name of the model, or of Azure's deployment, there.
    pub model: String,
    /// Its share, with `weighted`; 0: only where all others failed.
    #[serde(default = "one")]
    pub weight: u32,
    /// Calls at once at most.
    #[serde(default)]
    pub concurrency_max: Option<usize>,
    /// How long a call waits for its turn where no other target has room.
    #[serde(default)]
    pub queue_ms: Option<u64>,
    /// For a connection; none: as `gateway.connect_ms`.
    #[serde(default)]
    pub connect_ms: Option<u64>,
    /// From a request to the head of its answer; none: as `gateway.first_byte_ms`.
    #[serde(default)]
    pub first_byte_ms: Option<u64>,
    /// Between two pieces of an answer; none: as `gateway.idle_ms`.
    #[serde(default)]
    pub idle_ms: Option<u64>,
    /// From a request to the end of its answer; none: any time.
    #[serde(default)]
    pub total_ms: Option<u64>,
}

const fn one() -> u32 {
    1
}
