//! Numbers of persons that have letters in them.

use super::checks::{digit, is_birth_date, is_day};
use super::kind::Builtin;
use super::number::{Groups, Side, left};
use super::scan::Scanner;
use super::text::{Text, blank};
use super::words::Context;
use super::{iban, ids};

const STRONG: f32 = 0.9;
const NAMED: f32 = 0.9;
const LIKELY: f32 = 0.7;
const DNI_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// What is found in a run of letters and digits: where to go on.
pub(super) fn at(scan: &mut Scanner<'_>, start: usize, end: usize) -> Option<usize> {
    let text = scan.text;
    let token = text.slice(start, end);
    scan.steps += token.len() as u64;
    if !text.starts_word(start) {
        return None;
    }
    if is_uuid(text, start, token) {
        return Some(start + 36);
    }
    if let Some(end) = iban::at(text, start, end) {
        scan.add(Builtin::Iban, start, end, STRONG);
        return Some(end);
    }
    if let Some(end) = pieces(scan, start, token) {
        return Some(end);
    }
    let whole = text.ends_word(end) && left(text, start) != Side::Part && text.byte(end) != b'@';
    let found = if whole { one_piece(token) } else { None };
    if let Some((kind, score)) = found {
        scan.add(kind, start, end, score);
        return Some(end);
    }
    named(scan, start, end)
}

/// A short run of letters with digits behind a blank or hyphen.
pub(super) fn at_letters(scan: &mut Scanner<'_>, start: usize, end: usize) -> Option<usize> {
    let text = scan.text;
    if end - start == 2 && text.starts_word(start) {
        let end = nino(text, start)?;
        scan.add(Builtin::UkNino, start, end, STRONG);
        return Some(end);
    }
    if end - start == 1 && text.byte(end) == b'-' && text.starts_word(start) {
        // Spain's NIE with hyphens.
        let letter = text.byte(start).to_ascii_uppercase();
        let digits = text.run(end + 1, 8, |byte| byte.is_ascii_digit());
        let check = end + 1 + digits + usize::from(text.byte(end + 1 + digits) == b'-');
        if digits == 7
            && matches!(letter, b'X'..=b'Z')
            && text.byte(check).is_ascii_alphabetic()
            && text.ends_word(check + 1)
            && is_dni(letter - b'X', text.slice(end + 1, end + 8), text.byte(check))
        {
            scan.add(Builtin::EsNie, start, check + 1, STRONG);
            return Some(check + 1);
        }
    }
    None
}

/// Groups of digits that letters belong to, or that only the word before them explains.
pub(super) fn around_digits(scan: &mut Scanner<'_>, groups: &Groups) -> Option<usize> {
    let text = scan.text;
    let one = groups.first(1);
    let (kind, end) = match one.digits.len() {
        8 => (Builtin::EsDni, spaced_dni(text, one.digits, one.end)),
        2 => {
            let three = groups.first(3);
            let dotted = three.lens == [2, 3, 3] && three.sep == b'.';
            let end = if dotted { spaced_dni(text, three.digits, three.end) } else { None };
            (Builtin::EsDni, end)
        }
        6 if matches!(text.byte(one.end), b'-' | b'+') => {
            // Sweden's number may look the same; a word tells.
            let swedish =
                groups.first(2).lens == [6, 4] && scan.near(Context::Personnummer, one.start);
            (Builtin::FiHetu, if swedish { None } else { hetu(text, one.start) })
        }
        _ => (Builtin::EsDni, None),
    };
    if let Some(end) = end {
        scan.add(kind, groups.start, end, STRONG);
        return Some(end);
    }
    let end = one.end;
    named(scan, groups.start, end)
}

/// `12345678-Z`, `12.345.678-Z`: the letter behind the digits, and the end of all.
fn spaced_dni(text: Text<'_>, digits: &[u8], end: usize) -> Option<usize> {
    let at = end + usize::from(matches!(text.byte(end), b'-' | b' '));
    let letter = text.byte(at);
    let number = digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let check = DNI_LETTERS.get(number as usize % DNI_LETTERS.len()).copied()?;
    // A blank and a capital letter occur in any sentence.
    let apart = text.byte(end) == b' ';
    let valid = letter == check && !apart && text.ends_word(at + 1);
    valid.then_some(at + 1)
}

/// Numbers with letters and hyphens or blanks in them.
fn pieces(scan: &mut Scanner<'_>, start: usize, token: &[u8]) -> Option<usize> {
    let text = scan.text;
    let (kind, end) = match token.len() {
        4 if text.byte(start + 4) == b'-' => (Builtin::UsMbi, mbi(text, start)?),
        4 | 6 | 8 | 9 if token.starts_with_letters(2) => (Builtin::UkNino, nino(text, start)?),
        11 => (Builtin::FiHetu, hetu(text, start)?),
        _ => return None,
    };
    scan.add(kind, start, end, STRONG);
    Some(end)
}

trait Letters {
    /// Whether exactly so many letters come first.
    fn starts_with_letters(&self, count: usize) -> bool;
}

impl Letters for [u8] {
    fn starts_with_letters(&self, count: usize) -> bool {
        self.iter().take_while(|byte| byte.is_ascii_alphabetic()).count() == count
    }
}

/// What a run of letters and digits is by its form and check characters.
fn one_piece(token: &[u8]) -> Option<(Builtin, f32)> {
    let upper = |at: usize| token.get(at).copied().unwrap_or_default().to_ascii_uppercase();
    match token.len() {
        9 if is_form(token, b"Adddddddd") => None,
        9 if is_form(token, b"ddddddddA") => {
            let first = token.first()? - b'0';
            is_dni(first, token.get(1..8)?, upper(8)).then_some((Builtin::EsDni, STRONG))
        }
        9 if is_form(token, b"AdddddddA") => match upper(0) {
            first @ b'X'..=b'Z' => {
                is_dni(first - b'X', token.get(1..8)?, upper(8)).then_some((Builtin::EsNie, STRONG))
            }
            b'S' | b'T' | b'F' | b'G' | b'M' => is_nric(token).then_some((Builtin::SgNric, STRONG)),
            _ => None,
        },
        10 if is_form(token, b"AAAAAddddA") => is_pan(token).then_some((Builtin::InPan, LIKELY)),
        11 => is_mbi(token).then_some((Builtin::UsMbi, LIKELY)),
        15 | 13 => is_corsican(token).then_some((Builtin::FrNir, STRONG)),
        16 => is_fiscal_code(token).then_some((Builtin::ItFiscalCode, STRONG)),
        18 if is_form(token, b"dddddddddddddddddX") => {
            is_resident(token).then_some((Builtin::CnResidentId, STRONG))
        }
        18 => is_curp(token).then_some((Builtin::MxCurp, STRONG)),
        _ => None,
    }
}

/// `A`: a letter, `d`: a digit, another: that letter.
fn is_form(token: &[u8], form: &[u8]) -> bool {
    token.len() == form.len()
        && token.iter().zip(form).all(|(byte, form)| match form {
            b'A' => byte.is_ascii_alphabetic(),
            b'd' => byte.is_ascii_digit(),
            other => byte.eq_ignore_ascii_case(other),
        })
}

fn is_uuid(text: Text<'_>, start: usize, token: &[u8]) -> bool {
    token.len() == 8
        && text.byte(start + 8) == b'-'
        && text.slice(start, start + 36).iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
        && text.len() >= start + 36
}

/// Spain's DNI, and NIE with its letter as a digit: `rest` is written, seven or eight digits.
fn is_dni(first: u8, rest: &[u8], letter: u8) -> bool {
    let number = rest
        .iter()
        .fold(u32::from(first), |number, byte| number * 10 + u32::from(byte.wrapping_sub(b'0')));
    DNI_LETTERS.get(number as usize % DNI_LETTERS.len()) == Some(&letter.to_ascii_uppercase())
}

fn is_nric(token: &[u8]) -> bool {
    let weights = [2_u32, 7, 6, 5, 4, 3, 2];
    let digits = token.get(1..8).unwrap_or_default();
    let sum: u32 = digits.iter().zip(weights).map(|(byte, w)| u32::from(byte - b'0') * w).sum();
    let (table, add): (&[u8; 11], u32) = match token.first().map(u8::to_ascii_uppercase) {
        Some(b'S') => (b"JZIHGFEDCBA", 0),
        Some(b'T') => (b"JZIHGFEDCBA", 4),
        Some(b'F') => (b"XWUTRQPNMLK", 0),
        Some(b'G') => (b"XWUTRQPNMLK", 4),
        Some(b'M') => (b"KLJNPQRTUWX", 3),
        _ => return false,
    };
    let place = (sum + add) as usize % 11;
    let place = if table == b"KLJNPQRTUWX" { 10 - place } else { place };
    table.get(place) == token.get(8).map(u8::to_ascii_uppercase).as_ref()
}

/// India's PAN: the fourth letter says what kind of person, in capitals.
fn is_pan(token: &[u8]) -> bool {
    let capital = token.iter().all(|byte| !byte.is_ascii_lowercase());
    capital && token.get(3).is_some_and(|kind| b"ABCFGHJLPT".contains(kind))
}

/// The form of Medicare's beneficiary identifier, without hyphens.
fn is_mbi(token: &[u8]) -> bool {
    let letter = |byte: u8| byte.is_ascii_uppercase() && !b"SLOIBZ".contains(&byte);
    token.len() == 11
        && token.iter().zip(b"1AxdAxdAAdd").all(|(byte, form)| match form {
            b'1' => matches!(byte, b'1'..=b'9'),
            b'A' => letter(*byte),
            b'd' => byte.is_ascii_digit(),
            _ => byte.is_ascii_digit() || letter(*byte),
        })
}

/// `1EG4-TE5-MK73`.
fn mbi(text: Text<'_>, start: usize) -> Option<usize> {
    let whole = text.slice(start, start + 13);
    let mut plain = [0; 11];
    let bytes = whole.iter().enumerate().filter(|(at, _)| !matches!(at, 4 | 8));
    for (to, (_, from)) in plain.iter_mut().zip(bytes) {
        *to = *from;
    }
    let hyphens = whole.get(4) == Some(&b'-') && whole.get(8) == Some(&b'-');
    (hyphens && is_mbi(&plain) && text.ends_word(start + 13)).then_some(start + 13)
}

/// The British number that begins with the letters at `start`, with or without blanks.
fn nino(text: Text<'_>, start: usize) -> Option<usize> {
    let first = text.byte(start).to_ascii_uppercase();
    let second = text.byte(start + 1).to_ascii_uppercase();
    let pair = [first, second];
    let given = first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && ![b"BG", b"GB", b"NK", b"KN", b"NT", b"TN", b"ZZ"].contains(&&pair);
    if !given {
        return None;
    }
    let mut at = start + 2;
    for group in 0..3 {
        at += gap(text, at);
        let digits = text.run(at, 2, |byte| byte.is_ascii_digit());
        if digits != 2 {
            return None;
        }
        at += 2;
        let more = group < 2;
        if more && !(text.byte(at).is_ascii_digit() || gap(text, at) > 0) {
            return None;
        }
    }
    at += gap(text, at);
    let last = matches!(text.byte(at).to_ascii_uppercase(), b'A'..=b'D');
    // Lower case only as one piece: in sentences, blanks and letters mean nothing.
    let plain = text.byte(start).is_ascii_uppercase() == text.byte(at).is_ascii_uppercase()
        && (text.byte(start).is_ascii_uppercase() || at - start == 8);
    (last && plain && text.ends_word(at + 1)).then_some(at + 1)
}

fn gap(text: Text<'_>, at: usize) -> usize {
    if text.byte(at) == b'-' { 1 } else { blank(text, at) }
}

/// Finland's: day of birth, century, number, check character.
fn hetu(text: Text<'_>, start: usize) -> Option<usize> {
    let whole = text.slice(start, start + 11);
    let number = |from: usize, to: usize| {
        let digits = whole.get(from..to)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(digits.iter().fold(0_u64, |number, byte| number * 10 + u64::from(byte - b'0')))
    };
    let (date, serial) = (number(0, 6)?, number(7, 10)?);
    let century = whole.get(6).is_some_and(|sign| b"-+ABCDEFYXWVU".contains(sign));
    let checks = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let check = checks.get(((date * 1000 + serial) % 31) as usize);
    let valid = century
        && is_day(date / 100 % 100, date / 10_000)
        && check == whole.get(10)
        && text.ends_word(start + 11);
    valid.then_some(start + 11)
}

/// Someone born in Corsica: `2A` or `2B` is the department.
fn is_corsican(token: &[u8]) -> bool {
    let (body, key) = token.split_at(token.len().min(13));
    let island = body.get(5) == Some(&b'2')
        && matches!(body.get(6), Some(b'A' | b'B'))
        && body.iter().enumerate().all(|(at, byte)| at == 6 || byte.is_ascii_digit());
    let number = body.iter().fold(0_u64, |number, byte| {
        number * 10 + u64::from(if byte.is_ascii_digit() { byte - b'0' } else { 0 })
    });
    let less = if body.get(6) == Some(&b'A') { 1_000_000 } else { 2_000_000 };
    let check =
        key.iter().fold(0_u64, |number, byte| number * 10 + u64::from(byte.wrapping_sub(b'0')));
    island && key.len() == 2 && number.checked_sub(less).is_some_and(|n| 97 - n % 97 == check)
}

/// Italy's, with its check letter; digits may be replaced by letters where two persons collide.
fn is_fiscal_code(token: &[u8]) -> bool {
    const ODD: [u8; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let form = token.iter().zip(b"AAAAAAnnAnnAnnnA").all(|(byte, form)| match form {
        b'A' => byte.is_ascii_alphabetic(),
        _ => byte.is_ascii_digit() || b"LMNPQRSTUV".contains(&byte.to_ascii_uppercase()),
    });
    let month =
        token.get(8).is_some_and(|month| b"ABCDEHLMPRST".contains(&month.to_ascii_uppercase()));
    if token.len() != 16 || !form || !month {
        return false;
    }
    let value = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_uppercase() - b'A',
    };
    let sum: u32 = token
        .iter()
        .take(15)
        .enumerate()
        .map(|(place, byte)| {
            let value = value(*byte);
            let odd = ODD.get(usize::from(value)).copied().unwrap_or_default();
            u32::from(if place % 2 == 0 { odd } else { value })
        })
        .sum();
    token.get(15).map(|last| u32::from(value(*last))) == Some(sum % 26)
}

/// China's, that ends with X.
fn is_resident(token: &[u8]) -> bool {
    let mut digits = [0; 17];
    for (to, from) in digits.iter_mut().zip(token) {
        *to = from.wrapping_sub(b'0');
    }
    ids::is_resident_body(&digits) && ids::resident_check(&digits) == 10
}

/// Mexico's.
fn is_curp(token: &[u8]) -> bool {
    let form = token.iter().zip(b"AAAAddddddAAAAAndd").all(|(byte, form)| match form {
        b'A' => byte.is_ascii_uppercase(),
        b'd' => byte.is_ascii_digit(),
        _ => byte.is_ascii_alphanumeric(),
    });
    let number = |at: usize| token.get(at).map_or(0, |byte| u64::from(byte.wrapping_sub(b'0')));
    let sex = matches!(token.get(10), Some(b'H' | b'M' | b'X'));
    let born = is_day(number(6) * 10 + number(7), number(8) * 10 + number(9));
    if token.len() != 18 || !form || !sex || !born {
        return false;
    }
    let sum: u64 = token
        .iter()
        .take(17)
        .zip((2..=18_u64).rev())
        .map(|(byte, weight)| {
            let value = match byte {
                b'0'..=b'9' => byte - b'0',
                // Ñ would stand behind N.
                b'A'..=b'N' => byte - b'A' + 10,
                _ => byte - b'A' + 11,
            };
            u64::from(value) * weight
        })
        .sum();
    (10 - sum % 10) % 10 == number(17)
}

/// A passport's or a patient's number, where a word shortly before says so.
fn named(scan: &mut Scanner<'_>, start: usize, end: usize) -> Option<usize> {
    let text = scan.text;
    let token = text.slice(start, end);
    let digits = token.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits < 2 || !text.ends_word(end) || left(text, start) == Side::Part {
        return None;
    }
    let letters = token.len() - digits;
    let passport = (6..=9).contains(&token.len()) && letters <= 4 && digits >= 5
        || (token.len() == 9 && letters >= 1 && !token.iter().any(u8::is_ascii_lowercase));
    if passport && is_named(scan, Context::Passport, start, end) {
        scan.add(Builtin::Passport, start, end, NAMED);
        return Some(end);
    }
    let record = digits >= 4 && (5..=14).contains(&token.len()) && letters <= 4;
    let patient = text.slice(start.saturating_sub(8), start).eq_ignore_ascii_case(b"patient ");
    if record && (patient || is_named(scan, Context::Record, start, end)) {
        scan.add(Builtin::MedicalRecord, start - prefix(text, start), end, NAMED);
        return Some(end);
    }
    None
}

/// How long the letters and the hyphen are that a number begins with: `A-12345`.
fn prefix(text: Text<'_>, start: usize) -> usize {
    if text.before(start, 1) != b'-' {
        return 0;
    }
    let letters =
        (2..=5).take_while(|back| text.before(start, *back).is_ascii_alphabetic()).count();
    if (1..=4).contains(&letters) && text.starts_word(start - 1 - letters) {
        letters + 1
    } else {
        0
    }
}

/// Whether a word beside a number names it, and it is no date, phone number or the like.
fn is_named(scan: &mut Scanner<'_>, context: Context, start: usize, end: usize) -> bool {
    let text = scan.text;
    let joined =
        |byte: u8, next: u8| matches!(byte, b'-' | b'/' | b'.' | b':') && next.is_ascii_digit();
    !joined(text.byte(end), text.byte(end + 1))
        && !is_date(text.slice(start, end))
        && scan.known(context, start, end)
}

/// Eight digits that are a day, as `20240131`.
fn is_date(token: &[u8]) -> bool {
    if token.len() != 8 || !token.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let mut digits = [0; 8];
    for (to, from) in digits.iter_mut().zip(token) {
        *to = from - b'0';
    }
    let number = |from: usize, to: usize| super::checks::part(&digits, from, to);
    digit(&digits, 0) <= 2 && is_birth_date(number(0, 4), number(4, 6), number(6, 8))
}
