//! Exact amounts of money: integer picodollars, so that sums never drift.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Digits after the point.
const DECIMALS: usize = 12;
const PICO_PER_USD: i64 = 1_000_000_000_000;

/// US dollars as picodollars (10⁻¹²); up to about 9 million dollars in one amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

/// A text that is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not an amount in dollars; write a decimal such as 0.25 (below 9000000)")]
pub struct MoneyError {
    /// What was found, cut to 64 characters.
    pub found: String,
}

// === impl Money ===

impl Money {
    /// From picodollars.
    pub const fn from_pico(pico: i64) -> Self {
        Self(pico)
    }

    /// In picodollars.
    pub const fn as_pico(self) -> i64 {
        self.0
    }

    /// The decimal text of a sum that may be larger than one amount.
    pub fn text_of(pico: i128) -> String {
        let unit = i128::from(PICO_PER_USD);
        let sign = if pico < 0 { "-" } else { "" };
        let (whole, rest) = ((pico / unit).abs(), (pico % unit).abs());
        let mut text = format!("{sign}{whole}.{rest:012}");
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        text
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&Self::text_of(i128::from(self.0)))
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads a decimal. Digits beyond the twelfth after the point are rounded half up.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        parse(text).ok_or_else(|| MoneyError { found: text.chars().take(64).collect() }).map(Self)
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

fn parse(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits == "." || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let mut pico = 0_i64;
    for digit in whole.bytes() {
        pico = pico.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    pico = pico.checked_mul(PICO_PER_USD)?;
    let mut place = PICO_PER_USD / 10;
    for digit in fraction.bytes().take(DECIMALS) {
        pico = pico.checked_add(i64::from(digit - b'0') * place)?;
        place /= 10;
    }
    if fraction.as_bytes().get(DECIMALS).is_some_and(|digit| *digit >= b'5') {
        pico = pico.checked_add(1)?;
    }
    Some(if negative { -pico } else { pico })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_round_trips(pico: i64) {
            prop_assume!(pico != i64::MIN);
            let money = Money::from_pico(pico);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }

        #[test]
        fn any_text_is_an_amount_or_an_error(text in "\\PC{0,24}") {
            let _either = text.parse::<Money>();
        }
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!("0.0001475".parse::<Money>().unwrap().as_pico(), 147_500_000);
        assert_eq!("12".parse::<Money>().unwrap().to_string(), "12");
        assert_eq!(".5".parse::<Money>().unwrap().to_string(), "0.5");
        assert_eq!("0.0000000000005".parse::<Money>().unwrap().as_pico(), 1);
        for bad in ["", ".", "-", "1e3", "1,5", "9300000", "NaN"] {
            assert!(bad.parse::<Money>().is_err(), "{bad:?} was taken");
        }
    }
}
