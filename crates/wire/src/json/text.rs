//! Strings, unescaped as far as they are wanted.

/// A string as written, between its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
}

// === impl Text ===

impl Text<'_> {
    /// Whether the string, unescaped, is `other`.
    pub(crate) fn is(&self, other: &str) -> bool {
        if self.escaped {
            return self.raw.len() <= 6 * other.len() && self.to_string(usize::MAX) == other;
        }
        self.raw == other.as_bytes()
    }

    /// The string's first characters.
    pub(crate) fn to_string(self, chars_max: usize) -> String {
        let mut text = String::new();
        let mut left = chars_max;
        self.decode(chars_max, |piece| {
            for character in piece.chars() {
                if left == 0 {
                    return false;
                }
                text.push(character);
                left -= 1;
            }
            left > 0
        });
        text
    }

    /// Whether the string is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Gives the unescaped string piece by piece, until `sink` returns false. The pieces hold
    /// the first `chars_max` characters at least; what follows may be cut off.
    pub(crate) fn decode(self, chars_max: usize, mut sink: impl FnMut(&str) -> bool) {
        let bytes_max = chars_max.saturating_mul(4);
        let mut rest = self.raw;
        while !rest.is_empty() {
            let run = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
            let (plain, after) = rest.split_at(run);
            for chunk in plain.get(..bytes_max.min(run)).unwrap_or_default().utf8_chunks() {
                if !chunk.valid().is_empty() && !sink(chunk.valid()) {
                    return;
                }
                if !chunk.invalid().is_empty() && !sink("\u{FFFD}") {
                    return;
                }
            }
            if after.is_empty() {
                return;
            }
            let (character, length) = unescape(after);
            if !sink(character.encode_utf8(&mut [0; 4])) {
                return;
            }
            rest = after.get(length..).unwrap_or_default();
        }
    }
}

/// The character that the escape at the start of `bytes` stands for, and its length.
fn unescape(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        if bytes.get(at..at + 2)? != b"\\u" {
            return None;
        }
        let digits = std::str::from_utf8(bytes.get(at + 2..at + 6)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let simple = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => {
            let high = unit(0).unwrap_or(0xFFFD);
            if (0xD800..0xDC00).contains(&high)
                && let Some(low @ 0xDC00..0xE000) = unit(6)
            {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return (char::from_u32(code).unwrap_or('\u{FFFD}'), 12);
            }
            return (char::from_u32(high).unwrap_or('\u{FFFD}'), 6);
        }
        Some(&other) => char::from(other),
        None => '\u{FFFD}',
    };
    (simple, 2)
}
