//! A scanner over JSON bytes that builds no tree: fields are read where they lie, everything
//! else is skipped (and checked) without recursion, so that depth costs no stack.
//!
//! It is as strict as JSON about structure and tolerant where parsers of providers are:
//! numbers of any size, `NaN` and `Infinity`, lone surrogates, bytes that are no UTF-8.

use std::borrow::Cow;

/// Longest key, as written, that is unescaped to be compared; no key of ours comes near.
const ESCAPED_KEY_BYTES_MAX: usize = 384;
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Where the bytes stop being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) at: usize,
}

pub(crate) type Result<T> = std::result::Result<T, Invalid>;

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Other,
}

/// A place in JSON bytes. Every reading method consumes exactly one value, of whatever kind.
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A string as written, between its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

/// Which containers are open, a bit each (1 = object).
#[derive(Default)]
struct Nest {
    low: u64,
    depth: usize,
    more: Vec<u64>,
}

// === impl Scan ===

impl<'a> Scan<'a> {
    /// At the start of `bytes`, behind a byte order mark.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Self { bytes, at }
    }

    /// Skips blanks; how far the scanner is.
    pub(crate) fn at(&mut self) -> usize {
        self.blanks();
        self.at
    }

    /// The kind of the next value.
    pub(crate) fn kind(&mut self) -> Kind {
        self.blanks();
        match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            _ => Kind::Other,
        }
    }

    /// Reads an object: `field` is called with each key and must consume its value or leave
    /// it untouched. Another kind of value is skipped.
    pub(crate) fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.kind() != Kind::Object {
            return self.skip();
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.key()?;
            let before = self.at;
            field(self, &key)?;
            if self.at == before {
                self.skip()?;
            }
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.invalid(),
            }
        }
    }

    /// Reads an array: `element` must consume each value or leave it untouched. Another kind
    /// of value is skipped.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.kind() != Kind::Array {
            return self.skip();
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            let before = self.at;
            element(self)?;
            if self.at == before {
                self.skip()?;
            }
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.invalid(),
            }
        }
    }

    /// The next value if it is a string.
    pub(crate) fn text(&mut self) -> Result<Option<Text<'a>>> {
        if self.kind() == Kind::String {
            return self.string().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// The next value as written.
    pub(crate) fn span(&mut self) -> Result<&'a [u8]> {
        let start = self.at();
        self.skip()?;
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// Whether the next value is `true`.
    pub(crate) fn is_true(&mut self) -> Result<bool> {
        Ok(self.span()? == b"true")
    }

    /// The next value if it is a whole number that fits.
    pub(crate) fn count(&mut self) -> Result<Option<u64>> {
        let span = self.span()?;
        Ok(std::str::from_utf8(span).ok().and_then(|digits| digits.parse().ok()))
    }

    /// Fails unless only blanks are left.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.blanks();
        if self.at == self.bytes.len() { Ok(()) } else { self.invalid() }
    }

    /// Passes one value, checking that it is one.
    pub(crate) fn skip(&mut self) -> Result<()> {
        let mut open = Nest::default();
        loop {
            self.blanks();
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    self.blanks();
                    if self.peek() == Some(b'}') {
                        self.at += 1;
                    } else {
                        open.push(true);
                        self.skip_key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.blanks();
                    if self.peek() == Some(b']') {
                        self.at += 1;
                    } else {
                        open.push(false);
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                _ => self.scalar()?,
            }
            if self.close(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Behind a value: passes the ends of containers up to the next value; true at the end.
    fn close(&mut self, open: &mut Nest) -> Result<bool> {
        loop {
            let Some(in_object) = open.top() else { return Ok(true) };
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    if in_object {
                        self.skip_key()?;
                    }
                    return Ok(false);
                }
                Some(b'}') if in_object => open.pop(),
                Some(b']') if !in_object => open.pop(),
                _ => return self.invalid(),
            }
            self.at += 1;
        }
    }

    fn key(&mut self) -> Result<Cow<'a, [u8]>> {
        self.blanks();
        if self.peek() != Some(b'"') {
            return self.invalid();
        }
        let key = self.string()?;
        self.colon()?;
        if key.escaped && key.raw.len() <= ESCAPED_KEY_BYTES_MAX {
            return Ok(Cow::Owned(key.to_string(usize::MAX).into_bytes()));
        }
        Ok(Cow::Borrowed(key.raw))
    }

    fn skip_key(&mut self) -> Result<()> {
        self.blanks();
        if self.peek() != Some(b'"') {
            return self.invalid();
        }
        self.string()?;
        self.colon()
    }

    fn colon(&mut self) -> Result<()> {
        self.blanks();
        if self.peek() != Some(b':') {
            return self.invalid();
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    fn string(&mut self) -> Result<Text<'a>> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_prefix(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let raw = self.bytes.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Text { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.invalid(),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.invalid();
                }
                self.at += 6;
            }
            _ => return self.invalid(),
        }
        Ok(())
    }

    fn scalar(&mut self) -> Result<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let word = [&b"true"[..], b"false", b"null", b"NaN", b"Infinity", b"-Infinity"]
            .into_iter()
            .find(|word| rest.starts_with(word));
        let length = word.map_or_else(|| number(rest), |word| Some(word.len()));
        match length {
            Some(length) => {
                self.at += length;
                Ok(())
            }
            None => self.invalid(),
        }
    }

    #[inline]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn invalid<T>(&self) -> Result<T> {
        Err(Invalid { at: self.at })
    }
}

/// How many bytes come before the next quote, backslash or control character.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    let mut passed = 0;
    let mut rest = bytes;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let quote = word ^ (LOW * u64::from(b'"'));
        let backslash = word ^ (LOW * u64::from(b'\\'));
        let found = (quote.wrapping_sub(LOW) & !quote)
            | (backslash.wrapping_sub(LOW) & !backslash)
            | (word.wrapping_sub(LOW * 0x20) & !word);
        if found & HIGH != 0 {
            // The lowest hit is exact; only hits above it can be carries.
            return passed + (found & HIGH).trailing_zeros() as usize / 8;
        }
        passed += 8;
        rest = after;
    }
    let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
    passed + rest.iter().position(special).unwrap_or(rest.len())
}

/// The length of the number at the start of `bytes`.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        bytes
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
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

// === impl Nest ===

impl Nest {
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.more.push(self.low);
        }
        self.low = self.low << 1 | u64::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.low >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.low = self.more.pop().unwrap_or(0);
        }
    }

    fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.low & 1 == 1)
    }
}
