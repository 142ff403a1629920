//! Points in time: microseconds since the Unix epoch, written as RFC 3339 in UTC.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr, time::SystemTime};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Microseconds since 1970-01-01T00:00:00Z. Shown as `2026-11-21T03:04:05.000006Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not a time; write RFC 3339, such as 2026-11-21T00:00:00Z, or a date, such as 2026-11-21"
)]
pub struct TimestampError {
    /// What was found.
    pub found: String,
}

/// Latest time that four-digit years can show: 9999-12-31T23:59:59.999999Z.
const MICROS_MAX: i64 = 253_402_300_799_999_999;
/// Length of the text form.
const TEXT_BYTES: usize = 27;

impl Timestamp {
    /// The wall clock's time.
    pub fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_micros(i64::try_from(elapsed.as_micros()).unwrap_or(MICROS_MAX))
    }

    /// A time from microseconds since the epoch, clamped to years 1970 to 9999.
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 {
            0
        } else if micros > MICROS_MAX {
            MICROS_MAX
        } else {
            micros
        })
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The text form, without allocation (this is on the write path).
    pub fn to_text(self) -> [u8; TEXT_BYTES] {
        let (days, rest) = (self.0 / 86_400_000_000, self.0 % 86_400_000_000);
        let (year, month, day) = civil_from_days(days);
        let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put(&mut text[0..4], year);
        put(&mut text[5..7], month);
        put(&mut text[8..10], day);
        put(&mut text[11..13], seconds / 3600);
        put(&mut text[14..16], seconds / 60 % 60);
        put(&mut text[17..19], seconds % 60);
        put(&mut text[20..26], micros);
        text
    }
}

fn put(digits: &mut [u8], mut value: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day count since 1970-01-01 (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_text();
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339 with any offset, or a bare date (midnight UTC).
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let error = || TimestampError { found: text.chars().take(64).collect() };
        let dated;
        let full = if text.len() == 10 {
            dated = format!("{text}T00:00:00Z");
            &dated
        } else {
            text
        };
        let parsed = OffsetDateTime::parse(full, &Rfc3339).map_err(|_| error())?;
        let micros = i64::try_from(parsed.unix_timestamp_nanos() / 1_000).map_err(|_| error())?;
        if !(0..=MICROS_MAX).contains(&micros) {
            return Err(error());
        }
        Ok(Self(micros))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_form_agrees_with_time_crate(micros in 0..=MICROS_MAX) {
            let stamp = Timestamp::from_micros(micros);
            let parsed: Timestamp = stamp.to_string().parse().unwrap();
            prop_assert_eq!(parsed, stamp);
        }
    }

    #[test]
    fn dates_and_offsets_are_read() {
        assert_eq!("1970-01-02".parse::<Timestamp>().unwrap().as_micros(), 86_400_000_000);
        assert_eq!("1970-01-01T02:00:00+02:00".parse::<Timestamp>().unwrap().as_micros(), 0);
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
