//! Numbers in one piece or in groups: gathered once, then judged by the lengths of the groups.

use super::kind::Builtin;
use super::scan::Scanner;
use super::text::{Text, blank};
use super::words::Context;
use super::{alnum, card, ids, net, phone};

/// Groups of one number at most.
pub(super) const GROUPS_MAX: usize = 8;
/// Digits of one number at most.
const DIGITS_MAX: usize = 22;
/// From here on a shorter reading of the same digits is not tried.
const SURE: f32 = 0.8;
/// Findings below this need that nothing near says that a thing is numbered.
const DOUBTFUL: f32 = 0.8;

/// Digits in groups.
#[derive(Default)]
pub(super) struct Groups {
    digits: [u8; DIGITS_MAX],
    /// How many digits each group has.
    lens: [u8; GROUPS_MAX],
    /// What stands before each group; a blank for every kind of blank.
    seps: [u8; GROUPS_MAX],
    ends: [usize; GROUPS_MAX],
    pub start: usize,
    pub count: usize,
}

/// The first groups of a number.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    pub digits: &'a [u8],
    pub lens: &'a [u8],
    /// Between the groups; 0 where there is one group or they differ.
    pub sep: u8,
    pub seps: &'a [u8],
    pub start: usize,
    pub end: usize,
}

/// What stands beside a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Nothing that belongs to it.
    Free,
    /// Something that makes it a number of a thing, as a rule.
    Thing,
    /// More of it: it is not whole.
    Part,
}

// === impl Groups ===

impl Groups {
    /// The groups of digits that begin at `start`.
    pub(super) fn gather(text: Text<'_>, start: usize) -> Self {
        let mut groups = Self { start, ..Self::default() };
        let (mut at, mut sep, mut total) = (start, 0, 0);
        while groups.count < GROUPS_MAX {
            let length = text.run(at, DIGITS_MAX + 1, |byte| byte.is_ascii_digit());
            if length == 0 || total + length > DIGITS_MAX || !text.ends_word(at + length) {
                break;
            }
            for (to, from) in groups.digits.iter_mut().skip(total).zip(text.slice(at, at + length))
            {
                *to = from - b'0';
            }
            total += length;
            at += length;
            groups.push(length as u8, sep, at);
            let (found, bytes) = separator(text, at);
            if bytes == 0 {
                break;
            }
            sep = found;
            at += bytes;
        }
        groups
    }

    fn push(&mut self, length: u8, sep: u8, end: usize) {
        let at = self.count;
        if let (Some(len), Some(sep_at), Some(end_at)) =
            (self.lens.get_mut(at), self.seps.get_mut(at), self.ends.get_mut(at))
        {
            (*len, *sep_at, *end_at) = (length, sep, end);
            self.count += 1;
        }
    }

    /// The first `count` groups.
    pub(super) fn first(&self, count: usize) -> Number<'_> {
        let lens = self.lens.get(..count).unwrap_or_default();
        let total: usize = lens.iter().map(|len| usize::from(*len)).sum();
        let seps = self.seps.get(1..count).unwrap_or_default();
        let same = seps.windows(2).all(|two| two.first() == two.last());
        Number {
            digits: self.digits.get(..total).unwrap_or_default(),
            lens,
            sep: if same { seps.first().copied().unwrap_or_default() } else { 0 },
            seps,
            start: self.start,
            end: count
                .checked_sub(1)
                .and_then(|at| self.ends.get(at))
                .copied()
                .unwrap_or(self.start),
        }
    }
}

/// What separates two groups at `at`, and its length.
fn separator(text: Text<'_>, at: usize) -> (u8, usize) {
    match text.byte(at) {
        sep @ (b'-' | b'.' | b'/') => (sep, 1),
        // Hyphens and dashes beyond ASCII.
        0xE2 if text.byte(at + 1) == 0x80 && (0x90..=0x93).contains(&text.byte(at + 2)) => {
            (b'-', 3)
        }
        _ => (b' ', blank(text, at)),
    }
}

/// What is found in the number at `start`, whose first group ends at `end`: where to go on.
pub(super) fn at(scan: &mut Scanner<'_>, start: usize, end: usize) -> Option<usize> {
    if end - start > DIGITS_MAX {
        return None;
    }
    let left = left(scan.text, start);
    if left == Side::Part {
        return None;
    }
    let groups = Groups::gather(scan.text, start);
    scan.steps += (groups.first(groups.count).end.saturating_sub(start)) as u64 + 8;
    if let Some(end) = alnum::around_digits(scan, &groups) {
        return Some(end);
    }
    let mut best: Option<(Builtin, f32, usize)> = None;
    for count in (1..=groups.count).rev() {
        let number = groups.first(count);
        if number.digits.len() < 4 {
            break;
        }
        let Some((kind, score)) = judge(scan, number, left) else { continue };
        if best.is_none_or(|(_, other, _)| score > other) {
            best = Some((kind, score, number.end));
        }
        if score >= SURE {
            break;
        }
    }
    let (kind, score, end) = best?;
    scan.add(kind, start, end, score);
    Some(end)
}

fn judge(scan: &mut Scanner<'_>, number: Number<'_>, left: Side) -> Option<(Builtin, f32)> {
    let right = right(scan.text, number);
    if right == Side::Part {
        return None;
    }
    // One of many numbers in a row.
    let row = number.sep == b' '
        && scan.text.before(number.start, 1) == b' '
        && scan.text.before(number.start, 2).is_ascii_digit();
    let doubt = row || left == Side::Thing || right == Side::Thing;
    let card = card::judge(number);
    if let Some(score) = card.filter(|score| *score >= SURE) {
        return Some((Builtin::CreditCard, score));
    }
    if let Some(score) = net::v4(scan, number) {
        return Some((Builtin::IpAddress, score));
    }
    let found = ids::judge(scan, number, doubt)
        .or_else(|| Some((Builtin::CreditCard, card?)))
        .or_else(|| Some((Builtin::Phone, phone::national(scan, number, doubt)?)));
    let (kind, score) = found?;
    if score < DOUBTFUL && (doubt || scan.is_thing(number.start, Context::Phone)) {
        return None;
    }
    Some((kind, score))
}

/// What stands before a number that starts at `at`.
pub(super) fn left(text: Text<'_>, at: usize) -> Side {
    if text.is_escape(at) {
        return Side::Free;
    }
    let (before, further) = (text.before(at, 1), text.before(at, 2));
    match before {
        b'_' => Side::Part,
        b'.' | b',' | b'-' | b'/' | b':' if further.is_ascii_digit() => Side::Part,
        b'-' | b'/' if further.is_ascii_alphabetic() => Side::Thing,
        b'#' | b'$' | b'-' | b'~' | b'%' | b'\\' => Side::Thing,
        // The pound and yen signs, and the euro sign.
        0xA3 | 0xA5 if further == 0xC2 => Side::Thing,
        0xAC if further == 0x82 => Side::Thing,
        _ => Side::Free,
    }
}

/// What stands behind a number.
fn right(text: Text<'_>, number: Number<'_>) -> Side {
    let (next, further) = (text.byte(number.end), text.byte(number.end + 1));
    match next {
        b'.' | b',' | b'-' | b'/' | b':' if further.is_ascii_digit() => {
            let port = matches!(next, b':' | b'/') && number.sep == b'.';
            if port { Side::Free } else { Side::Part }
        }
        b'%' => Side::Part,
        b'-' | b'/' if further.is_ascii_alphabetic() => Side::Thing,
        b'@' => Side::Thing,
        _ => {
            let gap = blank(text, number.end);
            let goes_on = gap > 0 && text.byte(number.end + gap).is_ascii_digit();
            if goes_on && number.sep == b' ' { Side::Thing } else { Side::Free }
        }
    }
}
