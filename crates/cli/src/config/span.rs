//! Spans of time as people write them.

use super::values::shown;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The units, smallest first, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A span of time, as `25s` or `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(end);
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let millis = unit.and_then(|(_, unit)| count.parse::<u64>().ok()?.checked_mul(*unit));
        millis.map(|millis| Self(Duration::from_millis(millis))).ok_or_else(|| {
            format!("found {}, allowed: a number with ms, s, m, h or d, as 25s", shown(&text))
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = UNITS.iter().rev().find(|(_, unit)| millis % unit == 0 && millis >= *unit);
        let (name, unit) = whole.copied().unwrap_or(("s", 1_000));
        write!(f, "{}{name}", millis / unit)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_a_unit_and_read_back() {
        for text in ["25s", "24h", "500ms", "7d", "90m", "0s"] {
            let span = Span::try_from(text.to_owned()).unwrap();
            assert_eq!(Span::try_from(span.to_string()), Ok(span), "{text}");
        }
        let hour = Span::try_from("60m".to_owned()).unwrap();
        assert_eq!((hour.0, hour.to_string()), (Duration::from_hours(1), "1h".to_owned()));
        for bad in ["", "25", "s", "-1s", "1.5s", "1 s", "1w", "99999999999999999999s", "5é"] {
            assert!(Span::try_from(bad.to_owned()).is_err(), "{bad:?} was taken");
        }
    }
}
