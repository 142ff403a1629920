//! Personal data and secrets in text, replaced by placeholders.

mod card;
mod email;
mod secret;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

/// Bytes at which something may be found: each is within, or right before, a finding.
const TRIGGERS: [bool; 256] = triggers();

/// Replaces what should not be seen by `<EMAIL_1>`, `<CARD_1>`, `<SECRET_1>`; within one text
/// the same thing has the same number.
///
/// Found are e-mail addresses, card numbers (of known issuers, with a valid check digit),
/// and secrets: keys by their well-known prefixes, JSON web tokens, bearer tokens, blocks of
/// private keys, and values that look random behind words such as `password` or `token`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redactor;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Email,
    Card,
    Secret,
}

/// Something to be replaced: its bounds in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Finding {
    start: usize,
    end: usize,
    kind: Kind,
}

/// The text so far, and what was replaced in it.
struct Output<'a> {
    text: &'a str,
    redacted: String,
    copied: usize,
    numbers: HashMap<(Kind, &'a str), usize>,
    counts: [usize; 3],
}

const fn triggers() -> [bool; 256] {
    let mut table = [false; 256];
    let bytes = b"@0123456789_-:=JKzBb";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

// === impl Redactor ===

impl Redactor {
    /// A redactor for all kinds of findings.
    pub const fn new() -> Self {
        Self
    }

    /// The text with its findings replaced; the text itself if there are none.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let bytes = text.as_bytes();
        let mut output: Option<Output<'a>> = None;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if !TRIGGERS.get(usize::from(byte)).copied().unwrap_or_default() {
                at += 1;
                continue;
            }
            let free = output.as_ref().map_or(0, |output| output.copied);
            match find(text, at, byte, free) {
                Some(finding) => {
                    let output = output.get_or_insert_with(|| Output::new(text));
                    output.replace(finding);
                    at = finding.end.max(at + 1);
                }
                None if byte.is_ascii_digit() => at = card::end_of_digits(bytes, at),
                None => at += 1,
            }
        }
        output.map_or(Cow::Borrowed(text), |output| Cow::Owned(output.finish()))
    }
}

/// What is found around the byte at `at`, not before `free`.
fn find(text: &str, at: usize, byte: u8, free: usize) -> Option<Finding> {
    let bytes = text.as_bytes();
    let found = match byte {
        b'@' => email::find(text, at, free).map(|(start, end)| (start, end, Kind::Email)),
        b'0'..=b'9' => card::find(bytes, at).map(|(start, end)| (start, end, Kind::Card)),
        _ => secret::find(bytes, at, byte).map(|(start, end)| (start, end, Kind::Secret)),
    };
    let (start, end, kind) = found?;
    let whole = text.is_char_boundary(start) && text.is_char_boundary(end);
    (start >= free && end > start && whole).then_some(Finding { start, end, kind })
}

// === impl Output ===

impl<'a> Output<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            redacted: String::with_capacity(text.len()),
            copied: 0,
            numbers: HashMap::new(),
            counts: [0; 3],
        }
    }

    fn replace(&mut self, finding: Finding) {
        let Finding { start, end, kind } = finding;
        self.redacted.push_str(self.text.get(self.copied..start).unwrap_or_default());
        let hidden = self.text.get(start..end).unwrap_or_default();
        let (name, count) = match kind {
            Kind::Email => ("EMAIL", &mut self.counts[0]),
            Kind::Card => ("CARD", &mut self.counts[1]),
            Kind::Secret => ("SECRET", &mut self.counts[2]),
        };
        let number = *self.numbers.entry((kind, hidden)).or_insert_with(|| {
            *count += 1;
            *count
        });
        // Writing to a string does not fail.
        let _written = write!(self.redacted, "<{name}_{number}>");
        self.copied = end;
    }

    fn finish(mut self) -> String {
        self.redacted.push_str(self.text.get(self.copied..).unwrap_or_default());
        self.redacted
    }
}
