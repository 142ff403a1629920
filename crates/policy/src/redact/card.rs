//! Card numbers.

const DIGITS_MAX: usize = 19;

/// The bounds of the card number that starts at `at`, if one does: digits of a known issuer
/// with a valid check digit, in one piece or in groups.
pub(super) fn find(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if !starts_a_number(bytes, at) {
        return None;
    }
    let mut digits = [0_u8; DIGITS_MAX];
    let mut count = 0;
    let mut found = None;
    let mut index = at;
    while let Some(&byte) = bytes.get(index) {
        if byte.is_ascii_digit() {
            let Some(place) = digits.get_mut(count) else { break };
            *place = byte - b'0';
            count += 1;
            index += 1;
            let next = bytes.get(index);
            let ends = !next.is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_');
            if ends && is_card(digits.get(..count).unwrap_or_default()) {
                found = Some((at, index));
            }
        } else if matches!(byte, b' ' | b'-')
            && bytes.get(index + 1).is_some_and(u8::is_ascii_digit)
        {
            index += 1;
        } else {
            break;
        }
    }
    found
}

/// The end of the digits at `at`.
pub(super) fn end_of_digits(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count().max(1)
}

/// Not within a word, a longer number or a fraction.
fn starts_a_number(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|at| bytes.get(at)) else { return true };
    if before.is_ascii_alphanumeric() || *before == b'_' {
        return false;
    }
    let fraction = matches!(before, b'.' | b',')
        && at.checked_sub(2).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    !fraction
}

fn is_card(digits: &[u8]) -> bool {
    is_issued(digits) && is_luhn(digits)
}

/// Whether an issuer has numbers that begin so and are that long.
fn is_issued(digits: &[u8]) -> bool {
    let start = |count: usize| {
        let first = digits.get(..count).unwrap_or_default();
        first.iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    match digits.len() {
        13 | 19 if start(1) == 4 => true,
        14 => matches!(start(2), 30 | 36 | 38 | 39),
        15 => matches!(start(2), 34 | 37),
        16 => {
            start(1) == 4
                || matches!(start(2), 35 | 51..=55 | 62 | 65)
                || matches!(start(4), 2221..=2720 | 6011)
                || matches!(start(3), 644..=649)
        }
        17..=19 => start(2) == 62 || start(4) == 6011 || start(2) == 65,
        _ => false,
    }
}

fn is_luhn(digits: &[u8]) -> bool {
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
