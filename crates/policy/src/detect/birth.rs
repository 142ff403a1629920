//! Dates of birth: a date beside a word that says so.

use super::checks::is_birth_date;
use super::kind::Builtin;
use super::scan::Scanner;
use super::text::Text;

/// How far behind its word a date may begin.
const AFTER_BYTES: usize = 48;
/// How far before its word a date may begin.
const BEFORE_BYTES: usize = 40;
const SCORE: f32 = 0.85;
/// Years before are those of history.
const YEAR_MIN: u64 = 1905;

/// Names of months by their first letters, in the languages that share them; Latin script.
#[rustfmt::skip]
const MONTHS: &[(&str, u64)] = &[
    ("jan", 1), ("janv", 1), ("ene", 1), ("gen", 1), ("sty", 1), ("oca", 1),
    ("feb", 2), ("fév", 2), ("fev", 2), ("lut", 2), ("şub", 2),
    ("mar", 3), ("mär", 3), ("mrt", 3), ("maa", 3),
    ("apr", 4), ("avr", 4), ("abr", 4), ("kwi", 4), ("nis", 4),
    ("may", 5), ("mai", 5), ("mag", 5), ("maj", 5), ("mei", 5),
    ("jun", 6), ("juin", 6), ("giu", 6), ("cze", 6), ("haz", 6),
    ("jul", 7), ("juil", 7), ("lug", 7), ("lip", 7), ("tem", 7),
    ("aug", 8), ("aoû", 8), ("ago", 8), ("sie", 8), ("ağu", 8),
    ("sep", 9), ("set", 9), ("wrz", 9), ("eyl", 9),
    ("oct", 10), ("okt", 10), ("out", 10), ("ott", 10), ("paź", 10), ("eki", 10),
    ("nov", 11), ("lis", 11), ("kas", 11),
    ("dec", 12), ("dez", 12), ("déc", 12), ("dic", 12), ("gru", 12), ("ara", 12),
    ("янв", 1), ("фев", 2), ("мар", 3), ("апр", 4), ("мая", 5), ("май", 5), ("июн", 6), ("июл", 7), ("авг", 8),
    ("сен", 9), ("окт", 10), ("ноя", 11), ("дек", 12),
];

/// Looks for a date behind the word from `start` to `end`, else before it.
pub(super) fn around(scan: &mut Scanner<'_>, start: usize, end: usize) {
    let text = scan.text;
    scan.steps += (AFTER_BYTES + BEFORE_BYTES) as u64;
    let stop = text.floor(end + AFTER_BYTES).max(end);
    let mut at = end;
    while at < stop {
        // Another sentence or line speaks of something else.
        // Not behind the single letter of an abbreviation.
        let word = text.before(at, 1).is_ascii_alphanumeric()
            && text.before(at, 2).is_ascii_alphanumeric();
        if matches!(text.byte(at), b'.' | b'?' | b'!')
            && text.byte(at + 1) == b' '
            && word
            && at > end
        {
            break;
        }
        if let Some(date) = date(text, at) {
            scan.add(Builtin::DateOfBirth, at, date, SCORE);
            return;
        }
        at = next(text, at);
    }
    let mut at = text.floor(start.saturating_sub(BEFORE_BYTES));
    while at < start {
        let found = date(text, at);
        if let Some(date) = found
            && is_beside(text, date, start)
        {
            scan.add(Builtin::DateOfBirth, at, date, SCORE);
            return;
        }
        at = next(text, at);
    }
}

/// Only blanks and brackets between a date and its word, or what says that it is one.
fn is_beside(text: Text<'_>, end: usize, start: usize) -> bool {
    let between = text.slice(end, start);
    let bare = between.iter().all(|byte| b" (-,:[".contains(byte));
    let verbs: [&[u8]; 6] = [b" is ", b" was ", b" as ", b" ist ", b" est ", b" es "];
    let said = verbs.iter().any(|verb| between.starts_with(verb))
        && !between.iter().any(|byte| byte.is_ascii_digit() || b".;\n".contains(byte));
    end <= start && (bare || said)
}

/// The next place where a date may begin.
fn next(text: Text<'_>, at: usize) -> usize {
    let word = text.run(at, AFTER_BYTES, |byte| byte.is_ascii_alphanumeric() || byte >= 0x80);
    let wide = text.byte(at) >= 0xE0;
    let mut to = if wide || word == 0 { at + 1 } else { at + word };
    while !text.text.is_char_boundary(to) {
        to += 1;
    }
    to
}

/// The end of the date at `at`.
fn date(text: Text<'_>, at: usize) -> Option<usize> {
    let first = text.byte(at);
    if !(first.is_ascii_alphabetic() || first.is_ascii_digit() || first >= 0xC3) {
        return None;
    }
    if text.before(at, 1).is_ascii_alphanumeric() && !text.is_escape(at) {
        return None;
    }
    if !first.is_ascii_digit() {
        return month_first(text, at);
    }
    let (one, end) = number(text, at)?;
    let sign = text.byte(end);
    if matches!(sign, b'-' | b'.' | b'/') {
        let space = usize::from(text.byte(end + 1) == b' ');
        if let Some((two, next)) = number(text, end + 1 + space)
            && text.byte(next) == sign
        {
            let space = usize::from(text.byte(next + 1) == b' ');
            let (three, end) = number(text, next + 1 + space)?;
            return is_date(one, two, three).then_some(end);
        }
    }
    if end - at == 8 {
        let valid = is_birth_date(one / 10_000, one / 100 % 100, one % 100);
        return (valid && one / 10_000 >= YEAR_MIN).then_some(end);
    }
    if let Some(end) = east_asian(text, one, end) {
        return Some(end);
    }
    day_first(text, one, end)
}

/// Day, month and year in any of the orders; a year of two digits stands last.
fn is_date(one: u64, two: u64, three: u64) -> bool {
    let (year, a, b) = if one > 31 { (one, two, three) } else { (three, one, two) };
    let year = if year < 100 { year + 1900 } else { year };
    year >= YEAR_MIN && (is_birth_date(year, a, b) || is_birth_date(year, b, a))
}

/// `March 5, 1982`
fn month_first(text: Text<'_>, at: usize) -> Option<usize> {
    let (month, end) = month(text, at)?;
    let (day, end) = number(text, end + skip(text, end, b". "))?;
    let suffix = [&b"st"[..], b"nd", b"rd", b"th"].iter().any(|suffix| text.starts(end, suffix));
    let end = end + if suffix { 2 } else { 0 };
    let gap = skip(text, end, b", ");
    let (year, end) = number(text, end + gap).filter(|_| gap > 0)?;
    (year >= YEAR_MIN && is_birth_date(year, month, day)).then_some(end)
}

/// `5 March 1982`, `5. März 1982`, `5 de marzo de 1982`, `5th of March, 1982`
fn day_first(text: Text<'_>, day: u64, end: usize) -> Option<usize> {
    let suffix = [&b"st"[..], b"nd", b"rd", b"th", b"er"].iter().any(|s| text.starts(end, s));
    let mut at = end + if suffix { 2 } else { 0 };
    at += skip(text, at, b". -");
    for word in [&b"de "[..], b"of "] {
        at += if text.starts(at, word) { word.len() } else { 0 };
    }
    let (month, mut at) = month(text, at)?;
    at += skip(text, at, b",. -");
    for word in [&b"de "[..], b"del "] {
        at += if text.starts(at, word) { word.len() } else { 0 };
    }
    let (year, end) = number(text, at)?;
    let year = if year < 100 { year + 1900 } else { year };
    (year >= YEAR_MIN && is_birth_date(year, month, day)).then_some(end)
}

/// `1982年3月5日`, `1982년 3월 5일`
fn east_asian(text: Text<'_>, year: u64, end: usize) -> Option<usize> {
    let sign = |at: usize, signs: [&str; 2]| {
        signs.iter().any(|sign| text.starts(at, sign.as_bytes())).then_some(at + 3)
    };
    let at = sign(end, ["年", "년"])?;
    let (month, end) = number(text, at + skip(text, at, b" "))?;
    let at = sign(end, ["月", "월"])?;
    let (day, end) = number(text, at + skip(text, at, b" "))?;
    let end = sign(end, ["日", "일"])?;
    (year >= YEAR_MIN && is_birth_date(year, month, day)).then_some(end)
}

/// At most eight digits, and their end.
fn number(text: Text<'_>, at: usize) -> Option<(u64, usize)> {
    let length = text.run(at, 9, |byte| byte.is_ascii_digit());
    if !(1..=8).contains(&length) {
        return None;
    }
    let digits = text.slice(at, at + length);
    Some((digits.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')), at + length))
}

fn skip(text: Text<'_>, at: usize, these: &[u8]) -> usize {
    text.run(at, 3, |byte| these.contains(&byte))
}

/// The month whose name stands at `at`, and the end of the name.
fn month(text: Text<'_>, at: usize) -> Option<(u64, usize)> {
    let length = text.run(at, 24, |byte| byte.is_ascii_alphabetic() || byte >= 0x80);
    let name = text.text.get(at..at + length)?;
    if name.chars().count() < 3 {
        return None;
    }
    let begins = |month: &str| {
        let mut letters = name.chars().flat_map(char::to_lowercase);
        month.chars().all(|expected| letters.next() == Some(expected))
    };
    // A longer beginning says more: `juin` is not `juil`.
    let found =
        MONTHS.iter().filter(|(month, _)| begins(month)).max_by_key(|(month, _)| month.len());
    found.map(|(_, month)| (*month, at + length))
}
