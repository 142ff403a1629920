//! Strings of JSON as the text that they write, with the way back to their bytes.

/// Whether a string's text is its bytes.
pub(super) fn is_plain(raw: &[u8]) -> bool {
    memchr::memchr(b'\\', raw).is_none()
}

/// Appends what the inside of a string of JSON writes. With `places`, adds for each byte of the
/// text where in `raw` it comes from. What is no UTF-8, and halves of surrogate pairs, become
/// replacement characters.
pub(super) fn json(raw: &[u8], out: &mut String, mut places: Option<&mut Vec<usize>>) {
    let mut at = 0;
    while at < raw.len() {
        let rest = raw.get(at..).unwrap_or_default();
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        utf8(rest.get(..plain).unwrap_or_default(), at, out, places.as_deref_mut());
        at += plain;
        if at >= raw.len() {
            break;
        }
        let (character, length) = escape(raw.get(at..).unwrap_or_default());
        push(character, at, out, places.as_deref_mut());
        at += length;
    }
}

/// Appends bytes as text.
pub(super) fn utf8(
    raw: &[u8],
    offset: usize,
    out: &mut String,
    mut places: Option<&mut Vec<usize>>,
) {
    let mut at = offset;
    for chunk in raw.utf8_chunks() {
        out.push_str(chunk.valid());
        if let Some(places) = places.as_deref_mut() {
            places.extend(at..at + chunk.valid().len());
        }
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            push(char::REPLACEMENT_CHARACTER, at, out, places.as_deref_mut());
            at += chunk.invalid().len();
        }
    }
}

fn push(character: char, at: usize, out: &mut String, places: Option<&mut Vec<usize>>) {
    out.push(character);
    if let Some(places) = places {
        places.extend(std::iter::repeat_n(at, character.len_utf8()));
    }
}

/// The character of the escape at the start of `raw`, and the escape's length.
fn escape(raw: &[u8]) -> (char, usize) {
    let simple = match raw.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unicode(raw),
        Some(byte) if byte.is_ascii() => char::from(*byte),
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    (simple, 2)
}

fn unicode(raw: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(raw.get(at..at + 4)?).ok()?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let Some(first) = unit(2) else { return (char::REPLACEMENT_CHARACTER, 2.min(raw.len())) };
    if (0xD800..0xDC00).contains(&first)
        && raw.get(6..8) == Some(b"\\u")
        && let Some(second) = unit(8).filter(|second| (0xDC00..0xE000).contains(second))
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}
