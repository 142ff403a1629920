//! Addresses of machines, and credentials in URLs.

use super::kind::Builtin;
use super::number::{Number, Side, left};
use super::scan::Scanner;
use super::text::Text;
use super::words::Context;
use std::net::Ipv6Addr;

const LIKELY: f32 = 0.7;
/// Below this, four numbers with dots are a version as a rule.
const OCTET_MIN: u64 = 32;
/// Longest address of version 6, as written.
const V6_BYTES_MAX: usize = 39;
/// Longest credentials in a URL that are looked for.
const AUTHORITY_BYTES_MAX: usize = 512;

/// How likely four numbers are the public address of a machine, and no version.
pub(super) fn v4(scan: &Scanner<'_>, number: Number<'_>) -> Option<f32> {
    if number.lens.len() != 4 || number.sep != b'.' || number.lens.iter().any(|len| *len > 3) {
        return None;
    }
    let text = scan.text;
    let mut octets = [0; 4];
    let mut at = 0;
    for (octet, len) in octets.iter_mut().zip(number.lens) {
        let end = at + usize::from(*len);
        *octet = super::checks::part(number.digits, at, end);
        let padded = *len > 1 && number.digits.get(at) == Some(&0);
        if *octet > 255 || padded {
            return None;
        }
        at = end;
    }
    if !is_public(octets) {
        return None;
    }
    let named = scan.near(Context::Address, number.start);
    let small = octets.iter().all(|octet| *octet < OCTET_MIN);
    let product = text.before(number.start, 1) == b'/'
        && text.before(number.start, 2).is_ascii_alphanumeric();
    let version = scan.is_thing(number.start, Context::Address) || product;
    let network = octets[3] == 0 && text.byte(number.end) == b'/';
    (named || !(small || version || network)).then_some(LIKELY)
}

/// Of one machine on the internet: not local, not of a private network, no resolver that all know.
const fn is_public(octets: [u64; 4]) -> bool {
    match octets {
        [172, second, ..] => second < 16 || second > 31,
        [0 | 10 | 127 | 224.., ..]
        | [192, 168, ..]
        | [169, 254, ..]
        | [8, 8, 8, 8]
        | [8, 8, 4, 4]
        | [1, 1, 1, 1]
        | [1, 0, 0, 1]
        | [9, 9, 9, 9] => false,
        _ => true,
    }
}

/// What the colon at `at` is the first of: credentials in a URL, a MAC address, an address of
/// version 6.
pub(super) fn at_colon(text: Text<'_>, at: usize) -> Option<(Builtin, usize, usize)> {
    if text.starts(at, b"://") {
        let (start, end) = credentials(text, at + 3)?;
        return Some((Builtin::UrlCredentials, start, end));
    }
    if let Some((start, end)) = mac(text, at) {
        return Some((Builtin::MacAddress, start, end));
    }
    let (start, end) = v6(text, at)?;
    Some((Builtin::IpAddress, start, end))
}

/// `user:password` before the `@` of a URL's host, unless the password is a placeholder.
fn credentials(text: Text<'_>, start: usize) -> Option<(usize, usize)> {
    let length =
        text.run(start, AUTHORITY_BYTES_MAX, |byte| byte > b' ' && !b"/?#\"'<>`\\".contains(&byte));
    let authority = text.slice(start, start + length);
    let end = start + memchr::memrchr(b'@', authority)?;
    let colon = start + memchr::memchr(b':', authority).filter(|colon| start + colon < end)?;
    let password = text.slice(colon + 1, end);
    let open = b"$%{[(*x".contains(password.first()?) && !password.iter().any(u8::is_ascii_digit);
    let said = [&b"password"[..], b"pass", b"pw", b"pwd", b"passwd", b"secret", b"token", b"user"];
    let placeholder = open || said.iter().any(|word| password.eq_ignore_ascii_case(word));
    (!placeholder).then_some((start, end))
}

/// Six pairs of hexadecimal digits, the first sign between them at `at`.
pub(super) fn mac(text: Text<'_>, at: usize) -> Option<(usize, usize)> {
    let start = at.checked_sub(2)?;
    let whole = text.slice(start, start + 17);
    let sign = text.byte(at);
    let form = whole.len() == 17
        && whole.iter().enumerate().all(|(place, byte)| {
            if place % 3 == 2 { *byte == sign } else { byte.is_ascii_hexdigit() }
        });
    if !form || !text.starts_word(start) || !text.ends_word(start + 17) {
        return None;
    }
    let longer = text.before(start, 1) == sign
        || (text.byte(start + 17) == sign && text.byte(start + 18).is_ascii_hexdigit());
    let hex = |digit: u8| {
        whole.iter().enumerate().all(|(at, byte)| at % 3 == 2 || byte.eq_ignore_ascii_case(&digit))
    };
    (!longer && !hex(b'0') && !hex(b'f')).then_some((start, start + 17))
}

/// An address of version 6 whose first colon is at `at`: whole, or of the public range, since
/// names in programs look like others.
fn v6(text: Text<'_>, at: usize) -> Option<(usize, usize)> {
    let before = text.slice(at.saturating_sub(5), at);
    let start = at - before.iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if at - start == 0
        || at - start > 4
        || !text.starts_word(start)
        || left(text, start) == Side::Part
    {
        return None;
    }
    if text.before(start, 1) == b':' {
        return None;
    }
    let length = text.run(start, V6_BYTES_MAX + 1, |byte| byte.is_ascii_hexdigit() || byte == b':');
    let written = text.text.get(start..start + length)?.trim_end_matches(':');
    let end = start + written.len();
    let address: Ipv6Addr = written.parse().ok()?;
    let whole = !written.contains("::");
    let public = (0x2000..0x4000).contains(&address.segments()[0]) && at - start == 4;
    let unused = written.bytes().all(|byte| byte == b'0' || byte == b':');
    ((whole || public) && !unused && text.ends_word(end)).then_some((start, end))
}
