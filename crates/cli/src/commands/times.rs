//! Times as people type them.

use event::Timestamp;
use std::str::FromStr;

const SECOND_US: i64 = 1_000_000;

/// A time: RFC 3339, a date (its beginning in UTC), or a span before now.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    parse_at(text, Timestamp::now())
}

fn parse_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let back = |span: i64| Timestamp::from_micros(now.as_micros().saturating_sub(span));
    if let Some(span) = span_us(text) {
        return Ok(back(span));
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::from_str(&whole).map_err(|_| {
        "allowed: RFC 3339 as 2026-11-20T08:00:00Z, a date, or a span back from now as 15m, 2h, 7d"
            .to_owned()
    })
}

/// A span of time as `90s`, `15m`, `2h`, `7d`, in seconds.
pub fn span_s(text: &str) -> Result<u64, String> {
    span_us(text)
        .and_then(|span| u64::try_from(span / SECOND_US).ok())
        .ok_or_else(|| "allowed: a number with s, m, h or d, as 90d".to_owned())
}

/// The time so many seconds from now.
pub fn after(span_s: u64) -> Timestamp {
    let span_us = i64::try_from(span_s).unwrap_or(i64::MAX).saturating_mul(SECOND_US);
    Timestamp::from_micros(Timestamp::now().as_micros().saturating_add(span_us))
}

fn span_us(text: &str) -> Option<i64> {
    let unit_s = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let count: u32 = text[..text.len() - 1].parse().ok()?;
    i64::from(count).checked_mul(unit_s * SECOND_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_dates_and_spans() {
        let now = Timestamp::from_str("2026-11-20T08:00:00Z").unwrap();
        let at = |text| parse_at(text, now).unwrap().to_string();
        assert_eq!(at("90m"), "2026-11-20T06:30:00.000000Z");
        assert_eq!(at("2d"), "2026-11-18T08:00:00.000000Z");
        assert_eq!(at("2026-11-19"), "2026-11-19T00:00:00.000000Z");
        assert_eq!(at("2026-11-19T10:00:00+02:00"), "2026-11-19T08:00:00.000000Z");
        for bad in ["", "m", "-5m", "yesterday", "2026-13-01", "99999999999d", "5é"] {
            assert!(parse_at(bad, now).is_err(), "{bad:?} was taken");
        }
        assert_eq!(span_s("2h"), Ok(7200));
        assert!(span_s("2").is_err());
    }
}
