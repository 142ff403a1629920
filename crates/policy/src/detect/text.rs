//! Looking at bytes around a place in a text, never far.

/// A text as bytes; a place outside of it holds 0.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub text: &'a str,
    pub bytes: &'a [u8],
}

impl<'a> Text<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes() }
    }

    pub(super) const fn len(self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(super) fn byte(self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }

    /// The byte `back` places before `at`.
    #[inline]
    pub(super) fn before(self, at: usize, back: usize) -> u8 {
        at.checked_sub(back).map_or(0, |at| self.byte(at))
    }

    pub(super) fn slice(self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// How many bytes from `at` on satisfy `test`, at most `most`.
    pub(super) fn run(self, at: usize, most: usize, test: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().take(most).take_while(|byte| test(**byte)).count()
    }

    pub(super) fn starts(self, at: usize, prefix: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(prefix))
    }

    /// Whether a word or number that starts at `at` is not the rest of one.
    pub(super) fn starts_word(self, at: usize) -> bool {
        let before = self.before(at, 1);
        !(before.is_ascii_alphanumeric() || before == b'_') || self.is_escape(at)
    }

    /// Whether one that ends at `at` is not the beginning of one.
    pub(super) fn ends_word(self, at: usize) -> bool {
        let after = self.byte(at);
        !(after.is_ascii_alphanumeric() || after == b'_')
    }

    /// Whether the letter before `at` is that of `\n`, `\t` and so on, as in JSON within a text.
    pub(super) fn is_escape(self, at: usize) -> bool {
        matches!(self.before(at, 1), b'n' | b't' | b'r' | b'b' | b'f')
            && self.before(at, 2) == b'\\'
    }

    /// The nearest place at or before `at` where a character starts.
    pub(super) fn floor(self, at: usize) -> usize {
        let mut at = at.min(self.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// One blank between groups of digits: its length in bytes, 0 for none.
pub(super) fn blank(text: Text<'_>, at: usize) -> usize {
    match text.byte(at) {
        b' ' => 1,
        0xC2 if text.byte(at + 1) == 0xA0 => 2,
        0xE2 if text.byte(at + 1) == 0x80 && matches!(text.byte(at + 2), 0x89 | 0xAF) => 3,
        _ => 0,
    }
}
