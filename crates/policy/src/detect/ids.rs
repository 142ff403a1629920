//! Numbers that states give to persons, and the like: digits only.

use super::checks::{
    digit, is_birth_date, is_day, luhn, mod_11_10, part, sum, uniform, value, verhoeff, weighted,
};
use super::kind::Builtin;
use super::number::Number;
use super::scan::Scanner;
use super::words::Context;

/// A number that says what it is by its groups and check digits.
const STRONG: f32 = 0.85;
/// One that a word near it names.
const NAMED: f32 = 0.9;
/// One that looks right, and nothing says otherwise.
const LIKELY: f32 = 0.6;

/// One number as it may be: what it is, the word that names it, its score without that word
/// (0: none), and whether it is valid.
type Reading = (Builtin, Context, f32, fn(&[u8]) -> bool);

/// What a number is, and how likely.
pub(super) fn judge(
    scan: &mut Scanner<'_>,
    number: Number<'_>,
    doubt: bool,
) -> Option<(Builtin, f32)> {
    let mut best: Option<(Builtin, f32, usize)> = None;
    for (kind, context, alone, valid) in readings(number) {
        if !valid(number.digits) {
            continue;
        }
        let named = scan.known(*context, number.start, number.end);
        let alone = if doubt && *alone < STRONG { 0.0 } else { *alone };
        let score = if named { NAMED } else { alone };
        // Of two words the nearer one names it.
        let away = scan.since(*context, number.start).unwrap_or(usize::MAX);
        let (other, further) = best.map_or((0.0, 0), |(_, score, away)| (score, away));
        if score > other || (named && score >= other && away < further) {
            best = Some((*kind, score, away));
        }
    }
    best.map(|(kind, score, _)| (kind, score))
}

/// What a number with these groups may be.
#[rustfmt::skip]
fn readings(number: Number<'_>) -> &'static [Reading] {
    use {Builtin as B, Context as C};
    match (number.lens, number.sep) {
        ([3, 2, 4], b'-') => &[
            (B::UsSsn, C::Ssn, STRONG, is_ssn),
            (B::UsItin, C::Itin, STRONG, is_itin),
        ],
        ([3, 2, 4], b' ' | b'.') => &[
            (B::UsSsn, C::Ssn, LIKELY, is_ssn),
            (B::UsItin, C::Itin, LIKELY, is_itin),
        ],
        ([3, 6] | [5, 4], b'-' | b' ') => &[(B::UsSsn, C::Ssn, 0.0, is_ssn), (B::UsItin, C::Itin, 0.0, is_itin)],
        ([9], _) => &[
            (B::UsSsn, C::Ssn, 0.0, is_ssn),
            (B::UsItin, C::Itin, 0.0, is_itin),
            (B::NlBsn, C::Bsn, 0.0, is_bsn),
            (B::CaSin, C::Sin, 0.0, is_sin),
            (B::AuTfn, C::Tfn, 0.0, is_tfn),
        ],
        ([8], _) => &[(B::AuTfn, C::Tfn, 0.0, is_tfn), (B::NlBsn, C::Bsn, 0.0, is_bsn)],
        ([3, 3, 3], b'-') => &[
            (B::CaSin, C::Sin, LIKELY, is_sin),
            (B::AuTfn, C::Tfn, 0.0, is_tfn),
            (B::NlBsn, C::Bsn, 0.0, is_bsn),
        ],
        ([3, 3, 3], _) => &[
            (B::CaSin, C::Sin, 0.0, is_sin),
            (B::AuTfn, C::Tfn, 0.0, is_tfn),
            (B::NlBsn, C::Bsn, 0.0, is_bsn),
        ],
        ([4, 2, 3], b'.' | b' ') => &[(B::NlBsn, C::Bsn, LIKELY, is_bsn)],
        ([10], _) => &[
            (B::UkNhs, C::Nhs, 0.0, is_nhs),
            (B::SePersonnummer, C::Personnummer, 0.0, is_personnummer),
            (B::AuMedicare, C::Medicare, 0.0, is_medicare),
        ],
        ([3, 3, 4], b' ' | b'-') => &[(B::UkNhs, C::Nhs, 0.0, is_nhs)],
        ([6, 4], b'-') => &[(B::SePersonnummer, C::Personnummer, STRONG, is_personnummer)],
        ([4, 5, 1], b' ' | b'-') => &[(B::AuMedicare, C::Medicare, STRONG, is_medicare)],
        _ => longer(number),
    }
}

#[rustfmt::skip]
fn longer(number: Number<'_>) -> &'static [Reading] {
    use {Builtin as B, Context as C};
    match (number.lens, number.sep) {
        ([11], _) => &[
            (B::PlPesel, C::Pesel, LIKELY, is_pesel),
            (B::DeTaxId, C::DeTax, 0.0, is_de_tax_id),
            (B::BrCpf, C::Cpf, 0.0, is_cpf),
            (B::TrTckn, C::Tckn, 0.0, is_tckn),
            (B::BeNrn, C::BeNrn, 0.0, is_be_nrn),
            (B::AuMedicare, C::Medicare, 0.0, is_medicare),
            (B::TrTckn, C::Identity, 0.0, is_tckn),
            (B::BrCpf, C::Identity, 0.0, is_cpf),
            (B::DeTaxId, C::Identity, 0.0, is_de_tax_id),
        ],
        ([3, 3, 3, 2], _) if number.seps == b"..-" => &[(B::BrCpf, C::Cpf, STRONG, is_cpf)],
        ([9, 2], b'-') => &[(B::BrCpf, C::Cpf, LIKELY, is_cpf)],
        ([2, 3, 3, 3] | [3, 3, 3, 2], b' ' | b'/') => &[(B::DeTaxId, C::DeTax, LIKELY, is_de_tax_id)],
        ([2, 2, 2, 3, 2], _) => &[(B::BeNrn, C::BeNrn, STRONG, is_be_nrn)],
        ([6, 3, 2] | [6, 5], _) => &[(B::BeNrn, C::BeNrn, LIKELY, is_be_nrn)],
        ([12], _) => &[
            (B::InAadhaar, C::Aadhaar, 0.0, is_aadhaar),
            (B::JpMyNumber, C::MyNumber, 0.0, is_my_number),
            (B::SePersonnummer, C::Personnummer, 0.0, is_long_personnummer),
        ],
        ([4, 4, 4], b' ' | b'-') => &[
            (B::InAadhaar, C::Aadhaar, LIKELY, is_aadhaar),
            (B::JpMyNumber, C::MyNumber, 0.0, is_my_number),
        ],
        ([8, 4], b'-') => &[(B::SePersonnummer, C::Personnummer, LIKELY, is_long_personnummer)],
        ([13], _) => &[
            (B::ChAhv, C::Identity, STRONG, is_ahv),
            (B::KrRrn, C::Rrn, 0.0, is_rrn_date),
            (B::ZaId, C::ZaId, 0.0, is_za_id),
            (B::ThTnin, C::Tnin, 0.0, is_tnin),
        ],
        ([6, 7], b'-' | b' ') => &[
            (B::KrRrn, C::Rrn, STRONG, is_rrn),
            (B::KrRrn, C::Rrn, LIKELY, is_rrn_date),
        ],
        ([3, 4, 4, 2], b'.' | b' ') => &[(B::ChAhv, C::Identity, STRONG, is_ahv)],
        ([1, 4, 5, 2, 1], b'-' | b' ') => &[(B::ThTnin, C::Tnin, STRONG, is_tnin)],
        ([6, 4, 2, 1] | [6, 4, 3], b' ') => &[(B::ZaId, C::ZaId, LIKELY, is_za_id)],
        ([15] | [13, 2] | [1, 2, 2, 2, 3, 3, 2] | [1, 2, 2, 2, 3, 3], _) => {
            &[(B::FrNir, C::Nir, STRONG, is_nir), (B::FrNir, C::Nir, 0.0, is_short_nir)]
        }
        ([18] | [6, 8, 4], _) => &[(B::CnResidentId, C::Identity, STRONG, is_resident_id)],
        _ => &[],
    }
}

fn is_ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (part(digits, 0, 3), part(digits, 3, 5), part(digits, 5, 9));
    let given = !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0;
    // Those that were printed in advertisements.
    let example = matches!(value(digits), 78_051_120 | 219_099_999);
    digits.len() == 9 && given && !uniform(digits) && !example
}

fn is_itin(digits: &[u8]) -> bool {
    let group = part(digits, 3, 5);
    digits.len() == 9
        && digit(digits, 0) == 9
        && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn is_bsn(digits: &[u8]) -> bool {
    let weights = [9, 8, 7, 6, 5, 4, 3, 2, -1];
    let weights = weights.get(9 - digits.len().min(9)..).unwrap_or_default();
    (8..=9).contains(&digits.len()) && !uniform(digits) && weighted(digits, weights, 11)
}

fn is_sin(digits: &[u8]) -> bool {
    digits.len() == 9 && !matches!(digit(digits, 0), 0 | 8) && !uniform(digits) && luhn(digits)
}

fn is_tfn(digits: &[u8]) -> bool {
    let weights: &[i32] = match digits.len() {
        9 => &[1, 4, 3, 7, 5, 8, 6, 9, 10],
        8 => &[10, 7, 8, 4, 6, 3, 5, 1],
        _ => return false,
    };
    !uniform(digits) && weighted(digits, weights, 11)
}

fn is_nhs(digits: &[u8]) -> bool {
    let weights = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    digits.len() == 10 && !uniform(digits) && weighted(digits, &weights, 11)
}

/// Ten digits; 60 is added to the day of a coordination number.
fn is_personnummer(digits: &[u8]) -> bool {
    let (month, day) = (part(digits, 2, 4), part(digits, 4, 6));
    let day = if day > 60 { day - 60 } else { day };
    digits.len() == 10 && is_day(month, day) && luhn(digits)
}

fn is_long_personnummer(digits: &[u8]) -> bool {
    let year = part(digits, 0, 4);
    (1900..=2030).contains(&year) && digits.get(2..).is_some_and(is_personnummer)
}

fn is_medicare(digits: &[u8]) -> bool {
    let check = sum(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
    (10..=11).contains(&digits.len())
        && (2..=6).contains(&digit(digits, 0))
        && i32::from(digit(digits, 8)) == check
}

fn is_pesel(digits: &[u8]) -> bool {
    let (month, day) = (part(digits, 2, 4), part(digits, 4, 6));
    digits.len() == 11
        && is_day(month % 20, day)
        && weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10)
}

/// One digit stands there twice or three times, another is missing, and so on.
fn is_de_tax_id(digits: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for digit in digits.iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or_default();
    digits.len() == 11
        && digit(digits, 0) != 0
        && repeated == 1
        && (2..=3).contains(&most)
        && mod_11_10(digits)
}

fn is_cpf(digits: &[u8]) -> bool {
    let check = |count: usize| {
        let sum: u32 = digits
            .iter()
            .take(count)
            .zip((2..=count as u32 + 1).rev())
            .map(|(digit, weight)| u32::from(*digit) * weight)
            .sum();
        u32::from(digit(digits, count)) == sum * 10 % 11 % 10
    };
    digits.len() == 11 && !uniform(digits) && check(9) && check(10)
}

fn is_tckn(digits: &[u8]) -> bool {
    let odd = sum(digits, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = sum(digits, &[0, 1, 0, 1, 0, 1, 0, 1, 0]);
    let all = sum(digits, &[1; 10]);
    digits.len() == 11
        && digit(digits, 0) != 0
        && (odd * 7 - even).rem_euclid(10) == i32::from(digit(digits, 9))
        && all % 10 == i32::from(digit(digits, 10))
}

fn is_be_nrn(digits: &[u8]) -> bool {
    let (body, check) = (part(digits, 0, 9), part(digits, 9, 11));
    let born = is_day(part(digits, 2, 4), part(digits, 4, 6));
    let valid = 97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check;
    digits.len() == 11 && born && valid
}

fn is_aadhaar(digits: &[u8]) -> bool {
    let turned = digits.iter().eq(digits.iter().rev());
    digits.len() == 12 && digit(digits, 0) >= 2 && !turned && verhoeff(digits)
}

fn is_my_number(digits: &[u8]) -> bool {
    let rest = sum(digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest <= 1 { 0 } else { 11 - rest };
    digits.len() == 12 && !uniform(digits) && i32::from(digit(digits, 11)) == check
}

fn is_ahv(digits: &[u8]) -> bool {
    let weights = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1];
    digits.len() == 13 && part(digits, 0, 3) == 756 && weighted(digits, &weights, 10)
}

/// Born on a day, with one of the digits of sex and century; newer numbers have no check digit.
fn is_rrn_date(digits: &[u8]) -> bool {
    let century = matches!(digit(digits, 6), 1..=8);
    digits.len() == 13 && century && is_day(part(digits, 2, 4), part(digits, 4, 6))
}

fn is_rrn(digits: &[u8]) -> bool {
    let rest = sum(digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11;
    let last = i32::from(digit(digits, 12));
    is_rrn_date(digits) && ((11 - rest) % 10 == last || (13 - rest) % 10 == last)
}

fn is_za_id(digits: &[u8]) -> bool {
    digits.len() == 13
        && is_day(part(digits, 2, 4), part(digits, 4, 6))
        && digit(digits, 10) <= 2
        && luhn(digits)
}

fn is_tnin(digits: &[u8]) -> bool {
    let rest = sum(digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits.len() == 13
        && (1..=8).contains(&digit(digits, 0))
        && (11 - rest) % 10 == i32::from(digit(digits, 12))
}

fn is_short_nir(digits: &[u8]) -> bool {
    let month = part(digits, 3, 5);
    let sex = matches!(digit(digits, 0), 1..=4 | 7 | 8);
    matches!(digits.len(), 13 | 15) && sex && matches!(month, 1..=12 | 20 | 30..=42 | 50..=99)
}

fn is_nir(digits: &[u8]) -> bool {
    digits.len() == 15
        && is_short_nir(digits)
        && part(digits, 5, 7) != 0
        && 97 - part(digits, 0, 13) % 97 == part(digits, 13, 15)
}

fn is_resident_id(digits: &[u8]) -> bool {
    digits.len() == 18 && is_resident_body(digits) && resident_check(digits) == digit(digits, 17)
}

/// Region and date of birth of a Chinese resident number.
pub(super) fn is_resident_body(digits: &[u8]) -> bool {
    let region = part(digits, 0, 2);
    (11..=82).contains(&region)
        && is_birth_date(part(digits, 6, 10), part(digits, 10, 12), part(digits, 12, 14))
}

/// Its check digit; 10 is written as X.
pub(super) fn resident_check(digits: &[u8]) -> u8 {
    let rest = sum(digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    ((12 - rest) % 11) as u8
}
