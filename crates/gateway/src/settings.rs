//! What the gateway is told: addresses, limits, providers.

use http::{HeaderValue, Uri};
use ipnet::IpNet;
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

impl ProviderKind {
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
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).finish_non_exhaustive()
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
}
