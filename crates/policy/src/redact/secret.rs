//! Keys, tokens and passwords.

/// How much is looked at to tell a key from words that look like its prefix.
const LOOK_BYTES: usize = 64;
/// What is left of a key at the end of a text that was cut there.
const CUT_KEY_BYTES_MIN: usize = 4;
/// Longest run of quotes and blanks between a word, its sign and its value.
const GAP_BYTES_MAX: usize = 4;
/// Longest value behind a word that is judged.
const VALUE_BYTES_MAX: usize = 4096;

/// Prefixes of well-known keys, each ending at the byte that triggers, and the least number of
/// bytes behind them.
const PREFIXES: [(&[u8], usize); 30] = [
    (b"al_gw_", 16),
    (b"al_in_", 16),
    (b"al_rd_", 16),
    (b"sk-", 16),
    (b"pk-", 20),
    (b"rk_live_", 16),
    (b"sk_live_", 16),
    (b"sk_test_", 16),
    (b"rk_test_", 16),
    (b"whsec_", 16),
    (b"ghp_", 20),
    (b"gho_", 20),
    (b"ghu_", 20),
    (b"ghs_", 20),
    (b"ghr_", 20),
    (b"github_pat_", 20),
    (b"glpat-", 16),
    (b"xoxa-", 10),
    (b"xoxb-", 10),
    (b"xoxe-", 10),
    (b"xoxp-", 10),
    (b"xoxr-", 10),
    (b"xoxs-", 10),
    (b"xapp-", 10),
    (b"hf_", 20),
    (b"gsk_", 20),
    (b"npm_", 20),
    (b"pypi-", 20),
    (b"r8_", 20),
    (b"xai-", 20),
];

/// Words behind which a value that looks random is a secret.
const WORDS: [&[u8]; 15] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"pwd",
    b"secret",
    b"token",
    b"api_key",
    b"apikey",
    b"api-key",
    b"api key",
    b"access_key",
    b"accesskey",
    b"private_key",
    b"credential",
    b"authorization",
];

/// The bounds of the secret that `byte` at `at` is part of or stands before.
pub(super) fn find(bytes: &[u8], at: usize, byte: u8) -> Option<(usize, usize)> {
    match byte {
        b'-' if starts(bytes, at, b"-----BEGIN ") => private_key(bytes, at),
        b'-' | b'_' => prefixed(bytes, at),
        b'J' => web_token(bytes, at),
        b'K' => fixed(bytes, at.checked_sub(1)?, &[b"AKIA", b"ASIA"], 16),
        b'z' => fixed(bytes, at.checked_sub(2)?, &[b"AIza"], 30),
        b'B' | b'b' => bearer(bytes, at),
        b':' | b'=' => behind_word(bytes, at),
        _ => None,
    }
}

fn starts(bytes: &[u8], at: usize, prefix: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(prefix))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// How many bytes from `at` on satisfy `test`.
fn run(bytes: &[u8], at: usize, test: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| test(**byte)).count()
}

/// Whether the byte before `at` is none of a word.
fn at_word_start(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A key whose prefix ends at `at`.
fn prefixed(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let before = bytes.get(..=at)?;
    let (prefix, least) = PREFIXES.iter().find(|(prefix, _)| before.ends_with(prefix))?;
    let start = before.len() - prefix.len();
    if !at_word_start(bytes, start) {
        return None;
    }
    let look = bytes.get(at + 1..)?;
    let look = look.get(..LOOK_BYTES).unwrap_or(look);
    let seen = run(look, 0, is_token);
    let cut = at + 1 + seen == bytes.len() && seen >= CUT_KEY_BYTES_MIN;
    let random = look.get(..seen)?.iter().any(u8::is_ascii_digit) || !prefix.ends_with(b"-");
    if !random || (seen < *least && !cut) {
        return None;
    }
    // What follows the part that was looked at belongs to it, and is passed with it.
    Some((start, at + 1 + seen + run(bytes, at + 1 + seen, is_token)))
}

/// A key of a fixed length at least, of one alphabet.
fn fixed(bytes: &[u8], start: usize, prefixes: &[&[u8]], least: usize) -> Option<(usize, usize)> {
    let prefix = prefixes.iter().find(|prefix| starts(bytes, start, prefix))?;
    if !at_word_start(bytes, start) {
        return None;
    }
    let length = run(bytes, start + prefix.len(), is_token);
    let end = start + prefix.len() + length;
    let cut = end == bytes.len() && length >= CUT_KEY_BYTES_MIN;
    (length >= least || cut).then_some((start, end))
}

/// `eyJ….….…`: three parts, the last of which may be missing.
fn web_token(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at.checked_sub(2).filter(|start| starts(bytes, *start, b"eyJ"))?;
    // Within a run of such letters only its start is looked at: linear.
    if start.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|byte| is_token(*byte)) {
        return None;
    }
    let head = start + run(bytes, start, is_token);
    if head == bytes.len() {
        return (head - start > 16).then_some((start, head));
    }
    if head - start < 12 || bytes.get(head) != Some(&b'.') {
        return None;
    }
    let body = head + 1 + run(bytes, head + 1, is_token);
    if body - head < 9 && body != bytes.len() {
        return None;
    }
    let signed = bytes.get(body) == Some(&b'.');
    Some((start, if signed { body + 1 + run(bytes, body + 1, is_token) } else { body }))
}

/// The token of `Bearer …`.
fn bearer(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let word = bytes.get(at + 1..at + 7)?;
    if !word.eq_ignore_ascii_case(b"earer ") || !at_word_start(bytes, at) {
        return None;
    }
    let start = at + 7;
    let length = run(bytes, start, |byte| is_token(byte) || b".~+/=".contains(&byte));
    let look = bytes.get(start..start + length.min(LOOK_BYTES))?;
    let random = look.iter().any(u8::is_ascii_digit) || length >= 32;
    (length >= 16 && random).then_some((start, start + length))
}

/// `-----BEGIN … PRIVATE KEY-----` up to its end, or to that of the text.
fn private_key(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let head = rest.get(..LOOK_BYTES).unwrap_or(rest);
    let named = memchr::memmem::find(head, b"PRIVATE KEY");
    if named.is_none() && head.len() == LOOK_BYTES {
        return None;
    }
    if named.is_none() && memchr::memmem::find(head, b"-----\n").is_some() {
        return None;
    }
    let Some(end) = memchr::memmem::find(rest, b"-----END ") else {
        return Some((at, bytes.len()));
    };
    let tail = rest.get(end + 9..)?;
    let close = memchr::memmem::find(tail.get(..LOOK_BYTES).unwrap_or(tail), b"-----");
    Some((at, close.map_or(bytes.len(), |close| at + end + 9 + close + 5)))
}

/// A value that looks random behind `word:` or `word=`, the sign of which is at `at`.
fn behind_word(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let is_gap = |byte: u8| matches!(byte, b' ' | b'"' | b'\'' | b'\\' | b'`' | b'\t');
    let before = bytes.get(..at)?;
    let gap = before.iter().rev().take(GAP_BYTES_MAX).take_while(|byte| is_gap(**byte)).count();
    let before = before.get(..before.len() - gap)?;
    let word = WORDS.iter().find(|word| {
        let end = before.len().checked_sub(word.len()).and_then(|at| before.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(word))
    })?;
    let gap = run(bytes, at + 1, is_gap);
    if gap > GAP_BYTES_MAX {
        return None;
    }
    let start = at + 1 + gap;
    // No `=`: a chain of words and signs must not be read again at each of them.
    let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\"'`\\<>,;:=(){}[]".contains(&byte);
    let length = run(bytes, start, is_value);
    let padding = run(bytes, start + length, |byte| byte == b'=').min(2);
    let value = bytes.get(start..start + length.min(VALUE_BYTES_MAX))?;
    let least = if word.starts_with(b"p") && !word.starts_with(b"private") { 8 } else { 16 };
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
