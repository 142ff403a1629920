//! Personal data, secrets and signals in text: what is where, and how likely.

mod alnum;
mod birth;
mod card;
mod checks;
mod custom;
mod email;
mod error;
mod hook;
mod iban;
mod ids;
mod kind;
mod net;
mod number;
mod phone;
mod scan;
mod secret;
mod settings;
mod signals;
mod terms;
mod text;
mod words;

pub use error::DetectorError;
pub use hook::{HookAnswer, HookError};
pub use kind::{DataClass, Kind};
pub use settings::{CustomKind, DetectorSettings, HookSettings, OnHookFailure};

use custom::Custom;
use kind::Builtin;
use scan::{Hit, Look, Scanner, What};
use terms::Terms;
use words::Effect;

/// Something found in a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// How likely it is what it seems: 0 to 1.
    pub score: f32,
}

/// All that is looked for, ready to be used on any number of texts at once.
pub struct Detectors {
    terms: Terms<Effect>,
    kinds: u64,
    score_min: f32,
    bytes_max: usize,
    custom: Vec<Custom>,
    hook: Option<HookSettings>,
}

// === impl Finding ===

impl Finding {
    /// Whether it says something of the whole text, and is nothing that could be hidden: a word
    /// of health, an attempt to change what a model does.
    pub fn is_signal(&self) -> bool {
        self.kind.class() == DataClass::Injection || self.kind == Builtin::HealthTerm.kind()
    }
}

// === impl Detectors ===

impl Detectors {
    /// Detectors as configured.
    ///
    /// # Errors
    /// What is wrong with the configuration, and what to write instead.
    pub fn new(settings: &DetectorSettings) -> Result<Self, DetectorError> {
        let mut kinds = u64::MAX;
        for name in &settings.off {
            let known = Builtin::ALL.iter().find(|kind| kind.kind().as_str() == name);
            let Some(kind) = known else {
                let names: Vec<_> = Kind::builtins().map(|kind| kind.to_string()).collect();
                return Err(DetectorError::UnknownKind {
                    found: name.clone(),
                    known: names.join(", "),
                });
            };
            kinds &= !kind.bit();
        }
        let scores = [
            ("detectors.score_min", Some(settings.score_min)),
            ("detectors.hook.score_min", settings.hook.as_ref().map(|hook| hook.score_min)),
        ];
        for (what, score) in scores {
            if let Some(found) = score.filter(|score| !(0.0..=1.0).contains(score)) {
                return Err(DetectorError::BadScore { what: what.to_owned(), found });
            }
        }
        let custom = Custom::all(&settings.custom)?;
        let listed = settings.custom.iter().enumerate().flat_map(|(number, kind)| {
            let effect = Effect::Listed(number as u16);
            kind.words.iter().map(move |word| (word.as_str(), effect))
        });
        Ok(Self {
            terms: Terms::new(built_in().chain(listed)),
            kinds,
            score_min: settings.score_min,
            bytes_max: settings.bytes_max,
            custom,
            hook: settings.hook.clone(),
        })
    }

    /// The detector outside that is to be asked, too.
    pub const fn hook(&self) -> Option<&HookSettings> {
        self.hook.as_ref()
    }

    /// How much of a text is looked through.
    pub const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// What is in a text, in order. Findings that can be hidden do not overlap each other.
    pub fn detect(&self, text: &str) -> Vec<Finding> {
        self.find(None, text, false)
    }

    /// The same of a text that stands under a name: `{"ssn": "…"}`.
    pub fn detect_named(&self, name: &str, text: &str) -> Vec<Finding> {
        self.find(Some(name), text, false)
    }

    /// The same of a text that may have been cut at its end: what is cut there and may have
    /// been an address or a secret is found, too.
    pub fn detect_cut(&self, text: &str) -> Vec<Finding> {
        self.find(None, text, true)
    }

    fn find(&self, name: Option<&str>, text: &str, cut: bool) -> Vec<Finding> {
        let text = self.bounded(text);
        let mut scanner = self.scanner(text, cut);
        let secret = name.is_some_and(|name| {
            scanner.prime(name);
            secret::is_value(name, text)
        });
        if secret {
            scanner.add(Builtin::Secret, 0, text.len(), 0.9);
        } else {
            scanner.run();
        }
        let mut findings: Vec<Finding> = Vec::new();
        findings.extend(scanner.hits.iter().filter_map(|hit| self.finding(hit)));
        for custom in &self.custom {
            let score = custom.score;
            if score >= self.score_min {
                custom.matches(text, |start, end| {
                    findings.push(Finding { kind: custom.kind, start, end, score });
                });
            }
        }
        resolve(findings)
    }

    /// As much of a text as is looked through.
    fn bounded<'a>(&self, text: &'a str) -> &'a str {
        if text.len() <= self.bytes_max {
            return text;
        }
        let mut end = self.bytes_max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.get(..end).unwrap_or_default()
    }

    fn scanner<'a>(&'a self, text: &'a str, cut: bool) -> Scanner<'a> {
        let look = Look { terms: &self.terms, kinds: self.kinds, score_min: self.score_min, cut };
        Scanner::new(text, look)
    }

    fn finding(&self, hit: &Hit) -> Option<Finding> {
        let (kind, score) = match hit.what {
            What::Builtin(kind) => (kind.kind(), hit.score),
            What::Listed(number) => {
                let custom = self.custom.get(usize::from(number))?;
                (custom.kind, custom.score)
            }
        };
        (score >= self.score_min).then_some(Finding { kind, start: hit.start, end: hit.end, score })
    }
}

impl Default for Detectors {
    /// All built-in kinds.
    fn default() -> Self {
        let empty = Self {
            terms: Terms::new(built_in()),
            kinds: u64::MAX,
            score_min: 0.0,
            bytes_max: usize::MAX,
            custom: Vec::new(),
            hook: None,
        };
        let settings = DetectorSettings::default();
        Self { score_min: settings.score_min, bytes_max: settings.bytes_max, ..empty }
    }
}

impl std::fmt::Debug for Detectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detectors").field("score_min", &self.score_min).finish_non_exhaustive()
    }
}

/// The dictionary of all built-in kinds.
fn built_in<'a>() -> impl Iterator<Item = (&'a str, Effect)> {
    words::all().map(|(word, effect)| (word as &str, effect))
}

/// In order. Of data that overlap the likelier stays and covers them all, so that hiding it
/// hides them all; signals stay as they are.
pub(crate) fn resolve(mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() < 2 {
        return findings;
    }
    findings.sort_by(|a, b| {
        let place = (a.start, b.end).cmp(&(b.start, a.end));
        place.then_with(|| b.score.total_cmp(&a.score)).then_with(|| a.kind.cmp(&b.kind))
    });
    let mut resolved: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut last_data: Option<usize> = None;
    for finding in findings {
        if finding.is_signal() {
            let same = resolved.iter_mut().rev().take(4).find(|before| before.kind == finding.kind);
            match same {
                Some(before) if finding.start < before.end => {
                    before.end = before.end.max(finding.end);
                }
                _ => resolved.push(finding),
            }
            continue;
        }
        match last_data.and_then(|at| resolved.get_mut(at)) {
            Some(before) if finding.start < before.end => {
                let longer = finding.end - finding.start > before.end - before.start;
                let better =
                    finding.score > before.score || (finding.score >= before.score && longer);
                if better {
                    before.kind = finding.kind;
                    before.score = finding.score;
                }
                before.end = before.end.max(finding.end);
            }
            _ => {
                last_data = Some(resolved.len());
                resolved.push(finding);
            }
        }
    }
    resolved
}

#[cfg(test)]
mod tests;
