//! Card numbers.

use super::checks::{luhn, part, uniform};
use super::number::Number;

const SURE: f32 = 0.9;
const OLD: f32 = 0.7;

/// How likely this is a card's number: of a known issuer, with a valid check digit, in one
/// piece or in the groups that are printed.
pub(super) fn judge(number: Number<'_>) -> Option<f32> {
    if !(13..=19).contains(&number.digits.len()) {
        return None;
    }
    let grouped = match number.lens {
        [_] => true,
        [4, 4 | 6, 4 | 5] | [4, 4, 4, 1 | 4] | [4, 4, 4, 4, 3] | [6, 13] => {
            matches!(number.sep, b' ' | b'-')
        }
        _ => false,
    };
    let valid =
        grouped && is_issued(number.digits) && !uniform(number.digits) && luhn(number.digits);
    // Cards of 13 digits are hardly in use any more; other numbers of 13 digits are.
    valid.then_some(if number.digits.len() == 13 { OLD } else { SURE })
}

/// Whether an issuer has numbers that begin so and are that long.
fn is_issued(digits: &[u8]) -> bool {
    let start = |count: usize| part(digits, 0, count);
    match digits.len() {
        13 | 19 if start(1) == 4 => true,
        14 => matches!(start(2), 36 | 38 | 39) || matches!(start(3), 300..=305 | 309),
        15 => matches!(start(2), 34 | 37),
        16 => {
            start(1) == 4
                || matches!(start(2), 35 | 51..=55 | 62 | 65 | 81)
                || matches!(start(4), 2221..=2720 | 6011 | 2200..=2204 | 5018 | 5020 | 5038 | 6304 | 6759 | 6761..=6763)
                || matches!(start(3), 644..=649)
        }
        17..=19 => start(2) == 62 || start(4) == 6011 || start(2) == 65,
        _ => false,
    }
}
