//! Telephone numbers, as they are written in the world and within a country.

use super::checks::{part, uniform};
use super::kind::Builtin;
use super::number::{Groups, Number};
use super::scan::Scanner;
use super::text::{Text, blank};
use super::words::Context;

const NAMED: f32 = 0.85;
const STRONG: f32 = 0.75;
const LIKELY: f32 = 0.6;
const WEAK: f32 = 0.5;
/// Digits of a number, of the standard (E.164), and the fewest that are one.
const DIGITS_MAX: usize = 15;
const DIGITS_MIN: usize = 7;
/// A number as written, with blanks and brackets.
const WRITTEN_BYTES_MAX: usize = 28;
const WRITTEN_GROUPS_MAX: usize = 12;

/// Country code → fewest and most digits behind it.
#[rustfmt::skip]
const COUNTRIES: &[(u64, u8, u8)] = &[
    (1, 10, 10), (7, 10, 10), (20, 8, 10), (27, 9, 9), (30, 10, 10), (31, 9, 9), (32, 8, 9), (33, 9, 9),
    (34, 9, 9), (36, 8, 9), (39, 6, 11), (40, 9, 9), (41, 9, 9), (43, 6, 13), (44, 9, 10), (45, 8, 8), (46, 7, 10),
    (47, 8, 8), (48, 9, 9), (49, 6, 12), (51, 8, 9), (52, 10, 10), (53, 8, 8), (54, 10, 11), (55, 10, 11),
    (56, 9, 9), (57, 10, 10), (58, 10, 10), (60, 8, 10), (61, 9, 9), (62, 8, 12), (63, 8, 10), (64, 8, 10),
    (65, 8, 8), (66, 8, 9), (81, 9, 10), (82, 8, 10), (84, 9, 10), (86, 10, 11), (90, 10, 10), (91, 10, 10),
    (92, 9, 10), (93, 9, 9), (94, 9, 9), (95, 7, 10), (98, 10, 10), (212, 9, 9), (213, 8, 9), (216, 8, 8),
    (234, 8, 10), (254, 9, 9), (255, 9, 9), (256, 9, 9), (351, 9, 9), (352, 6, 9), (353, 7, 9), (354, 7, 7), (355, 8, 9),
    (356, 8, 8), (357, 8, 8), (358, 6, 11), (359, 8, 9), (370, 8, 8), (371, 8, 8), (372, 7, 8), (373, 8, 8),
    (374, 8, 8), (375, 9, 9), (377, 8, 9), (380, 9, 9), (381, 8, 9), (385, 8, 9), (386, 8, 8), (387, 8, 8),
    (389, 8, 8), (420, 9, 9), (421, 9, 9), (852, 8, 8), (853, 8, 8), (855, 8, 9), (880, 8, 10), (886, 8, 9),
    (961, 7, 8), (962, 8, 9), (963, 8, 9), (964, 8, 10), (965, 8, 8), (966, 8, 9), (967, 7, 9), (968, 8, 8),
    (971, 8, 9), (972, 8, 9), (973, 8, 8), (974, 8, 8), (977, 8, 10), (992, 9, 9), (994, 9, 9), (995, 9, 9), (998, 9, 9),
];

type Found = (Builtin, usize, usize, f32);

/// `+` and a country's code.
pub(super) fn international(scan: &mut Scanner<'_>, at: usize) -> Option<Found> {
    let text = scan.text;
    let before = text.before(at, 1);
    if (before.is_ascii_alphanumeric() && !text.is_escape(at)) || before == b'+' {
        return None;
    }
    scan.steps += WRITTEN_BYTES_MAX as u64;
    let (end, score) = Written::read(text, at + 1).longest(text)?;
    Some((Builtin::Phone, at, end, score))
}

/// A number that begins with an area code in brackets.
pub(super) fn in_parentheses(scan: &mut Scanner<'_>, at: usize) -> Option<Found> {
    let text = scan.text;
    let before = text.before(at, 1);
    if before.is_ascii_alphanumeric() && !text.is_escape(at) || matches!(before, b'_' | b'.' | b'/')
    {
        return None;
    }
    let code = text.run(at + 1, 6, |byte| byte.is_ascii_digit());
    let close = at + 1 + code;
    if !(2..=5).contains(&code) || text.byte(close) != b')' {
        return None;
    }
    let next = close + 1 + gap(text, close + 1);
    let groups = Groups::gather(text, next);
    scan.steps += 24;
    let mut best = None;
    for count in 1..=groups.count {
        let rest = groups.first(count);
        let open = text.byte(rest.end) == b'-' && text.byte(rest.end + 1).is_ascii_digit();
        let area = text.slice(at + 1, close);
        let total = code + rest.digits.len();
        let score = match (code, rest.lens) {
            (3, [3, 4] | [7]) if is_north_american(area, rest.digits) => STRONG,
            (2, [4 | 5, 4]) => STRONG,
            (2, [3 | 4, 2, 2]) | (3, [3, 2, 2]) if total >= 9 => LIKELY,
            _ if area.first() == Some(&b'0') && (9..=12).contains(&total) => LIKELY,
            _ if (DIGITS_MIN..=12).contains(&total) && scan.near(Context::Phone, at) => NAMED,
            _ => continue,
        };
        if !open {
            best = Some((Builtin::Phone, at - trunk_digit(text, at), rest.end, score));
        }
    }
    best
}

/// How long a digit and its blank are that are dialled before the area code in brackets.
fn trunk_digit(text: Text<'_>, at: usize) -> usize {
    let gap = usize::from(matches!(text.before(at, 1), b' ' | b'-'));
    let digit = matches!(text.before(at, 1 + gap), b'0' | b'1' | b'8');
    let alone =
        digit && text.starts_word(at - gap - 1) && !b".,-/:+".contains(&text.before(at, 2 + gap));
    if alone { gap + 1 } else { 0 }
}

/// A number as it is written within a country: how likely it is one.
pub(super) fn national(scan: &mut Scanner<'_>, number: Number<'_>, doubt: bool) -> Option<f32> {
    let total = number.digits.len();
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&total) || uniform(number.digits) || is_date(number) {
        return None;
    }
    let alone = if doubt { 0.0 } else { alone(number).unwrap_or_default() };
    let one_piece = number.lens.len() == 1;
    let named =
        scan.near(Context::Phone, number.start) && !scan.is_thing(number.start, Context::Phone);
    let behind = !named && alone > 0.0 && alone < STRONG
        || (one_piece && !named && total >= 9 && alone == 0.0);
    let named = named || (behind && !doubt && scan.known(Context::Phone, number.start, number.end));
    // Short pieces occur everywhere.
    let pieces = number.lens.iter().filter(|len| **len == 1).take(2).count();
    let dotted = number.sep == b'.' && number.lens.len() < 3;
    let american = matches!(number.lens, [3, 3, 4] | [1, 3, 3, 4] | [10]);
    let area = number.digits.get(total.saturating_sub(10)..).map(|digits| part(digits, 0, 3));
    let free = american && area.is_some_and(is_free);
    if named && pieces <= 1 && !dotted && !free {
        return Some(NAMED);
    }
    (alone > 0.0).then_some(alone)
}

/// How likely groups of digits are a telephone number without a word that says so.
fn alone(number: Number<'_>) -> Option<f32> {
    let digits = number.digits;
    let [first, second, ..] = *digits else { return None };
    let sep = number.sep;
    let tight = matches!(sep, b'-' | b'.');
    let score = match number.lens {
        [3, 3, 4] if matches!(sep, b'-' | b'.' | b' ') && is_north_american_code(digits) => {
            if tight { LIKELY } else { WEAK }
        }
        [1, 3, 3, 4] if first == 1 && is_north_american_code(digits.get(1..)?) => LIKELY,
        [2, 2, 2, 2, 2] if first == 0 && second != 0 && !counts_up(digits) => STRONG,
        [1, 3, 3, 2, 2] if matches!(first, 7 | 8) && matches!(second, 3..=9) => STRONG,
        [3, 4, 4] if first == 1 && second >= 3 && sep != b'.' => STRONG,
        [2, 5, 4] if digits.get(2) == Some(&9) && sep != b'.' => LIKELY,
        [3, 2, 2, 2] if matches!(first, 6..=9) && sep != b'.' => LIKELY,
        [5, 5] if matches!(first, 6..=9) && sep == b' ' && !ends_round(digits) => WEAK,
        [10] if first == 0 && matches!(second, 6 | 7) => WEAK,
        [11] if first == 0 && matches!(second, 1 | 7) && !counts_up(digits) => WEAK,
        [lead, ..] if first == 0 && (2..=5).contains(lead) => return trunk(number),
        _ => return None,
    };
    Some(score)
}

/// Groups that begin with the 0 of a call within a country.
fn trunk(number: Number<'_>) -> Option<f32> {
    let digits = number.digits;
    if digits.get(1) == Some(&0) {
        // `00` and a country's code.
        let score = of_country(digits.get(2..)?)?;
        return (number.lens.len() > 1).then_some(score.min(LIKELY));
    }
    let total = digits.len();
    let grouped = number.lens.len() > 1 && number.lens.iter().all(|len| *len >= 2);
    let sign = matches!(number.sep, b' ' | b'-' | b'/');
    // `030/123456-78` and `0171-12 34 56 7` have two signs.
    let mixed = number.sep == 0 && number.seps.iter().all(|sep| matches!(sep, b' ' | b'-' | b'/'));
    let short = total == 9 && number.lens.first() == Some(&2) && number.sep == b'-';
    let fits = (10..=12).contains(&total) || short;
    (grouped && (sign || mixed) && fits && !counts_up(digits)).then_some(LIKELY)
}

/// How likely these digits are those of a country's code and a number there.
fn of_country(digits: &[u8]) -> Option<f32> {
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
        return None;
    }
    for code in 1..=3 {
        let value = part(digits, 0, code);
        let known = COUNTRIES.iter().find(|(country, ..)| *country == value);
        if let Some((country, least, most)) = known {
            let mut rest = digits.get(code..)?;
            // The 0 of calls within the country, in brackets as a rule.
            if *country != 39 && rest.first() == Some(&0) {
                rest = rest.get(1..)?;
            }
            let fits = (usize::from(*least)..=usize::from(*most)).contains(&rest.len());
            let valid = *country != 1 || is_north_american_code(rest);
            return (fits && valid && !uniform(rest)).then_some(STRONG);
        }
    }
    (digits.first() != Some(&0) && digits.len() >= 9).then_some(LIKELY)
}

/// An area's code and the first digits of a number in North America; not those that are free
/// of charge, which belong to no person.
fn is_north_american_code(digits: &[u8]) -> bool {
    let (area, exchange) = (part(digits, 0, 3), part(digits, 3, 6));
    (200..1000).contains(&area)
        && !is_free(area)
        && area % 100 != 11
        && (200..1000).contains(&exchange)
        && exchange % 100 != 11
}

/// Codes of North America that cost the caller nothing, or more.
const fn is_free(area: u64) -> bool {
    matches!(area, 800 | 833 | 844 | 855 | 866 | 877 | 888 | 900)
}

/// The same with the area's code as written.
fn is_north_american(area: &[u8], rest: &[u8]) -> bool {
    let mut digits = [0; 6];
    let area = area.iter().map(|byte| byte.wrapping_sub(b'0'));
    for (to, from) in digits.iter_mut().zip(area.chain(rest.iter().copied())) {
        *to = from;
    }
    is_north_american_code(&digits)
}

/// `01 02 03 04 05`, `0123456789`: counted, not dialled.
fn counts_up(digits: &[u8]) -> bool {
    let pairs = digits.chunks_exact(2).map(|two| part(two, 0, 2));
    let ups = pairs.clone().zip(pairs.skip(1)).all(|(one, next)| next == one + 1);
    ups || digits.windows(2).all(|two| part(two, 1, 2) == (part(two, 0, 1) + 1) % 10)
}

fn ends_round(digits: &[u8]) -> bool {
    digits.ends_with(&[0, 0])
}

/// A day as `2024-01-31` or `31.01.2024`, alone or with more behind it.
fn is_date(number: Number<'_>) -> bool {
    let of = |from: usize, to: usize| part(number.digits, from, to);
    let year = |from: usize| (1900..=2099).contains(&of(from, from + 4));
    match number.lens {
        [4, 2, 2, ..] | [8] => year(0) && of(4, 6) <= 12 && of(6, 8) <= 31,
        [2, 2, 4, ..] => year(4) && of(0, 2) <= 31 && of(2, 4) <= 31,
        [12 | 14] => year(0) && of(4, 6) <= 12 && of(6, 8) <= 31 && of(8, 10) < 24,
        [4, 4] => year(0) && year(4),
        _ => false,
    }
}

/// A number with blanks and brackets between its digits, read as far as it may go on.
struct Written {
    digits: [u8; DIGITS_MAX],
    count: usize,
    /// Where groups end: digits up to there, and place.
    ends: [(usize, usize); WRITTEN_GROUPS_MAX],
    groups: usize,
}

impl Written {
    fn read(text: Text<'_>, at: usize) -> Self {
        let mut written = Self {
            digits: [0; DIGITS_MAX],
            count: 0,
            ends: [(0, at); WRITTEN_GROUPS_MAX],
            groups: 0,
        };
        let mut here = at;
        while here < at + WRITTEN_BYTES_MAX {
            let byte = text.byte(here);
            if byte.is_ascii_digit() {
                let Some(place) = written.digits.get_mut(written.count) else { break };
                *place = byte - b'0';
                written.count += 1;
                here += 1;
                if !text.byte(here).is_ascii_digit() {
                    written.end_group(here);
                }
                continue;
            }
            let step = gap(text, here);
            if step == 0 || written.count == 0 && byte != b'(' {
                break;
            }
            here += step;
        }
        written
    }

    fn end_group(&mut self, end: usize) {
        if let Some(place) = self.ends.get_mut(self.groups) {
            *place = (self.count, end);
            self.groups += 1;
        }
    }

    /// The longest reading that is a number, its end and how likely it is.
    fn longest(&self, text: Text<'_>) -> Option<(usize, f32)> {
        let ends = self.ends.get(..self.groups)?;
        ends.iter().rev().find_map(|(count, end)| {
            let whole = text.ends_word(*end)
                && !(text.byte(*end) == b'-' && text.byte(end + 1).is_ascii_digit());
            let score = of_country(self.digits.get(..*count)?)?;
            whole.then_some((*end, score))
        })
    }
}

/// What may stand between two digits of a number: one sign, or a bracket with a blank.
fn gap(text: Text<'_>, at: usize) -> usize {
    let goes_on = |at: usize| text.byte(at).is_ascii_digit() || text.byte(at) == b'(';
    match text.byte(at) {
        b'-' | b'.' | b'/' | b')' if goes_on(at + 1) => 1,
        b'(' if text.byte(at + 1).is_ascii_digit() => 1,
        b')' if text.byte(at + 1) == b'-' || blank(text, at + 1) > 0 => {
            1 + blank(text, at + 1).max(1)
        }
        _ => {
            let bytes = blank(text, at);
            if bytes > 0 && goes_on(at + bytes) { bytes } else { 0 }
        }
    }
}
