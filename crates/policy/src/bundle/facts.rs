//! What policies see of a call. It is recorded with each decision and read back to try other
//! policies on it, so its JSON is compact, and fields it does not know are passed over.

use super::outcome::Stage;
use serde::{Deserialize, Serialize};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_HOUR: i64 = 3_600;
const SECONDS_PER_DAY: i64 = 86_400;

/// What policies see of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The calling application.
    pub source: String,
    /// The end user.
    pub user: String,
    /// The logical action.
    pub request_type: String,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The request or the answer.
    #[serde(skip_serializing_if = "is_default")]
    pub stage: Stage,
    /// The model asked for.
    pub model: String,
    /// The provider that it would go to, or came from.
    pub provider: String,
    /// Whether that provider signed a business associate agreement.
    #[serde(skip_serializing_if = "is_default")]
    pub baa: bool,
    /// Classes of data that detectors found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_classes: Vec<String>,
    /// What detectors found, by kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingFact>,
    /// Bytes of the request's body.
    #[serde(skip_serializing_if = "is_default")]
    pub request_bytes: u64,
    /// Bytes of the answer's body.
    #[serde(skip_serializing_if = "is_default")]
    pub answer_bytes: u64,
    /// Tokens of the request, estimated.
    #[serde(skip_serializing_if = "is_default")]
    pub estimated_tokens: u64,
    /// Roles of the messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Names of the tools that the model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools_offered: Vec<String>,
    /// Names of the tools that the answer calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools_called: Vec<String>,
    /// Whether a streamed answer was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub streamed: bool,
    /// When, in microseconds since 1970 (UTC).
    pub at: i64,
    /// What this user and this source did of late, this call left out.
    #[serde(skip_serializing_if = "is_default")]
    pub counters: Counters,
}

/// How often a kind was found. In JSON: `["email", 2, 100]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, u64, u8)", into = "(String, u64, u8)")]
pub struct FindingFact {
    /// The kind, as `email`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The highest score, 0 to 100.
    pub score: u8,
}

/// Requests and tokens of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Requests of this user.
    #[serde(skip_serializing_if = "is_default")]
    pub user_requests: Counts,
    /// Tokens of this user.
    #[serde(skip_serializing_if = "is_default")]
    pub user_tokens: Counts,
    /// Requests of this source.
    #[serde(skip_serializing_if = "is_default")]
    pub source_requests: Counts,
    /// Tokens of this source.
    #[serde(skip_serializing_if = "is_default")]
    pub source_tokens: Counts,
}

/// In the last minute, hour and day. In JSON: `[1, 20, 300]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 3]", into = "[u64; 3]")]
pub struct Counts {
    /// In the last minute.
    pub minute: u64,
    /// In the last hour.
    pub hour: u64,
    /// In the last day.
    pub day: u64,
}

// === impl Facts ===

impl Facts {
    /// The hour of the day in UTC, 0 to 23.
    pub const fn hour(&self) -> u8 {
        (self.second().rem_euclid(SECONDS_PER_DAY) / SECONDS_PER_HOUR) as u8
    }

    /// The day of the week in UTC, 1 (Monday) to 7 (Sunday).
    pub const fn weekday(&self) -> u8 {
        // The first of January 1970 was a Thursday.
        ((self.second().div_euclid(SECONDS_PER_DAY) + 3).rem_euclid(7) + 1) as u8
    }

    const fn second(&self) -> i64 {
        self.at.div_euclid(MICROS_PER_SECOND)
    }
}

// === impl FindingFact ===

impl FindingFact {
    /// A kind that was found; `score` from 0 to 1.
    pub fn new(kind: impl Into<String>, count: u64, score: f32) -> Self {
        Self { kind: kind.into(), count, score: (score.clamp(0.0, 1.0) * 100.0).round() as u8 }
    }
}

impl From<(String, u64, u8)> for FindingFact {
    fn from((kind, count, score): (String, u64, u8)) -> Self {
        Self { kind, count, score }
    }
}

impl From<FindingFact> for (String, u64, u8) {
    fn from(found: FindingFact) -> Self {
        (found.kind, found.count, found.score)
    }
}

// === impl Counts ===

impl From<[u64; 3]> for Counts {
    fn from([minute, hour, day]: [u64; 3]) -> Self {
        Self { minute, hour, day }
    }
}

impl From<Counts> for [u64; 3] {
    fn from(counts: Counts) -> Self {
        [counts.minute, counts.hour, counts.day]
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
