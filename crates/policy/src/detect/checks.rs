//! Check digits and dates. Digits are values 0 to 9, not characters.

/// Card numbers, Canada's SIN, Sweden's personnummer.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit < 5 => digit * 2,
            (_, digit) => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the weighted sum of the digits is divisible by `modulus`.
pub(super) fn weighted(digits: &[u8], weights: &[i32], modulus: i32) -> bool {
    sum(digits, weights).rem_euclid(modulus) == 0
}

/// The weighted sum of as many digits as there are weights.
pub(super) fn sum(digits: &[u8], weights: &[i32]) -> i32 {
    digits.iter().zip(weights).map(|(digit, weight)| i32::from(*digit) * weight).sum()
}

/// The number that the digits write.
pub(super) fn value(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |value: u64, digit| value.saturating_mul(10).saturating_add(u64::from(*digit)))
}

/// The digit at `at`; 255 where there is none.
pub(super) fn digit(digits: &[u8], at: usize) -> u8 {
    digits.get(at).copied().unwrap_or(u8::MAX)
}

/// Part of the digits; none where they end before.
pub(super) fn part(digits: &[u8], from: usize, to: usize) -> u64 {
    value(digits.get(from..to).unwrap_or_default())
}

/// All digits are the same.
pub(super) fn uniform(digits: &[u8]) -> bool {
    digits.windows(2).all(|two| two.first() == two.last())
}

const D: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];
const P: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// Verhoeff's check digit (Aadhaar).
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    let at = |table: &[[u8; 10]], row: usize, column: usize| {
        table.get(row).and_then(|row| row.get(column)).copied().unwrap_or_default()
    };
    let check = digits.iter().rev().enumerate().fold(0, |check, (place, digit)| {
        at(&D, usize::from(check), usize::from(at(&P, place % 8, usize::from(*digit))))
    });
    check == 0
}

/// ISO 7064, mod 11, 10 (Germany's Steuer-ID).
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(*check)
}

/// ISO 7064, mod 97, 10 over letters and digits with the first four moved to the end (IBAN).
pub(super) fn mod_97(text: &[u8]) -> bool {
    let (head, rest) = text.split_at(text.len().min(4));
    let remainder = rest.iter().chain(head).fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.to_ascii_uppercase().wrapping_sub(b'A')) + 10) % 97,
    });
    remainder == 1
}

/// Whether a date exists, and lies where living people are born.
pub(super) fn is_birth_date(year: u64, month: u64, day: u64) -> bool {
    (1900..=2035).contains(&year) && is_day(month, day)
}

/// Whether a month has such a day (29 February in any year).
pub(super) fn is_day(month: u64, day: u64) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}
