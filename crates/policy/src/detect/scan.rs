//! One pass over a text: most bytes are passed, some are looked at more closely.

use super::kind::Builtin;
use super::terms::Terms;
use super::text::Text;
use super::words::{Context, Effect};
use super::{alnum, birth, email, net, number, phone, secret, signals};

/// How far before a number a word says what it is.
const CONTEXT_BYTES: usize = 64;
/// How far before a number a word says that it is that of a thing.
const THING_BYTES: usize = 32;
/// How far behind a number a word says what it is.
const FOLLOW_BYTES: usize = 40;
/// Longest run of letters and digits that is looked at as one number.
const TOKEN_BYTES_MAX: usize = 40;

/// What is done at a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    /// A letter or digit: a word or number begins.
    Word,
    /// The first byte of a character beyond ASCII.
    Wide,
    /// One of the signs around which something may be found.
    Sign,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Plain; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        table[at] = if byte.is_ascii_alphanumeric() {
            Class::Word
        } else if byte >= 0xC2 {
            Class::Wide
        } else {
            match byte {
                b'@' | b':' | b'=' | b'-' | b'_' | b'+' | b'(' | b'<' | b'[' | b'\\' => Class::Sign,
                _ => Class::Plain,
            }
        };
        at += 1;
    }
    table
}

const LETTER: u8 = 1;
const DIGIT: u8 = 2;

/// What a byte of a word is; 0 where it is none.
const SIGNS: [u8; 256] = signs();

const fn signs() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        table[at] = if byte.is_ascii_digit() {
            DIGIT
        } else if byte.is_ascii_alphabetic() {
            LETTER
        } else {
            0
        };
        at += 1;
    }
    table
}

/// Something found by a built-in detector, or a word of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    pub what: What,
    pub start: usize,
    pub end: usize,
    pub score: f32,
}

/// What a hit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Builtin(Builtin),
    Listed(u16),
}

/// How to look.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub terms: &'a Terms<Effect>,
    /// Bits of the kinds that are looked for.
    pub kinds: u64,
    pub score_min: f32,
    /// The text may have been cut at its end.
    pub cut: bool,
}

/// The way through one text.
pub(super) struct Scanner<'a> {
    pub text: Text<'a>,
    look: Look<'a>,
    pub hits: Vec<Hit>,
    /// Context → end of the last word that gives it, plus one; 0: none yet.
    marks: [usize; Context::COUNT],
    pub signals: signals::State,
    /// Bytes that were looked at beyond the pass itself.
    pub steps: u64,
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, look: Look<'a>) -> Self {
        Self {
            text: Text::new(text),
            look,
            hits: Vec::new(),
            marks: [0; Context::COUNT],
            signals: signals::State::default(),
            steps: 0,
        }
    }

    /// Listens to the words of a name that stands before the text, as the key of a JSON object.
    pub(super) fn prime(&mut self, name: &str) {
        let name = Text::new(name);
        let mut at = 0;
        while at < name.len() {
            let mut heard = [None; 4];
            let mut count = 0;
            self.look.terms.at(name, at, |effect, _| {
                if let (Effect::Context(context), Some(place)) = (effect, heard.get_mut(count)) {
                    *place = Some(context);
                    count += 1;
                }
            });
            for context in heard.into_iter().flatten() {
                self.mark(context, 0);
            }
            let word = name.run(at, usize::MAX, |byte| byte.is_ascii_alphabetic());
            at += word.max(1);
            while !name.text.is_char_boundary(at) {
                at += 1;
            }
        }
    }

    pub(super) fn run(&mut self) {
        let mut at = 0;
        while let Some(&byte) = self.text.bytes.get(at) {
            at = match CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Plain) {
                Class::Plain => at + 1,
                Class::Word => self.word(at),
                Class::Wide => self.wide(at, byte),
                Class::Sign => self.sign(at, byte),
            };
        }
    }

    /// A character beyond ASCII: a word may begin at it, at each in scripts without blanks.
    fn wide(&mut self, at: usize, byte: u8) -> usize {
        self.listen(at);
        match byte {
            0xC2 => at + 2,
            0xE0..=0xEF => at + 3,
            0xF0.. => at + 4,
            _ => self.rest_of_word(at),
        }
    }

    /// Behind the letters of a word that has letters of two bytes.
    fn rest_of_word(&self, at: usize) -> usize {
        at + self.text.run(at, usize::MAX, |byte| {
            byte.is_ascii_alphanumeric()
                || (0x80..=0xBF).contains(&byte)
                || (0xC3..=0xDF).contains(&byte)
        })
    }

    /// A word or a number of ASCII letters and digits.
    fn word(&mut self, at: usize) -> usize {
        let rest = self.text.bytes.get(at..).unwrap_or_default();
        let (mut seen, mut end) = (0, at);
        for byte in rest {
            let signs = SIGNS.get(usize::from(*byte)).copied().unwrap_or_default();
            if signs == 0 {
                break;
            }
            seen |= signs;
            end += 1;
        }
        let (letters, digits) = (seen & LETTER != 0, seen & DIGIT != 0);
        if letters {
            if let Some((start, end)) = secret::at_word(self.text, at, self.look.cut) {
                self.add(Builtin::Secret, start, end, 0.95);
                return end.max(at + 1);
            }
            self.listen(at);
        }
        if (0xC3..=0xDF).contains(&self.text.byte(end)) {
            return self.rest_of_word(end);
        }
        let next = match (letters, digits) {
            (false, _) => number::at(self, at, end),
            (true, true) if end - at <= TOKEN_BYTES_MAX => alnum::at(self, at, end),
            (true, false) if end - at <= 4 => alnum::at_letters(self, at, end),
            _ => None,
        };
        next.unwrap_or(end)
    }

    fn sign(&mut self, at: usize, byte: u8) -> usize {
        let found = match byte {
            b'\\' => return at + escape(self.text, at),
            b'<' if let Some(end) = placeholder(self.text, at) => return end,
            b'@' => email::find(self.text, at, self.look.cut)
                .map(|(start, end)| (Builtin::Email, start, end, 0.95)),
            b'+' => phone::international(self, at),
            b'(' => phone::in_parentheses(self, at),
            b'<' | b'[' => signals::markup(self.text, at),
            _ => None,
        };
        if let Some((kind, start, end, score)) = found {
            self.add(kind, start, end, score);
            return end.max(at + 1);
        }
        if byte == b':'
            && let Some((kind, start, end)) = net::at_colon(self.text, at)
        {
            self.steps += 64;
            self.add(kind, start, end, 0.8);
            // Behind the `@` of credentials, which is that of no address.
            return end.max(at) + 1;
        }
        if let Some((start, end)) = secret::find(self.text, at, byte, self.look.cut) {
            self.steps += 64;
            self.add(Builtin::Secret, start, end, 0.9);
            return end.max(at + 1);
        }
        if byte == b'-'
            && let Some((start, end)) = net::mac(self.text, at)
        {
            self.add(Builtin::MacAddress, start, end, 0.8);
            return end;
        }
        at + 1
    }

    /// Asks what the word at `at` means.
    #[inline]
    fn listen(&mut self, at: usize) {
        if self.look.terms.may_stand(self.text, at) {
            self.hear(at);
        }
    }

    #[inline(never)]
    fn hear(&mut self, at: usize) {
        let mut heard = [None; 8];
        let mut count = 0;
        self.look.terms.at(self.text, at, |effect, end| {
            if let Some(place) = heard.get_mut(count) {
                *place = Some((effect, end));
                count += 1;
            }
        });
        self.steps += count as u64 * 16;
        for (effect, end) in heard.into_iter().take(count).flatten() {
            match effect {
                Effect::Context(context) => {
                    self.mark(context, end);
                    if context == Context::Birth {
                        birth::around(self, at, end);
                    }
                }
                Effect::Listed(list) => self.push(What::Listed(list), at, end, 1.0),
                other => signals::hear(self, other, at, end),
            }
        }
    }

    fn mark(&mut self, context: Context, end: usize) {
        if let Some(mark) = self.marks.get_mut(context as usize) {
            *mark = end + 1;
        }
    }

    /// How many bytes before `at` the last word ends that gives this context.
    pub(super) fn since(&self, context: Context, at: usize) -> Option<usize> {
        let mark = self.marks.get(context as usize).copied().filter(|mark| *mark > 0)?;
        Some((at + 1).saturating_sub(mark))
    }

    /// Whether a word shortly before `at` gives this context.
    pub(super) fn near(&self, context: Context, at: usize) -> bool {
        self.since(context, at).is_some_and(|bytes| bytes <= CONTEXT_BYTES)
    }

    /// Whether the last word before `at` that says what a number is says: of a thing.
    pub(super) fn is_thing(&self, at: usize, own: Context) -> bool {
        let thing = self.since(Context::Thing, at).filter(|bytes| *bytes <= THING_BYTES);
        let own = self.since(own, at);
        thing.is_some_and(|thing| own.is_none_or(|own| thing < own))
    }

    /// Whether a word shortly before or behind a number gives this context.
    pub(super) fn known(&mut self, context: Context, start: usize, end: usize) -> bool {
        if self.near(context, start) {
            return !self.is_thing(start, context);
        }
        if self.is_thing(start, context) {
            return false;
        }
        let mut known = false;
        let stop = self.text.floor(end + FOLLOW_BYTES).max(end);
        let mut at = end;
        while at < stop {
            let byte = self.text.byte(at);
            if byte == b'\n' {
                break;
            }
            if byte.is_ascii_alphabetic() || byte >= 0xC3 {
                self.look.terms.at(self.text, at, |effect, _| {
                    known |= effect == Effect::Context(context);
                });
            }
            let word = self.text.run(at, stop - at, |byte| byte.is_ascii_alphanumeric());
            at += word.max(1);
            while !self.text.text.is_char_boundary(at) {
                at += 1;
            }
        }
        self.steps += (at - end) as u64;
        known
    }

    /// Adds a finding of a kind that is looked for.
    pub(super) fn add(&mut self, kind: Builtin, start: usize, end: usize, score: f32) {
        if self.look.kinds & kind.bit() != 0 {
            self.push(What::Builtin(kind), start, end, score);
        }
    }

    fn push(&mut self, what: What, start: usize, end: usize, score: f32) {
        let text = self.text.text;
        let whole = start < end && text.is_char_boundary(start) && text.is_char_boundary(end);
        if whole && score >= self.look.score_min {
            self.hits.push(Hit { what, start, end, score });
        }
    }
}

/// How long the escape at `at` is, as in JSON within a text: what stands behind it begins anew.
fn escape(text: Text<'_>, at: usize) -> usize {
    match text.byte(at + 1) {
        b'n' | b'r' | b't' | b'b' | b'f' => 2,
        b'u' if text.run(at + 2, 4, |byte| byte.is_ascii_hexdigit()) == 4 => 6,
        _ => 1,
    }
}

/// Longest placeholder: a kind's name and a number.
const PLACEHOLDER_BYTES_MAX: usize = 44;

/// The end of the placeholder at `at`, which says nothing of what stands around it.
fn placeholder(text: Text<'_>, at: usize) -> Option<usize> {
    let name = text.run(at + 1, PLACEHOLDER_BYTES_MAX, |byte| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
    });
    let end = at + 1 + name;
    let numbered = text.before(end, 1).is_ascii_digit() && text.byte(at + 1).is_ascii_uppercase();
    (numbered && text.byte(end) == b'>').then_some(end + 1)
}
