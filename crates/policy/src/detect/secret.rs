//! Keys, tokens and passwords.

use super::text::Text;

/// How much is looked at to tell a key from words that look like its prefix.
const LOOK_BYTES: usize = 64;
/// What is left of a key at the end of a text that was cut there.
const CUT_KEY_BYTES_MIN: usize = 4;
/// Longest run of quotes and blanks between a word, its sign and its value.
const GAP_BYTES_MAX: usize = 4;
/// Longest value behind a word that is judged.
const VALUE_BYTES_MAX: usize = 4096;
/// The fewest bytes of a private key that are one, where its end is not seen.
const KEY_BODY_BYTES_MIN: usize = 16;

/// Prefixes of well-known keys, each ending at the sign that triggers, and the least number of
/// bytes behind them.
#[rustfmt::skip]
const PREFIXES: &[(&[u8], usize)] = &[
    (b"al_gw_", 16), (b"al_in_", 16), (b"al_rd_", 16),
    (b"sk-", 16), (b"pk-", 20), (b"xai-", 20), (b"gsk_", 20), (b"hf_", 20), (b"r8_", 20), (b"pplx-", 20), (b"csk-", 20),
    (b"nvapi-", 20), (b"tvly-", 16), (b"lsv2_pt_", 20),
    (b"rk_live_", 16), (b"sk_live_", 16), (b"sk_test_", 16), (b"rk_test_", 16), (b"whsec_", 16), (b"sq0atp-", 16), (b"sq0csp-", 16),
    (b"ghp_", 20), (b"gho_", 20), (b"ghu_", 20), (b"ghs_", 20), (b"ghr_", 20), (b"github_pat_", 20), (b"glpat-", 16), (b"gldt-", 16),
    (b"xoxa-", 10), (b"xoxb-", 10), (b"xoxe-", 10), (b"xoxp-", 10), (b"xoxr-", 10), (b"xoxs-", 10), (b"xapp-", 10),
    (b"npm_", 20), (b"pypi-", 20), (b"rubygems_", 20), (b"glsa_", 20), (b"sntrys_", 20), (b"figd_", 20),
    (b"GOCSPX-", 16), (b"dop_v1_", 32), (b"doo_v1_", 32), (b"shpat_", 20), (b"shpss_", 20), (b"shpca_", 20),
    (b"lin_api_", 20), (b"sbp_", 20), (b"tskey-", 16), (b"fo1_", 20), (b"pat-na1-", 20), (b"pscale_tkn_", 16),
];

/// Beginnings of words that are keys, and the least number of bytes behind them.
const BEGINNINGS: &[(&[u8], usize)] = &[
    (b"AKIA", 16),
    (b"ASIA", 16),
    (b"AIza", 30),
    (b"ATATT3", 20),
    (b"dapi", 32),
    (b"EAAC", 60),
    (b"SG.", 30),
    (b"hvs.", 20),
    (b"ya29.", 20),
];

/// Words behind which a value that looks random is a secret, and the fewest bytes of one.
const WORDS: &[(&str, usize)] = &[
    ("password", 8),
    ("passwd", 8),
    ("passphrase", 8),
    ("pwd", 8),
    ("secret", 16),
    ("token", 16),
    ("api_key", 16),
    ("apikey", 16),
    ("api-key", 16),
    ("api key", 16),
    ("access_key", 16),
    ("accesskey", 16),
    ("access key", 16),
    ("private_key", 16),
    ("account_key", 16),
    ("accountkey", 16),
    ("credential", 16),
    ("authorization", 16),
    ("passwort", 8),
    ("kennwort", 8),
    ("mot de passe", 8),
    ("contraseña", 8),
    ("senha", 8),
    ("wachtwoord", 8),
    ("hasło", 8),
    ("пароль", 8),
    ("密码", 8),
    ("密碼", 8),
    ("パスワード", 8),
    ("비밀번호", 8),
];

/// Tokens that are none of those that open something.
const PLAIN_TOKENS: &[&str] = &[
    "page_token",
    "pagetoken",
    "next_token",
    "nexttoken",
    "continuation_token",
    "continuationtoken",
    "sync_token",
    "cursor_token",
    "resume_token",
];

/// The bounds of the secret that the sign `byte` at `at` is part of or stands before.
pub(super) fn find(text: Text<'_>, at: usize, byte: u8, cut: bool) -> Option<(usize, usize)> {
    match byte {
        b'-' if text.starts(at, b"-----BEGIN ") => private_key(text, at, cut),
        b'-' | b'_' => prefixed(text, at, cut),
        b':' | b'=' => behind_word(text, at, byte),
        _ => None,
    }
}

/// The bounds of the secret that the word at `at` is, or stands before.
#[inline]
pub(super) fn at_word(text: Text<'_>, at: usize, cut: bool) -> Option<(usize, usize)> {
    match text.byte(at) {
        b'e' if text.starts(at, b"eyJ") => web_token(text, at, cut),
        b'B' | b'b' if text.byte(at + 6) == b' ' => bearer(text, at),
        b'A' | b'd' | b'E' | b'S' | b'h' | b'y' => begun(text, at, cut),
        _ => None,
    }
}

/// Whether a value that stands behind a name such as `password` is a secret.
pub(super) fn is_value(name: &str, value: &str) -> bool {
    let plain = value.len() <= VALUE_BYTES_MAX && value.bytes().all(|byte| byte.is_ascii_graphic());
    let least = least_behind(name.as_bytes());
    least.is_some_and(|least| plain && value.len() >= least && looks_random(value.as_bytes()))
}

/// The fewest bytes of a secret behind this text, if it ends with one of the words.
fn least_behind(text: &[u8]) -> Option<usize> {
    let ends = |word: &str| {
        let end = text.len().checked_sub(word.len()).and_then(|at| text.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
    };
    let (word, least) = WORDS.iter().find(|(word, _)| ends(word))?;
    (*word != "token" || !PLAIN_TOKENS.iter().any(|word| ends(word))).then_some(*least)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// A key whose prefix ends at `at`.
fn prefixed(text: Text<'_>, at: usize, cut: bool) -> Option<(usize, usize)> {
    if !text.before(at, 1).is_ascii_alphanumeric() || !text.byte(at + 1).is_ascii_alphanumeric() {
        return None;
    }
    let before = text.bytes.get(..=at)?;
    let (prefix, least) = PREFIXES.iter().find(|(prefix, _)| before.ends_with(prefix))?;
    let start = before.len() - prefix.len();
    if !text.starts_word(start) {
        return None;
    }
    let seen = text.run(at + 1, LOOK_BYTES, is_token);
    let cut = cut && at + 1 + seen == text.len() && seen >= CUT_KEY_BYTES_MIN;
    let digits = text.slice(at + 1, at + 1 + seen).iter().any(u8::is_ascii_digit);
    if (!digits && prefix.ends_with(b"-")) || (seen < *least && !cut) {
        return None;
    }
    // What follows the part that was looked at belongs to it, and is passed with it.
    Some((start, at + 1 + seen + text.run(at + 1 + seen, usize::MAX, is_token)))
}

/// A key that is told by how its word begins.
fn begun(text: Text<'_>, at: usize, cut: bool) -> Option<(usize, usize)> {
    let (beginning, least) = BEGINNINGS.iter().find(|(beginning, _)| text.starts(at, beginning))?;
    if !text.starts_word(at) {
        return None;
    }
    let dots = beginning.ends_with(b".");
    let from = at + beginning.len();
    let length = text.run(from, usize::MAX, |byte| is_token(byte) || (dots && byte == b'.'));
    let cut = cut && from + length == text.len() && length >= CUT_KEY_BYTES_MIN;
    let random = text.slice(from, from + length).iter().any(u8::is_ascii_digit);
    ((length >= *least && random) || cut).then_some((at, from + length))
}

/// `eyJ….….…`: three parts, the last of which may be missing.
fn web_token(text: Text<'_>, start: usize, cut: bool) -> Option<(usize, usize)> {
    // Within a run of such letters only its start is looked at: linear.
    if is_token(text.before(start, 1)) && !text.is_escape(start) {
        return None;
    }
    let head = start + text.run(start, usize::MAX, is_token);
    if cut && head == text.len() {
        return (head - start > 16).then_some((start, head));
    }
    if head - start < 12 || text.byte(head) != b'.' {
        return None;
    }
    let body = head + 1 + text.run(head + 1, usize::MAX, is_token);
    if body - head < 9 && !(cut && body == text.len()) {
        return None;
    }
    let signed = text.byte(body) == b'.';
    let end = if signed { body + 1 + text.run(body + 1, usize::MAX, is_token) } else { body };
    Some((start, end))
}

/// The token of `Bearer …`.
fn bearer(text: Text<'_>, at: usize) -> Option<(usize, usize)> {
    if !text.slice(at + 1, at + 7).eq_ignore_ascii_case(b"earer ") || !text.starts_word(at) {
        return None;
    }
    let start = at + 7;
    let length = text.run(start, usize::MAX, |byte| is_token(byte) || b".~+/=".contains(&byte));
    let look = text.slice(start, start + length.min(LOOK_BYTES));
    let random = look.iter().any(u8::is_ascii_digit) || length >= 32;
    (length >= 16 && random).then_some((start, start + length))
}

/// `-----BEGIN … PRIVATE KEY-----` and what belongs to it, up to its end if that is seen.
fn private_key(text: Text<'_>, at: usize, cut: bool) -> Option<(usize, usize)> {
    let head = text.slice(at, (at + LOOK_BYTES).min(text.len()));
    let Some(named) = memchr::memmem::find(head, b"PRIVATE KEY") else {
        return (cut && at + head.len() == text.len() && head.len() < LOOK_BYTES / 2)
            .then_some((at, text.len()));
    };
    let mut here = at + named + b"PRIVATE KEY".len();
    here += text.run(here, 32, |byte| byte == b'-' || byte.is_ascii_uppercase() || byte == b' ');
    let body = here;
    let is_body = |byte: u8| byte.is_ascii_alphanumeric() || b"+/= \r\n\t\\:,".contains(&byte);
    loop {
        here += text.run(here, usize::MAX, is_body);
        if text.byte(here) != b'-' || text.starts(here, b"-----") {
            break;
        }
        here += 1;
    }
    if text.starts(here, b"-----END ") {
        let tail = here + 9;
        let close =
            memchr::memmem::find(text.slice(tail, (tail + LOOK_BYTES).min(text.len())), b"-----");
        return Some((at, close.map_or(tail, |close| tail + close + 5)));
    }
    let letters =
        text.slice(body, here).iter().filter(|byte| byte.is_ascii_alphanumeric()).take(64).count();
    let seen = letters >= KEY_BODY_BYTES_MIN && is_encoded(text, body);
    (seen || (cut && here == text.len())).then_some((at, here))
}

/// Whether what stands at `at`, behind a line's end, is one long word.
fn is_encoded(text: Text<'_>, at: usize) -> bool {
    let start = at + text.run(at, 8, |byte| b"\\nr\r\n ".contains(&byte));
    text.run(start, KEY_BODY_BYTES_MIN, |byte| {
        byte.is_ascii_alphanumeric() || b"+/".contains(&byte)
    }) == KEY_BODY_BYTES_MIN
}

/// A value that looks random behind `word:` or `word=`, the sign of which is at `at`.
fn behind_word(text: Text<'_>, at: usize, sign: u8) -> Option<(usize, usize)> {
    let is_gap = |byte: u8| matches!(byte, b' ' | b'"' | b'\'' | b'\\' | b'`' | b'\t' | b'*');
    let before = text.bytes.get(..at)?;
    let gap = before.iter().rev().take(GAP_BYTES_MAX).take_while(|byte| is_gap(**byte)).count();
    let least = least_behind(before.get(..before.len() - gap)?)?;
    let gap = text.run(at + 1, GAP_BYTES_MAX + 1, is_gap);
    if gap > GAP_BYTES_MAX {
        return None;
    }
    let start = at + 1 + gap;
    let query = sign == b'='
        && before.iter().rev().take(LOOK_BYTES).any(|byte| matches!(byte, b'?' | b'&'));
    // No `=`: a chain of words and signs must not be read again at each of them.
    let is_value = |byte: u8| {
        byte.is_ascii_graphic()
            && !b"\"'`\\<>,;:=(){}[]".contains(&byte)
            && !(query && matches!(byte, b'&' | b'#'))
    };
    let length = text.run(start, usize::MAX, is_value);
    let padding = text.run(start + length, 2, |byte| byte == b'=');
    let value = text.slice(start, start + length.min(VALUE_BYTES_MAX));
    (length >= least && looks_random(value)).then_some((start, start + length + padding))
}

/// Several classes of characters, and few repetitions.
fn looks_random(value: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let any = |test: fn(&u8) -> bool| value.iter().any(test);
    let classes = [
        any(u8::is_ascii_lowercase),
        any(u8::is_ascii_uppercase),
        any(u8::is_ascii_digit),
        any(u8::is_ascii_punctuation),
    ];
    if classes.iter().filter(|class| **class).count() < 2 || !(classes[1] || classes[2]) {
        return false;
    }
    let total = value.len() as f64;
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    bits >= 2.5
}
