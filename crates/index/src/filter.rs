//! What can be asked for: the parameters of the contract's lists.

use crate::{Money, MoneyError};
use event::{Component, EventType, Origin, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Which decisions, and in what order. Unset fields do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionFilter {
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// The logical action.
    pub decision_type: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The model, as asked for or as served.
    pub model: Option<String>,
    /// Status or class of statuses.
    pub status: Option<StatusFilter>,
    /// What policies decided.
    pub outcome: Option<String>,
    /// A violated policy.
    pub policy_id: Option<String>,
    /// How it came to be known.
    pub origin: Option<Origin>,
    /// The trace.
    pub trace_id: Option<Uuid>,
    /// Not before (inclusive).
    pub from: Option<Timestamp>,
    /// Before (exclusive).
    pub to: Option<Timestamp>,
    /// At least this slow, in milliseconds.
    pub min_latency_ms: Option<f64>,
    /// At least this dear.
    pub min_cost_usd: Option<Money>,
    /// Words in the previews; all of them must occur in the prompt, or all in the answer.
    pub q: Option<String>,
    /// The order.
    pub sort: Sort,
}

/// The order of a list of decisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sort {
    /// Newest first.
    #[default]
    #[serde(rename = "-timestamp")]
    Newest,
    /// Oldest first.
    #[serde(rename = "timestamp")]
    Oldest,
    /// Slowest first; decisions without a latency are left out.
    #[serde(rename = "-latency_ms")]
    Slowest,
    /// Dearest first; decisions without a known cost are left out.
    #[serde(rename = "-cost_usd")]
    Dearest,
}

/// Statuses of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// One status.
    Code(u16),
    /// A class: 4 for `4xx`.
    Class(u8),
    /// Every call that went wrong: status of 400 and above, or cut off.
    Error,
    /// Calls that have not ended.
    Running,
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// The trace.
    pub trace_id: Option<Uuid>,
    /// The request.
    pub request_id: Option<String>,
    /// The decision.
    pub decision_id: Option<Uuid>,
    /// The end user.
    pub user_id: Option<String>,
    /// The type.
    pub event_type: Option<EventType>,
    /// The owning component.
    pub component: Option<Component>,
    /// Not before (inclusive).
    pub from: Option<Timestamp>,
    /// Before (exclusive).
    pub to: Option<Timestamp>,
}

/// Which sessions: those with a decision that fits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionFilter {
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// Last active not before (inclusive).
    pub from: Option<Timestamp>,
    /// Last active before (exclusive).
    pub to: Option<Timestamp>,
}

/// A filter value that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {what}; allowed: {allowed}")]
pub struct FilterError {
    /// What was expected, with its article.
    pub what: &'static str,
    /// What was found, cut to 64 characters.
    pub found: String,
    /// What is allowed.
    pub allowed: &'static str,
}

// === impl Sort ===

impl Sort {
    /// The name in queries; a leading `-` means descending.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "-timestamp",
            Self::Oldest => "timestamp",
            Self::Slowest => "-latency_ms",
            Self::Dearest => "-cost_usd",
        }
    }
}

impl FromStr for Sort {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let all = [Self::Newest, Self::Oldest, Self::Slowest, Self::Dearest];
        all.into_iter().find(|sort| sort.as_str() == text).ok_or_else(|| FilterError {
            what: "an order",
            found: text.chars().take(64).collect(),
            allowed: "-timestamp, timestamp, -latency_ms, -cost_usd",
        })
    }
}

// === impl StatusFilter ===

impl StatusFilter {
    /// Whether a call with this status (none while it runs) and error code fits.
    pub fn fits(self, status_code: Option<u16>, settled: bool) -> bool {
        match self {
            Self::Code(code) => status_code == Some(code),
            Self::Class(class) => status_code.is_some_and(|code| code / 100 == u16::from(class)),
            Self::Error => status_code.map_or(settled, |code| code >= 400),
            Self::Running => !settled,
        }
    }
}

impl fmt::Display for StatusFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Class(class) => write!(f, "{class}xx"),
            Self::Error => f.write_str("error"),
            Self::Running => f.write_str("running"),
        }
    }
}

impl FromStr for StatusFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let error = || FilterError {
            what: "a status",
            found: text.chars().take(64).collect(),
            allowed: "100 to 599, 1xx to 5xx, error, running",
        };
        match text {
            "error" => return Ok(Self::Error),
            "running" => return Ok(Self::Running),
            _ => {}
        }
        if let Some(class) = text.strip_suffix("xx") {
            let class = class.parse().map_err(|_| error())?;
            return if (1..=5).contains(&class) { Ok(Self::Class(class)) } else { Err(error()) };
        }
        let code = text.parse().map_err(|_| error())?;
        if (100..600).contains(&code) { Ok(Self::Code(code)) } else { Err(error()) }
    }
}

impl Serialize for StatusFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: MoneyError| serde::de::Error::custom(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for text in ["200", "5xx", "error", "running"] {
            assert_eq!(text.parse::<StatusFilter>().unwrap().to_string(), text);
        }
        for bad in ["", "99", "600", "0xx", "6xx", "ok", "20x"] {
            assert!(bad.parse::<StatusFilter>().is_err(), "{bad:?} was taken");
        }
        assert_eq!("-latency_ms".parse::<Sort>().unwrap(), Sort::Slowest);
        assert!("latency".parse::<Sort>().is_err());
    }
}
