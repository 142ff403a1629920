//! A dictionary of words and phrases, asked at every beginning of a word.
//!
//! Most words are none of it, and a table of bits over their first four bytes says so.

use super::text::Text;

/// Blanks, hyphens and the like between two words of a phrase at most.
const GAP_BYTES_MAX: usize = 4;
/// Longest phrase.
pub(crate) const TERM_BYTES_MAX: usize = 128;
const KEY_BYTES: usize = 4;
/// Sets the bit that lower-case ASCII letters have: upper and lower case get one key.
const LOWER: u32 = 0x2020_2020;
const FILTER_WORDS: usize = 1024;

/// What it means that a word stands somewhere; `E` says.
pub(super) struct Terms<E> {
    filter: Box<[u64]>,
    /// First bytes → place in `terms`; sorted.
    keys: Vec<(u32, u32)>,
    terms: Vec<Term<E>>,
}

struct Term<E> {
    /// In lower case; a blank stands for one to four blanks or hyphens.
    text: Box<str>,
    /// Words that only begin so are meant, too.
    open: bool,
    effect: E,
}

// === impl Terms ===

impl<E: Copy> Terms<E> {
    /// Terms end with `*` where words that only begin so are meant. None is shorter than three
    /// bytes.
    pub(super) fn new<'a>(terms: impl Iterator<Item = (&'a str, E)>) -> Self {
        let mut all =
            Self { filter: vec![0; FILTER_WORDS].into(), keys: Vec::new(), terms: Vec::new() };
        for (text, effect) in terms {
            let open = text.ends_with('*');
            let text = text.trim_end_matches('*').to_lowercase();
            let number = all.terms.len() as u32;
            let mut title = text.clone();
            if let Some(first) = text.chars().next() {
                title.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
            }
            for form in [&text, &title, &text.to_uppercase()] {
                all.add_keys(form.as_bytes(), open, number);
                if form.bytes().take(KEY_BYTES).any(|byte| byte == b' ') {
                    for gap in ["_", "-", "\n"] {
                        all.add_keys(form.replace(' ', gap).as_bytes(), open, number);
                    }
                }
            }
            all.terms.push(Term { text: text.into(), open, effect });
        }
        all.keys.sort_unstable();
        all.keys.dedup();
        for (key, _) in &all.keys {
            let (word, bit) = place(*key);
            if let Some(word) = all.filter.get_mut(word) {
                *word |= bit;
            }
        }
        all
    }

    fn add_keys(&mut self, form: &[u8], open: bool, number: u32) {
        if form.len() >= KEY_BYTES {
            self.keys.push((key(form), number));
            return;
        }
        // Shorter than a key: with whatever may follow.
        let Ok(short) = <[u8; 3]>::try_from(form) else { return };
        let closed = short.last().is_some_and(u8::is_ascii_alphanumeric);
        for follow in 0..=u8::MAX {
            if open || !closed || !follow.is_ascii_alphabetic() || follow == b's' {
                let [a, b, c] = short;
                self.keys.push((key(&[a, b, c, follow]), number));
            }
        }
    }

    /// False where no term stands at `at`, where a word begins; true of few other words.
    #[inline]
    pub(super) fn may_stand(&self, text: Text<'_>, at: usize) -> bool {
        let (word, bit) = place(key(text.bytes.get(at..).unwrap_or_default()));
        self.filter.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Calls `found` with each term that stands at `at`, where a word begins, and its end.
    #[inline]
    pub(super) fn at(&self, text: Text<'_>, at: usize, found: impl FnMut(E, usize)) {
        if self.may_stand(text, at) {
            self.look_up(text, at, found);
        }
    }

    #[inline(never)]
    fn look_up(&self, text: Text<'_>, at: usize, mut found: impl FnMut(E, usize)) {
        let key = key(text.bytes.get(at..).unwrap_or_default());
        let first = self.keys.partition_point(|(other, _)| *other < key);
        let same = self.keys.iter().skip(first).take_while(|(other, _)| *other == key);
        for (_, number) in same {
            if let Some(term) = self.terms.get(*number as usize)
                && let Some(end) = term.end(text, at)
            {
                found(term.effect, end);
            }
        }
    }
}

// === impl Term ===

impl<E> Term<E> {
    /// Where the term ends if it stands at `at`.
    fn end(&self, text: Text<'_>, at: usize) -> Option<usize> {
        let mut here = at;
        let mut last = ' ';
        for expected in self.text.chars() {
            last = expected;
            if expected == ' ' {
                let gap = text.run(here, GAP_BYTES_MAX, |byte| b" \t\r\n-_".contains(&byte));
                if gap == 0 {
                    return None;
                }
                here += gap;
            } else if expected.is_ascii() {
                let same = text.byte(here).eq_ignore_ascii_case(&(expected as u8));
                let quote = expected == '\'' && text.starts(here, "’".as_bytes());
                if !same && !quote {
                    return None;
                }
                here += if quote { "’".len() } else { 1 };
            } else {
                let found = text.text.get(here..)?.chars().next()?;
                if found != expected && !found.to_lowercase().eq(std::iter::once(expected)) {
                    return None;
                }
                here += found.len_utf8();
            }
        }
        if self.open || !last.is_alphanumeric() || last >= '\u{800}' {
            return Some(here);
        }
        if text.byte(here) == b's' && is_word_end(text, here + 1) {
            return Some(here + 1);
        }
        is_word_end(text, here).then_some(here)
    }
}

/// No letter follows, or one that begins a word within a name: `phoneNumber`.
fn is_word_end(text: Text<'_>, at: usize) -> bool {
    let (last, next) = (text.before(at, 1), text.byte(at));
    let camel = last.is_ascii_lowercase() && next.is_ascii_uppercase();
    camel || !(next.is_ascii_alphabetic() || (0xC3..=0xDF).contains(&next))
}

#[inline]
fn key(bytes: &[u8]) -> u32 {
    if let Some(four) = bytes.first_chunk::<KEY_BYTES>() {
        return u32::from_le_bytes(*four) | LOWER;
    }
    let mut four = [0; KEY_BYTES];
    for (to, from) in four.iter_mut().zip(bytes) {
        *to = *from;
    }
    u32::from_le_bytes(four) | LOWER
}

/// The word of the filter and the bit in it.
#[inline]
const fn place(key: u32) -> (usize, u64) {
    let hash = key.wrapping_mul(0x9E37_79B1) >> 16;
    ((hash >> 6) as usize, 1 << (hash & 63))
}
