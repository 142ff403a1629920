//! A scanner over JSON bytes that builds no tree: fields are read where they lie, everything
//! else is skipped (and checked) without recursion, so that depth costs no stack.
//!
//! It is as strict as JSON about structure and tolerant where parsers of providers are:
//! numbers of any size, `NaN` and `Infinity`, lone surrogates, bytes that are no UTF-8.

mod nest;
mod text;

use std::borrow::Cow;

use nest::Nest;
pub(crate) use text::Text;

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
