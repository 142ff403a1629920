//! What the gateway is told: addresses, limits, providers, models, policies.

use control::KeyLimits;
use http::{HeaderValue, Uri};
use ipnet::IpNet;
use review::Desk;
use std::sync::Arc;
use std::time::Duration;

/// How callers prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// By a key of ours with scope `gateway`.
    ApiKey,
    /// Not at all; the caller's own credentials go to the provider.
    None,
}

/// What happens to a call whose record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRecordFailure {
    /// It is refused.
    Refuse,
    /// It goes through, and a gap is recorded.
    Forward,
}

/// What a provider speaks, and so where its credential goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenAI and what is compatible with it.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Azure OpenAI.
    AzureOpenAi,
    /// Google Gemini.
    Gemini,
    /// Anything else.
    Generic,
}

/// What a provider understands: targets of one model have one in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's formats, on Azure too.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's.
    Gemini,
    /// Whatever it is sent.
    Any,
}

impl Dialect {
    /// What people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI's",
            Self::Anthropic => "Anthropic's",
            Self::Gemini => "Gemini's",
            Self::Any => "any",
        }
    }
}

impl ProviderKind {
    /// What it understands.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::OpenAi | Self::AzureOpenAi => Dialect::OpenAi,
            Self::Anthropic => Dialect::Anthropic,
            Self::Gemini => Dialect::Gemini,
            Self::Generic => Dialect::Any,
        }
    }

    /// The name as configured, and as the price catalogue knows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::AzureOpenAi => "azure-openai",
            Self::Gemini => "gemini",
            Self::Generic => "generic",
        }
    }
}

/// One provider.
#[derive(Clone)]
pub struct Provider {
    /// Its name in records and in `/passthrough/{name}/…`.
    pub name: String,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where it listens: scheme, host, and a path that goes in front of the request's.
    pub base_url: Uri,
    /// Our credential for it; then the caller's own is not passed on. Marked sensitive.
    pub api_key: Option<HeaderValue>,
    /// Whether `stream_options.include_usage` may be added where usage would be missing.
    pub inject_usage: bool,
    /// Whether it takes every format (an `--upstream` without configuration).
    pub takes_all: bool,
    /// Azure's `api-version`: requests then go to `/openai/deployments/{model}/…`; without one
    /// to `/openai/v1/…`.
    pub api_version: Option<String>,
    /// Whether a business associate agreement covers it (health data; policies ask).
    pub baa: bool,
}

impl Provider {
    /// What it understands.
    pub const fn dialect(&self) -> Dialect {
        if self.takes_all { Dialect::Any } else { self.kind.dialect() }
    }
}

impl Target {
    /// A target with the time limits of all.
    pub fn new(provider: &str, model: &str, timeouts: &Timeouts) -> Self {
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            weight: 1,
            concurrency_max: None,
            queue: Duration::from_secs(5),
            connect: timeouts.connect,
            first_byte: timeouts.first_byte,
            idle: timeouts.idle,
            total: None,
        }
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A logical model: what callers name, and who answers for it.
#[derive(Debug, Clone)]
pub struct Model {
    /// The name that callers use.
    pub name: String,
    /// How a target is chosen.
    pub strategy: Strategy,
    /// Who answers; all speak one format.
    pub targets: Vec<Target>,
    /// What happens after a failed attempt.
    pub retry: Retry,
    /// When a target is left alone.
    pub breaker: Breaker,
}

/// How a target is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// In the order given.
    Priority,
    /// By weight.
    Weighted,
    /// The faster of two, of late.
    LeastLatency,
}

impl Strategy {
    /// The name as configured, and in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Weighted => "weighted",
            Self::LeastLatency => "least-latency",
        }
    }
}

/// One model at one provider.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name of the provider.
    pub provider: String,
    /// Name of the model, or Azure's deployment, there.
    pub model: String,
    /// Its share, with [`Strategy::Weighted`]; 0: only where all others failed.
    pub weight: u32,
    /// Calls at once at most; none: any number.
    pub concurrency_max: Option<usize>,
    /// How long a call waits for its turn where no other target has room.
    pub queue: Duration,
    /// For a connection.
    pub connect: Duration,
    /// From a request to the head of its answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// From a request to the end of its answer; none: any time.
    pub total: Option<Duration>,
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Further attempts at the same target at most.
    pub retries: u32,
    /// Attempts of one call at most, over all targets.
    pub attempts_max: u32,
    /// Pause before the first further attempt; doubles each time.
    pub backoff: Duration,
    /// The longest `Retry-After` that is waited for.
    pub retry_after_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: 1,
            attempts_max: 4,
            backoff: Duration::from_millis(200),
            retry_after_max: Duration::from_secs(5),
        }
    }
}

/// When a target is left alone.
#[derive(Debug, Clone, Copy)]
pub struct Breaker {
    /// Failures in a row that open the circuit.
    pub failures: u32,
    /// How long it stays open before one call may try.
    pub open: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, open: Duration::from_secs(15) }
    }
}

/// Time limits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a request's head.
    pub header_read: Duration,
    /// For a request's body, whole.
    pub body_read: Duration,
    /// For a connection to a provider.
    pub connect: Duration,
    /// From a request to the head of its answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// For requests under way when the process is told to stop.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(20),
            body_read: Duration::from_secs(120),
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            drain: Duration::from_secs(30),
        }
    }
}

/// What calls are judged by.
#[derive(Debug, Clone)]
pub struct PolicySettings {
    /// The policies in force.
    pub policies: Arc<policy::Policies>,
    /// Whether policies that did not match are recorded, too.
    pub record_all: bool,
}

/// Everything the gateway is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How callers prove who they are.
    pub authentication: Authentication,
    /// Headers that every request must carry (lower case).
    pub required_headers: Vec<String>,
    /// Bytes of a request's body at most.
    pub body_bytes_max: usize,
    /// What happens to a call whose record cannot be written.
    pub on_record_failure: OnRecordFailure,
    /// Path prefix that is stripped before routing.
    pub base_path: String,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Characters of a preview at most.
    pub preview_chars: usize,
    /// Connections at once at most; more wait to be accepted.
    pub connections_max: usize,
    /// Time limits.
    pub timeouts: Timeouts,
    /// The providers, in order of preference.
    pub providers: Vec<Provider>,
    /// The models; none: every call goes to the provider of its format.
    pub models: Vec<Model>,
    /// Limits of keys that have none of their own.
    pub limits: KeyLimits,
    /// What is looked for in bodies and previews.
    pub detectors: Arc<policy::Detectors>,
    /// What calls are judged by; none: nothing.
    pub policies: Option<PolicySettings>,
    /// Where calls are held for persons; none: what a policy would hold is refused.
    pub desk: Option<Desk>,
}
