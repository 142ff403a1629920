//! Kinds of a deployment's own: regular expressions, in pieces of bounded length so that no
//! expression takes more than linear time.

use super::error::DetectorError;
use super::kind::{Kind, NAME_BYTES_MAX};
use super::settings::CustomKind;
use super::terms::TERM_BYTES_MAX;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeSet;

/// Kinds of a deployment's own at most.
pub(super) const KINDS_MAX: usize = 256;
/// Words of all lists at most.
const WORDS_MAX: usize = 100_000;
/// Bytes of a compiled expression at most.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// Matches begin within one piece of the text…
const PIECE_BYTES: usize = 4096;
/// … and end this far behind it at most.
const BEYOND_BYTES: usize = 512;
/// Matches within a piece; what is left of a piece with more is one more.
const MATCHES_MAX: usize = 64;

/// A kind and how it is found; words are in the dictionary.
pub(super) struct Custom {
    pub kind: Kind,
    pub score: f32,
    pattern: Option<Regex>,
}

// === impl Custom ===

impl Custom {
    /// All configured kinds.
    pub(super) fn all(settings: &[CustomKind]) -> Result<Vec<Self>, DetectorError> {
        if settings.len() > KINDS_MAX {
            return Err(DetectorError::TooMany {
                what: "kinds",
                found: settings.len(),
                most: KINDS_MAX,
            });
        }
        let words: usize = settings.iter().map(|kind| kind.words.len()).sum();
        if words > WORDS_MAX {
            return Err(DetectorError::TooMany { what: "words", found: words, most: WORDS_MAX });
        }
        let mut names = BTreeSet::new();
        settings
            .iter()
            .map(|settings| {
                if Kind::builtin(&settings.name).is_some() || !names.insert(&settings.name) {
                    return Err(DetectorError::NameTaken(settings.name.clone()));
                }
                Self::new(settings)
            })
            .collect()
    }

    fn new(settings: &CustomKind) -> Result<Self, DetectorError> {
        let name = &settings.name;
        let kind = Kind::new(name, settings.class)
            .ok_or_else(|| DetectorError::BadName { name: name.clone(), most: NAME_BYTES_MAX })?;
        if settings.pattern.is_none() && settings.words.is_empty() {
            return Err(DetectorError::Nothing(name.clone()));
        }
        if !(0.0..=1.0).contains(&settings.score) {
            return Err(DetectorError::BadScore { what: name.clone(), found: settings.score });
        }
        for word in &settings.words {
            let bytes = word.trim_end_matches('*').len();
            if !(3..=TERM_BYTES_MAX).contains(&bytes) || word.trim() != word {
                return Err(DetectorError::BadWord { name: name.clone(), word: word.clone() });
            }
        }
        let pattern = settings.pattern.as_ref().map(|pattern| {
            let regex = RegexBuilder::new(pattern)
                .size_limit(PATTERN_BYTES_MAX)
                .dfa_size_limit(PATTERN_BYTES_MAX)
                .build();
            let bad = |reason: String| DetectorError::BadPattern { name: name.clone(), reason };
            let regex = regex.map_err(|error| bad(error.to_string().replace('\n', " ")))?;
            if regex.is_match("") {
                return Err(bad("it matches the empty text".to_owned()));
            }
            Ok(regex)
        });
        Ok(Self { kind, score: settings.score, pattern: pattern.transpose()? })
    }

    /// Calls `found` with the bounds of each match.
    pub(super) fn matches(&self, text: &str, mut found: impl FnMut(usize, usize)) {
        let Some(pattern) = &self.pattern else { return };
        let mut at = 0;
        while at < text.len() {
            let stop = floor(text, at + PIECE_BYTES).max(at + 1);
            let seen = text.get(..floor(text, stop + BEYOND_BYTES)).unwrap_or(text);
            let mut next = at;
            let mut count = 0;
            while next < stop
                && let Some(hit) = pattern.find_at(seen, next)
                && hit.start() < stop
            {
                count += 1;
                if count > MATCHES_MAX {
                    found(hit.start(), stop);
                    next = stop;
                    break;
                }
                found(hit.start(), hit.end());
                next = hit.end().max(hit.start() + 1);
                while !text.is_char_boundary(next) {
                    next += 1;
                }
            }
            at = stop.max(next);
            while !text.is_char_boundary(at) {
                at += 1;
            }
        }
    }
}

/// The nearest place at or before `at` where a character starts.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
