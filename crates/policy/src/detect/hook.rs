//! A detector outside, over HTTP: what it is asked and what it answers, as Presidio's analyzer
//! speaks. The call itself is made elsewhere.

use super::kind::{DataClass, Kind};
use super::settings::HookSettings;
use super::{Finding, resolve};
use serde::{Deserialize, Serialize};

/// Findings of one answer at most.
const FINDINGS_MAX: usize = 100_000;
/// How often findings may cover the text, all in all.
const COVERED_TIMES_MAX: usize = 16;

/// Names of ours for kinds that the other side names.
const NAMES: &[(&str, &str)] = &[
    ("EMAIL_ADDRESS", "email"),
    ("PHONE_NUMBER", "phone"),
    ("IBAN_CODE", "iban"),
    ("CREDIT_CARD", "credit_card"),
    ("IP_ADDRESS", "ip_address"),
    ("MAC_ADDRESS", "mac_address"),
    ("US_PASSPORT", "passport"),
    ("UK_PASSPORT", "passport"),
    ("IT_PASSPORT", "passport"),
    ("IN_PASSPORT", "passport"),
    ("IT_FISCAL_CODE", "it_fiscal_code"),
    ("ES_NIF", "es_dni"),
    ("SG_NRIC_FIN", "sg_nric"),
    ("FI_PERSONAL_IDENTITY_CODE", "fi_hetu"),
    ("MEDICAL_RECORD_NUMBER", "medical_record"),
];

/// A question.
#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
    language: &'a str,
    score_threshold: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    entities: Option<&'a [String]>,
}

/// One of the other side's findings: bounds in characters.
#[derive(Deserialize)]
struct Entity {
    entity_type: String,
    start: usize,
    end: usize,
    score: f32,
}

/// Why an answer cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// Not a list of findings.
    #[error("the outside detector's answer is no list of findings: {0}; check detectors.hook.url")]
    NotFindings(String),
    /// Bounds that are not within the text, or a score that is none.
    #[error("the outside detector answered with a finding that cannot be: {0}; check its version")]
    Impossible(String),
    /// More than any text has.
    #[error("the outside detector answered with {0} findings, more than are believed")]
    TooMany(usize),
}

/// What a detector outside found in a text, checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HookAnswer {
    findings: Vec<Finding>,
}

impl HookSettings {
    /// The body of the request that asks about a text.
    pub fn question(&self, text: &str) -> Vec<u8> {
        let entities = (!self.entities.is_empty()).then_some(self.entities.as_slice());
        let question =
            Question { text, language: &self.language, score_threshold: self.score_min, entities };
        serde_json::to_vec(&question).unwrap_or_default()
    }

    /// The findings of an answer about that text.
    ///
    /// # Errors
    /// Where it is no answer, or one that cannot be true.
    pub fn answer(&self, text: &str, body: &[u8]) -> Result<HookAnswer, HookError> {
        let mut entities: Vec<Entity> = serde_json::from_slice(body)
            .map_err(|error| HookError::NotFindings(error.to_string()))?;
        if entities.len() > FINDINGS_MAX {
            return Err(HookError::TooMany(entities.len()));
        }
        let mut places = Places::new(text);
        entities.sort_by_key(|entity| (entity.start, entity.end));
        let mut findings = Vec::new();
        let mut covered = 0_usize;
        for entity in &entities {
            // Findings that cover the text over and over would take long, and mean nothing.
            covered = covered.saturating_add(entity.end.saturating_sub(entity.start));
            if covered > COVERED_TIMES_MAX * text.len().max(64) {
                return Err(HookError::TooMany(entities.len()));
            }
            if !(0.0..=1.0).contains(&entity.score) {
                return Err(HookError::Impossible(format!("score {}", entity.score)));
            }
            let impossible =
                || HookError::Impossible(format!("characters {} to {}", entity.start, entity.end));
            let (start, end) = places.bytes(entity.start, entity.end).ok_or_else(impossible)?;
            let kind = kind(&entity.entity_type).ok_or_else(|| {
                HookError::Impossible(format!("a kind named {:?}", entity.entity_type))
            })?;
            if entity.score >= self.score_min {
                findings.push(Finding { kind, start, end, score: entity.score });
            }
        }
        Ok(HookAnswer { findings })
    }
}

impl HookAnswer {
    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Our own findings in the same text and these, in order.
    pub fn merge(&self, own: Vec<Finding>) -> Vec<Finding> {
        let mut all = own;
        all.extend_from_slice(&self.findings);
        resolve(all)
    }
}

/// Our kind for a name of the other side; an unknown one is personal data under its own name.
fn kind(name: &str) -> Option<Kind> {
    if let Some((_, ours)) = NAMES.iter().find(|(theirs, _)| *theirs == name) {
        return Kind::builtin(ours);
    }
    let lower: String = name
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    let cut = lower.get(..lower.len().min(super::kind::NAME_BYTES_MAX))?;
    Kind::builtin(cut).or_else(|| {
        let health = cut.starts_with("medical") || cut.starts_with("health") || cut == "disease";
        Kind::new(cut, if health { DataClass::Phi } else { DataClass::Pii })
    })
}

/// Characters → bytes, for places that come in order.
struct Places<'a> {
    text: &'a str,
    characters: usize,
    bytes: usize,
}

impl<'a> Places<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, characters: 0, bytes: 0 }
    }

    fn bytes(&mut self, start: usize, end: usize) -> Option<(usize, usize)> {
        if end <= start {
            return None;
        }
        self.bytes = self.further(start.checked_sub(self.characters)?)?;
        self.characters = start;
        Some((self.bytes, self.further(end - start)?))
    }

    /// The byte so many characters behind the last start.
    fn further(&self, characters: usize) -> Option<usize> {
        let rest = self.text.get(self.bytes..)?;
        let mut ends = rest.char_indices().map(|(at, _)| at).chain(std::iter::once(rest.len()));
        ends.nth(characters).map(|at| self.bytes + at)
    }
}
