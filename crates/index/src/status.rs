//! Statuses, as filters name them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

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
    }
}
