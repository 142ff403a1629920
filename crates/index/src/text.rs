//! Words for full-text search: split here, the same for every backend. Scripts written without
//! spaces become overlapping pairs of characters, so that two-character words are found.

use std::collections::BTreeSet;

/// One term of a search; all must occur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchTerm {
    /// The term, in lower case.
    pub text: String,
    /// Whether longer terms that begin with it are meant, too.
    pub prefix: bool,
}

#[derive(PartialEq, Clone, Copy)]
enum Kind {
    Word,
    Unspaced,
    Dropped,
    Between,
}

/// Appends the terms of a text, each followed by a space.
pub fn write_terms(text: &str, out: &mut String) {
    each_run(text, |run, kind| {
        if kind == Kind::Word {
            out.push_str(run);
            out.push(' ');
        } else {
            let mut rest = run;
            while let Some(first) = rest.chars().next() {
                let pair = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
                out.push_str(&rest[..pair]);
                out.push(' ');
                rest = &rest[first.len_utf8()..];
            }
        }
    });
}

/// The terms that a search for this text looks for. A word that ends in `*` stands for every word
/// that begins so.
pub fn search_terms(query: &str) -> Vec<SearchTerm> {
    let mut terms = Vec::new();
    for word in query.split_whitespace() {
        let starred = word.ends_with('*');
        let first = terms.len();
        each_run(word, |run, kind| {
            let characters = run.chars().count();
            if kind == Kind::Word || characters == 1 {
                let prefix = kind == Kind::Unspaced;
                terms.push(SearchTerm { text: run.to_owned(), prefix });
                return;
            }
            let mut rest = run;
            for _ in 1..characters {
                let pair = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
                terms.push(SearchTerm { text: rest[..pair].to_owned(), prefix: false });
                rest = rest.chars().next().map_or("", |first| &rest[first.len_utf8()..]);
            }
        });
        if starred
            && terms.len() > first
            && let Some(last) = terms.last_mut()
        {
            last.prefix = true;
        }
    }
    terms.dedup();
    terms
}

/// Whether a text holds all of these terms.
pub fn holds_terms(text: &str, terms: &[SearchTerm]) -> bool {
    let mut held = String::with_capacity(text.len());
    write_terms(text, &mut held);
    let held: BTreeSet<&str> = held.split_terminator(' ').collect();
    !terms.is_empty()
        && terms.iter().all(|term| {
            let text = term.text.as_str();
            let at_or_after = held.range(text..).next();
            at_or_after.is_some_and(|word| {
                if term.prefix { word.starts_with(text) } else { *word == text }
            })
        })
}

/// Whether the words of a phrase follow each other in a text.
pub fn holds_phrase(text: &str, phrase: &str) -> bool {
    let (whole, _) = runs(text);
    let (mut part, kinds) = runs(phrase);
    let (Some(first), Some(last)) = (kinds.first(), kinds.last()) else { return false };
    // Where a script has no spaces a phrase may begin and end anywhere.
    if *last == Kind::Unspaced {
        part.pop();
    }
    let part = if *first == Kind::Unspaced { &part[1..] } else { &part };
    whole.contains(part)
}

/// The runs of a text, each between spaces, and what they are.
fn runs(text: &str) -> (String, Vec<Kind>) {
    let (mut out, mut kinds) = (String::with_capacity(text.len() + 2), Vec::new());
    out.push(' ');
    each_run(text, |run, kind| {
        out.push_str(run);
        out.push(' ');
        kinds.push(kind);
    });
    (out, kinds)
}

fn each_run(text: &str, mut found: impl FnMut(&str, Kind)) {
    let mut run = String::new();
    let mut kind = Kind::Between;
    for character in text.chars() {
        let next = kind_of(character);
        if next == Kind::Dropped {
            continue;
        }
        if next != kind {
            if !run.is_empty() {
                found(&run, kind);
                run.clear();
            }
            kind = next;
        }
        if next != Kind::Between {
            if character.is_ascii() {
                run.push(character.to_ascii_lowercase());
            } else {
                run.extend(character.to_lowercase());
            }
        }
    }
    if !run.is_empty() {
        found(&run, kind);
    }
}

const fn kind_of_ascii(character: char) -> Kind {
    if character.is_ascii_alphanumeric() { Kind::Word } else { Kind::Between }
}

fn kind_of(character: char) -> Kind {
    if character.is_ascii() {
        return kind_of_ascii(character);
    }
    match character as u32 {
        // Arabic vowel signs and the stretching letter, combining Latin accents: a word is the
        // same with and without them.
        0x0300..=0x036F | 0x0640 | 0x064B..=0x065F | 0x0670 => Kind::Dropped,
        // Thai, Lao, Myanmar, Khmer; Kana, Han, Hangul; compatibility and half-width forms.
        0x0E01..=0x0EFF
        | 0x1000..=0x109F
        | 0x1780..=0x17DD
        | 0x1100..=0x11FF
        | 0x3005..=0x3007
        | 0x3041..=0x30FA
        | 0x30FC..=0x318F
        | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7AF
        | 0xF900..=0xFAFF
        | 0xFF66..=0xFFDC
        | 0x20000..=0x3FFFF => Kind::Unspaced,
        // Vowel signs of Indic scripts belong to their word.
        0x0900..=0x0DFF => Kind::Word,
        _ if character.is_alphanumeric() => Kind::Word,
        _ => Kind::Between,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms(text: &str) -> String {
        let mut out = String::new();
        write_terms(text, &mut out);
        out.trim_end().to_owned()
    }

    #[test]
    fn words_pairs_and_marks() {
        assert_eq!(terms("Refund, PLEASE <EMAIL_1>"), "refund please email 1");
        assert_eq!(terms("退款申请ok"), "退款 款申 申请 请 ok");
        assert_eq!(terms("مُحَمَّد"), "محمد");
        assert_eq!(terms("हिन्दी भाषा"), "हिन्दी भाषा");
        assert_eq!(terms("東京タワー"), "東京 京タ タワ ワー ー");
    }

    #[test]
    fn searches() {
        let texts =
            |q: &str| search_terms(q).into_iter().map(|t| (t.text, t.prefix)).collect::<Vec<_>>();
        assert_eq!(texts("refund*"), [("refund".to_owned(), true)]);
        assert_eq!(texts("退"), [("退".to_owned(), true)]);
        assert_eq!(texts("退款申"), [("退款".to_owned(), false), ("款申".to_owned(), false)]);
        assert_eq!(texts("  \"*\" "), []);
    }

    #[test]
    fn phrases() {
        let text = "Refund of the AI service, 客户要求退款和发票 ok";
        for held in ["refund of", "the AI service", "service 客户", "要求退款", "发票 OK", "ai"]
        {
            assert!(holds_phrase(text, held), "{held}");
        }
        for not in ["fund of", "the service", "refund o", "退款发票", "", "!"] {
            assert!(!holds_phrase(text, not), "{not}");
        }
        let holds = |q: &str| holds_terms(text, &search_terms(q));
        assert!(
            holds("service ref* 退款") && !holds("ref") && !holds("refund missing") && !holds("")
        );
    }

    proptest! {
        #[test]
        fn a_text_holds_every_term_that_is_searched_from_it(text in "[ -~一-龥ぁ-んأ-ي]{1,40}") {
            let indexed = terms(&text);
            for term in search_terms(&text.replace('*', " ")) {
                let held = indexed.split(' ').any(|word| {
                    if term.prefix { word.starts_with(&term.text) } else { word == term.text }
                });
                prop_assert!(held, "{:?} not in {:?}", term, indexed);
            }
        }
    }
}
