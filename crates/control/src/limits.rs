//! How much a key may be used: a rate with a burst, and quotas of a day (UTC).

use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Requests of a rate, or of a burst, at most.
const REQUESTS_MAX: u32 = 1_000_000;
/// Billionths in one.
const NANOS: u64 = 1_000_000_000;

/// The limits of a key; what is none is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyLimits {
    /// Requests in a time.
    pub rate: Option<Rate>,
    /// Requests at once, where none came for a while; none: those of a second, at least one.
    pub burst: Option<u32>,
    /// Requests of a day.
    pub requests_per_day: Option<u64>,
    /// Tokens of a day, read and written.
    pub tokens_per_day: Option<u64>,
    /// Cost of a day, in US dollars.
    pub cost_per_day: Option<Usd>,
}

/// A number of requests in a second, a minute or an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    requests: u32,
    per_s: u32,
}

/// An amount of US dollars, in billionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Usd(u64);

/// What was used on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayUse {
    /// Days since 1970 (UTC).
    pub day: i64,
    /// Requests that were let through.
    pub requests: u64,
    /// Tokens, as far as known.
    pub tokens: u64,
    /// Cost, as far as known.
    pub cost: Usd,
}

// === impl KeyLimits ===

impl KeyLimits {
    /// Whether nothing is limited.
    pub const fn is_none(&self) -> bool {
        self.rate.is_none()
            && self.requests_per_day.is_none()
            && self.tokens_per_day.is_none()
            && self.cost_per_day.is_none()
    }

    /// These, and of the others what these lack.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        Self {
            // A burst belongs to its rate.
            burst: if self.rate.is_some() { self.burst } else { self.burst.or(others.burst) },
            rate: self.rate.or(others.rate),
            requests_per_day: self.requests_per_day.or(others.requests_per_day),
            tokens_per_day: self.tokens_per_day.or(others.tokens_per_day),
            cost_per_day: self.cost_per_day.or(others.cost_per_day),
        }
    }

    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// [`Error::Invalid`], with what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        if self.burst.is_some_and(|burst| !(1..=REQUESTS_MAX).contains(&burst)) {
            return Err(Error::Invalid { what: "the burst", allowed: "1 to 1000000 requests" });
        }
        Ok(())
    }

    /// Requests at once.
    pub(crate) fn burst(&self) -> u32 {
        let of_a_second = self.rate.map_or(1, |rate| rate.requests / rate.per_s.max(1));
        self.burst.unwrap_or(of_a_second).max(1)
    }
}

// === impl Rate ===

impl Rate {
    /// So many in a second; at least one.
    pub const fn per_second(requests: u32) -> Self {
        Self { requests: if requests == 0 { 1 } else { requests }, per_s: 1 }
    }

    /// The time of one request.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_secs(u64::from(self.per_s)) / self.requests.max(1)
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const WRONG: Error =
            Error::Invalid { what: "the rate", allowed: "1 to 1000000 in s, m or h, as 10/s" };
        let (requests, unit) = text.split_once('/').ok_or(WRONG)?;
        let per_s = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return Err(WRONG),
        };
        let requests = requests.trim().parse().map_err(|_| WRONG)?;
        if !(1..=REQUESTS_MAX).contains(&requests) {
            return Err(WRONG);
        }
        Ok(Self { requests, per_s })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per_s {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}", self.requests)
    }
}

impl TryFrom<String> for Rate {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

// === impl Usd ===

impl Usd {
    /// From billionths.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// In billionths.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// A decimal, what is below a billionth rounded up; none where it is no amount.
    pub fn parse_up(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let kept = &fraction[..fraction.len().min(9)];
        let below = fraction[kept.len()..].bytes().any(|digit| digit != b'0');
        let nanos: u64 = format!("{kept:0<9}").parse().ok()?;
        let sum = whole.checked_mul(NANOS)?.checked_add(nanos)?.checked_add(below.into())?;
        // SQLite's integers.
        i64::try_from(sum).is_ok().then_some(Self(sum))
    }
}

impl FromStr for Usd {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse_up(text.trim()).ok_or(Error::Invalid {
            what: "the amount",
            allowed: "US dollars as a decimal number, as 25 or 0.50",
        })
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0 / NANOS, self.0 % NANOS);
        if nanos == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl TryFrom<String> for Usd {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Usd> for String {
    fn from(amount: Usd) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_amounts_are_read_as_they_are_written() {
        for text in ["10/s", "600/m", "1/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "10", "0/s", "10/d", "-1/s", "1.5/s", "9999999/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text:?}");
        }
        for text in ["0", "25", "0.5", "0.0001475", "9223372036.854775807"] {
            assert_eq!(text.parse::<Usd>().unwrap().to_string(), text);
        }
        for text in ["", ".", "-1", "1e3", "9223372036.854775808", "1.2.3", "$1"] {
            assert!(text.parse::<Usd>().is_err(), "{text:?}");
        }
        assert_eq!(Usd::parse_up("0.0000000001"), Some(Usd(1)), "rounded up");
    }

    #[test]
    fn a_key_s_own_limits_stand_above_the_defaults() {
        let own =
            KeyLimits { rate: "1/s".parse().ok(), tokens_per_day: Some(5), ..KeyLimits::default() };
        let defaults = KeyLimits {
            rate: "100/s".parse().ok(),
            burst: Some(50),
            requests_per_day: Some(7),
            tokens_per_day: Some(9),
            cost_per_day: None,
        };
        let both = own.or(&defaults);
        assert_eq!((both.rate, both.burst()), ("1/s".parse().ok(), 1));
        assert_eq!((both.requests_per_day, both.tokens_per_day), (Some(7), Some(5)));
        assert_eq!(KeyLimits::default().or(&defaults), defaults);
        assert!(KeyLimits::default().is_none() && !own.is_none());
    }
}
