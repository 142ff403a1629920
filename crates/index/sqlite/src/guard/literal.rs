//! PostgreSQL's texts for times and intervals.

use event::Timestamp;

/// A span of time: months have no fixed length, the rest has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Months, years as twelve.
    pub months: i64,
    /// Microseconds.
    pub micros: i64,
}

/// Reads a time: `2024-01-31`, `2024-01-31 10:00`, `2024-01-31T10:00:00.5+02`, `now`, `today`,
/// `yesterday`, `tomorrow`. Without an offset it is UTC.
pub fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    const DAY: i64 = 86_400_000_000;
    let midnight = now.as_micros() - now.as_micros() % DAY;
    let text = text.trim();
    match text.to_lowercase().as_str() {
        "now" => return Some(now),
        "today" => return Some(Timestamp::from_micros(midnight)),
        "yesterday" => return Some(Timestamp::from_micros(midnight - DAY)),
        "tomorrow" => return Some(Timestamp::from_micros(midnight + DAY)),
        _ => {}
    }
    if !text.is_ascii() || text.len() < 10 {
        return None;
    }
    let (date, rest) = text.split_at(10);
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    if rest.is_empty() {
        return date.parse().ok();
    }
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let clock = match clock.trim_end() {
        clock if clock.len() == 5 => format!("{clock}:00"),
        clock => clock.to_owned(),
    };
    let zone = match zone {
        "" | "z" => "Z".to_owned(),
        zone if zone.len() == 3 => format!("{zone}:00"),
        zone if zone.len() == 5 && !zone.contains(':') => format!("{}:{}", &zone[..3], &zone[3..]),
        zone => zone.to_owned(),
    };
    format!("{date}T{clock}{zone}").parse().ok()
}

/// Reads an interval: `24 hours`, `1 day 02:30:00`, `-1.5 hours`, `1 mon`; with `unit` where the
/// unit stands apart (`INTERVAL '24' HOUR`).
pub fn span(text: &str, unit: Option<&str>) -> Option<Span> {
    let mut span = Span::default();
    let mut words = text.split_whitespace().peekable();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        if word.contains(':') {
            span.micros = span.micros.checked_add(clock(word)?)?;
            continue;
        }
        let split = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (number, attached) = word.split_at(split);
        let number: f64 = number.parse().ok().filter(|number: &f64| number.abs() < 1e9)?;
        let name = match (attached, unit) {
            ("", Some(unit)) => unit,
            ("", None) => words.next().unwrap_or("second"),
            (attached, _) => attached,
        };
        let name = name.to_lowercase();
        let name = name.trim_end_matches('s');
        let (months, micros) = match name {
            "year" | "yr" | "y" => (12.0, 0.0),
            "month" | "mon" => (1.0, 0.0),
            "week" | "w" => (0.0, 604_800e6),
            "day" | "d" => (0.0, 86_400e6),
            "hour" | "hr" | "h" => (0.0, 3_600e6),
            "minute" | "min" | "m" => (0.0, 60e6),
            "second" | "sec" | "" => (0.0, 1e6),
            "millisecond" | "msec" => (0.0, 1e3),
            "microsecond" | "usec" => (0.0, 1.0),
            _ => return None,
        };
        span.months = span.months.checked_add((number * months) as i64)?;
        span.micros = span.micros.checked_add((number * micros).round() as i64)?;
    }
    any.then_some(span)
}

fn clock(word: &str) -> Option<i64> {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |rest| (-1, rest));
    let mut parts = digits.split(':');
    let hours: u32 = parts.next()?.parse().ok()?;
    let minutes: u32 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().map_or(Some(0.0), |text| text.parse().ok())?;
    if parts.next().is_some() || !(0.0..60.0).contains(&seconds) || minutes > 59 {
        return None;
    }
    let whole = (i64::from(hours) * 60 + i64::from(minutes)) * 60_000_000;
    Some(sign * (whole + (seconds * 1e6).round() as i64))
}

/// A time and a span after it (before it, where negative); months end on their last day at most.
pub fn add(at: Timestamp, span: Span) -> Option<Timestamp> {
    let text = at.to_string();
    let (year, month, day): (i64, i64, i64) =
        (text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..10].parse().ok()?);
    let months = (year * 12 + month - 1).checked_add(span.months)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    if !(1970..=9999).contains(&year) {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let moved: Timestamp =
        format!("{year:04}-{month:02}-{:02}{}", day.min(last), &text[10..]).parse().ok()?;
    Some(Timestamp::from_micros(moved.as_micros().checked_add(span.micros)?))
}

/// `date_trunc`: the begin of the unit that a time lies in.
pub fn truncate(unit: &str, at: Timestamp) -> Option<Timestamp> {
    const DAY: i64 = 86_400_000_000;
    let micros = at.as_micros();
    let down = |width: i64| Some(Timestamp::from_micros(micros - micros % width));
    let text = at.to_string();
    match unit.to_lowercase().as_str() {
        "second" => down(1_000_000),
        "minute" => down(60_000_000),
        "hour" => down(3_600_000_000),
        "day" => down(DAY),
        // The epoch was a Thursday; weeks begin on Mondays.
        "week" => {
            let day = micros / DAY;
            Some(Timestamp::from_micros((day - (day + 3) % 7) * DAY))
        }
        "month" => format!("{}-01", &text[..7]).parse().ok(),
        "quarter" => {
            let month: u32 = text[5..7].parse().ok()?;
            format!("{}-{:02}-01", &text[..4], (month - 1) / 3 * 3 + 1).parse().ok()
        }
        "year" => format!("{}-01-01", &text[..4]).parse().ok(),
        _ => None,
    }
}

/// `EXTRACT`: a field of a time as a number.
pub fn field(name: &str, at: Timestamp) -> Option<f64> {
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<f64>().ok();
    match name.to_lowercase().as_str() {
        "epoch" => Some(at.as_micros() as f64 / 1e6),
        "year" => part(0..4),
        "quarter" => part(5..7).map(|month| ((month - 1.0) / 3.0).floor() + 1.0),
        "month" => part(5..7),
        "day" => part(8..10),
        "hour" => part(11..13),
        "minute" => part(14..16),
        "second" => part(17..26),
        "dow" => Some(((at.as_micros() / 86_400_000_000 + 4) % 7) as f64),
        "isodow" => Some(((at.as_micros() / 86_400_000_000 + 3) % 7 + 1) as f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_as_postgresql_reads_them() {
        let now = at("2024-03-05T12:34:56Z");
        let cases = [
            ("2024-01-31", "2024-01-31T00:00:00Z"),
            ("2024-01-31 10:00", "2024-01-31T10:00:00Z"),
            ("2024-01-31 10:00:01.5+02", "2024-01-31T08:00:01.5Z"),
            ("2024-01-31T10:00:00-0130", "2024-01-31T11:30:00Z"),
            ("today", "2024-03-05"),
            ("Yesterday", "2024-03-04"),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text, now), Some(at(expected)), "{text}");
        }
        for bad in ["", "soon", "2024-13-01", "2024-01-31 25:00", "é024-01-31"] {
            assert_eq!(time(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn spans_as_postgresql_reads_them() {
        let micros = |micros| Some(Span { months: 0, micros });
        assert_eq!(span("24 hours", None), micros(86_400_000_000));
        assert_eq!(span("24", Some("HOUR")), micros(86_400_000_000));
        assert_eq!(span("1 day 02:30:00", None), micros(95_400_000_000));
        assert_eq!(span("-1.5 hours", None), micros(-5_400_000_000));
        assert_eq!(span("90s", None), micros(90_000_000));
        assert_eq!(span("1 year 2 mons", None), Some(Span { months: 14, micros: 0 }));
        for bad in ["", "soon", "1 fortnight", "99:99", "1e300 days", "NaN days"] {
            assert_eq!(span(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn calendars() {
        let month = Span { months: 1, micros: 0 };
        assert_eq!(add(at("2024-01-31"), month), Some(at("2024-02-29")));
        assert_eq!(add(at("2024-01-31"), Span { months: -2, micros: 0 }), Some(at("2023-11-30")));
        assert_eq!(truncate("week", at("2024-03-05T12:00:00Z")), Some(at("2024-03-04")));
        assert_eq!(truncate("quarter", at("2024-06-05")), Some(at("2024-04-01")));
        assert_eq!(field("dow", at("2024-03-05")), Some(2.0));
        assert_eq!(truncate("moon", at("2024-06-05")), None);
    }
}
