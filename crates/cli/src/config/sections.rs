//! Every key of the configuration, with its default.

use super::models::{Limits, Model};
use super::reviews::Reviews;
use super::{BaseUrl, Listen, Network, SecretRef};
use control::{KeyLimits, Rate};
use policy::DetectorSettings;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The whole configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data directory.
    pub data: PathBuf,
    /// The data plane.
    pub gateway: Gateway,
    /// What is kept of bodies in clear.
    pub capture: Capture,
    /// The record.
    pub journal: Journal,
    /// The Merkle log.
    pub ledger: Ledger,
    /// Where calls go.
    pub providers: Vec<Provider>,
    /// Logical models.
    pub models: Vec<Model>,
    /// Limits of keys that have none of their own.
    pub limits: Limits,
    /// What is looked for in bodies and previews.
    pub detectors: DetectorSettings,
    /// Policies.
    pub policies: Policies,
    /// Human review.
    pub reviews: Reviews,
    /// Who ends TLS.
    pub tls: Tls,
    /// The queryable projection.
    pub index: Index,
    /// The control plane.
    pub api: Api,
    /// Operational logs.
    pub log: Log,
}

/// `[gateway]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    /// Address and port.
    pub listen: Listen,
    /// How callers prove who they are.
    pub authentication: Authentication,
    /// Headers without which a call is refused.
    pub required_headers: Vec<String>,
    /// Bytes of a request's body at most.
    pub body_bytes_max: usize,
    /// What happens to a call whose record cannot be written.
    pub on_record_failure: OnRecordFailure,
    /// Path prefix that is stripped before routing.
    pub base_path: String,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// The one provider, where none are configured.
    pub upstream: Option<BaseUrl>,
    /// Connections at once at most.
    pub connections_max: usize,
    /// For a request's head.
    pub header_read_ms: u64,
    /// For a request's body, whole.
    pub body_read_ms: u64,
    /// For a connection to a provider.
    pub connect_ms: u64,
    /// From a request to the head of its answer.
    pub first_byte_ms: u64,
    /// Between two pieces of an answer.
    pub idle_ms: u64,
    /// For requests under way when the process is told to stop.
    pub drain_ms: u64,
}

/// `gateway.authentication`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// By a key of ours.
    ApiKey,
    /// Not at all.
    None,
}

/// `gateway.on_record_failure`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRecordFailure {
    /// Refuse the call.
    Refuse,
    /// Let it through and leave a gap record.
    Forward,
}

/// `[capture]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capture {
    /// Characters of a preview at most.
    pub preview_chars: usize,
}

/// `[journal]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// When a record counts as written.
    pub durability: Durability,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// The tenant.
    pub tenant: String,
}

/// `journal.durability`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// When it is on disk.
    Disk,
    /// When the system has it: survives a kill, not a power cut.
    Process,
}

/// `[ledger]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// First part of the log's origin.
    pub origin: String,
    /// Directory of the last signed state; empty: beside the data directory.
    pub state_dir: PathBuf,
    /// Whether checkpoints and tiles are served without a key.
    pub public: bool,
    /// A sign of life is recorded this often.
    pub heartbeat_ms: u64,
}

/// `[[providers]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in records.
    pub name: String,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where it listens.
    pub base_url: BaseUrl,
    /// Our credential for it.
    #[serde(default)]
    pub api_key: Option<SecretRef>,
    /// Whether usage may be asked for where it would be missing.
    #[serde(default)]
    pub usage_injection: UsageInjection,
    /// Azure's `api-version`, with targets of models.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Whether a business associate agreement covers it.
    #[serde(default)]
    pub baa: bool,
}

/// `providers.kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// OpenAI and what is compatible with it.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Azure OpenAI.
    #[serde(rename = "azure-openai")]
    AzureOpenAi,
    /// Google Gemini.
    Gemini,
    /// Anything else.
    Generic,
}

/// `providers.usage_injection`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsageInjection {
    /// Where the format needs it (never for `generic`).
    #[default]
    Auto,
    /// Never.
    Never,
}

/// `[policies]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// Where they are; none: `policies`, if it exists.
    pub directory: Option<PathBuf>,
    /// Whether calls are judged at all.
    pub enabled: bool,
    /// Which evaluations are recorded one by one.
    pub record: RecordPolicies,
}

/// `policies.record`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordPolicies {
    /// Those that matched or failed.
    Matched,
    /// All.
    All,
}

/// `[tls]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Something in front ends TLS.
    pub terminated: bool,
}

/// `[index]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Index {
    /// `sqlite:PATH`; none: `index.db` in the data directory.
    pub url: Option<String>,
}

/// `[api]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Address and port.
    pub listen: Listen,
    /// How fast each person may ask.
    pub user_limits: Pace,
    /// How fast each key without a rate of its own may ask.
    pub key_limits: Pace,
}

/// `api.user_limits`, `api.key_limits`
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Requests in a second, a minute or an hour.
    pub rate: Rate,
    /// Requests at once, where none came for a while.
    pub burst: u32,
}

/// `[log]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is logged: `error` to `trace`, or a filter as `info,gateway=debug`.
    pub level: String,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

// === impl Config ===

impl Config {
    /// The file of the index, where the index is SQLite (checked when loaded).
    pub fn index_file(&self) -> PathBuf {
        match self.index.url.as_deref().and_then(|url| url.strip_prefix("sqlite:")) {
            Some(path) => PathBuf::from(path),
            None => self.data.join("index.db"),
        }
    }

    /// Directory of the last signed state.
    pub fn state_dir(&self) -> PathBuf {
        if self.ledger.state_dir != Path::new("") {
            return self.ledger.state_dir.clone();
        }
        // Beside the data directory, under its real name: a copy or a link of it is another one.
        let data = std::fs::canonicalize(&self.data).unwrap_or_else(|_| self.data.clone());
        let mut name = data.into_os_string();
        name.push(".state");
        PathBuf::from(name)
    }
}

impl Policies {
    /// The folder in force; none where there are no policies.
    pub fn folder(&self) -> Option<&Path> {
        const DEFAULT: &str = "policies";
        match &self.directory {
            _ if !self.enabled => None,
            Some(directory) => Some(directory),
            None => Some(Path::new(DEFAULT)).filter(|default| default.is_dir()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("audit-data"),
            gateway: Gateway::default(),
            capture: Capture::default(),
            journal: Journal::default(),
            ledger: Ledger::default(),
            providers: Vec::new(),
            models: Vec::new(),
            limits: Limits::default(),
            detectors: DetectorSettings::default(),
            policies: Policies::default(),
            reviews: Reviews::default(),
            tls: Tls::default(),
            index: Index::default(),
            api: Api::default(),
            log: Log::default(),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        let required = ["x-llm-source", "x-llm-user", "x-llm-request-type"];
        Self {
            listen: Listen::local(8000),
            authentication: Authentication::ApiKey,
            required_headers: required.map(str::to_owned).into(),
            body_bytes_max: 32 * 1024 * 1024,
            on_record_failure: OnRecordFailure::Refuse,
            base_path: String::new(),
            trusted_proxies: Vec::new(),
            upstream: None,
            connections_max: 8_192,
            header_read_ms: 20_000,
            body_read_ms: 120_000,
            connect_ms: 10_000,
            first_byte_ms: 600_000,
            idle_ms: 300_000,
            drain_ms: 30_000,
        }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self { preview_chars: 2_048 }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            durability: Durability::Disk,
            segment_bytes: 64 * 1024 * 1024,
            tenant: "default".to_owned(),
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            origin: "audit.local".to_owned(),
            state_dir: PathBuf::new(),
            public: false,
            heartbeat_ms: 60_000,
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self { directory: None, enabled: true, record: RecordPolicies::Matched }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: Listen::local(8080),
            user_limits: Pace { rate: Rate::per_second(100), burst: 500 },
            key_limits: Pace { rate: Rate::per_second(1_000), burst: 2_000 },
        }
    }
}

impl From<Pace> for KeyLimits {
    fn from(Pace { rate, burst }: Pace) -> Self {
        Self { rate: Some(rate), burst: Some(burst), ..Self::default() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Pretty, level: "info".to_owned() }
    }
}
