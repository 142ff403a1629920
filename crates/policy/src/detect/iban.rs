//! International bank account numbers.

use super::checks::mod_97;
use super::text::{Text, blank};

const BYTES_MIN: usize = 15;
const BYTES_MAX: usize = 34;

/// Country → length.
#[rustfmt::skip]
const LENGTHS: &[(&[u8; 2], u8)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16),
    (b"BG", 22), (b"BH", 22), (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22),
    (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27), (b"DK", 18), (b"DO", 28), (b"EE", 20),
    (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27), (b"GB", 22),
    (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HR", 21), (b"HU", 28),
    (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KW", 30),
    (b"KZ", 20), (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20), (b"LV", 21),
    (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MN", 20), (b"MR", 27),
    (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23), (b"PK", 24),
    (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33),
    (b"SA", 24), (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27),
    (b"SO", 23), (b"ST", 25), (b"SV", 28), (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29),
    (b"VA", 22), (b"VG", 24), (b"XK", 20), (b"YE", 30),
];

/// The end of the account number that begins with the run of letters and digits from `start`
/// to `end`: in one piece, or in groups with blanks or hyphens between them.
pub(super) fn at(text: Text<'_>, start: usize, end: usize) -> Option<usize> {
    let head = text.slice(start, start + 4);
    let &[a, b, c, d] = head else { return None };
    if !(a.is_ascii_alphabetic()
        && b.is_ascii_alphabetic()
        && c.is_ascii_digit()
        && d.is_ascii_digit())
    {
        return None;
    }
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let (_, length) = LENGTHS.iter().find(|(name, _)| **name == country)?;
    let length = usize::from(*length);
    let grouped = end - start < BYTES_MIN;
    let mut plain = [0; BYTES_MAX];
    let (mut at, mut count) = (start, 0);
    while count < length {
        let byte = text.byte(at);
        if byte.is_ascii_alphanumeric() {
            *plain.get_mut(count)? = byte;
            count += 1;
            at += 1;
            continue;
        }
        let gap = if byte == b'-' { 1 } else { blank(text, at) };
        if !grouped || gap == 0 || at + gap > start + length * 3 {
            return None;
        }
        at += gap;
    }
    let plain = plain.get(..length)?;
    (text.ends_word(at) && mod_97(plain)).then_some(at)
}
