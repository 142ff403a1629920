//! What is looked for, as a deployment configures it.

use super::kind::DataClass;
use serde::{Deserialize, Serialize};

/// Texts are looked through to this length, unless configured otherwise.
const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// `[detectors]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectorSettings {
    /// Names of built-in kinds that are not looked for.
    pub off: Vec<String>,
    /// What is less likely is no finding: 0 to 1.
    pub score_min: f32,
    /// Of a longer text, only so many bytes are looked through, and the scan says so.
    pub bytes_max: usize,
    /// Kinds of a deployment's own.
    pub custom: Vec<CustomKind>,
    /// A detector outside, asked beside ours.
    pub hook: Option<HookSettings>,
}

/// `[[detectors.custom]]`: a kind that is found by a regular expression, a list of words, or
/// both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomKind {
    /// Its name: 1 to 30 of `a-z`, `0-9` and `_`, a letter first.
    pub name: String,
    /// The class of data.
    #[serde(default = "pii")]
    pub class: DataClass,
    /// A regular expression without look-around and back-references; a match of up to 512 bytes.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Words and phrases, whole and in whatever case; one that ends with `*` is a beginning.
    #[serde(default)]
    pub words: Vec<String>,
    /// How sure a match is: 0 to 1.
    #[serde(default = "sure")]
    pub score: f32,
}

/// `[detectors.hook]`: a detector over HTTP that speaks as Presidio's analyzer does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookSettings {
    /// Where it listens, as `http://127.0.0.1:5002/analyze`.
    pub url: String,
    /// How long it may take.
    #[serde(default = "hook_ms")]
    pub timeout_ms: u64,
    /// What happens where it does not answer, or not as it should.
    #[serde(default)]
    pub on_failure: OnHookFailure,
    /// Language of the texts.
    #[serde(default = "english")]
    pub language: String,
    /// Kinds that it is asked for, by its names; empty: all it knows.
    #[serde(default)]
    pub entities: Vec<String>,
    /// What it finds less likely is no finding: 0 to 1.
    #[serde(default = "half")]
    pub score_min: f32,
}

/// `detectors.hook.on_failure`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnHookFailure {
    /// The call is refused.
    #[default]
    Block,
    /// The call goes on with what our own detectors found.
    Ignore,
}

const fn pii() -> DataClass {
    DataClass::Pii
}

const fn sure() -> f32 {
    0.9
}

const fn half() -> f32 {
    0.5
}

const fn hook_ms() -> u64 {
    1_000
}

fn english() -> String {
    "en".to_owned()
}

// === impl DetectorSettings ===

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            score_min: half(),
            bytes_max: TEXT_BYTES_MAX,
            custom: Vec::new(),
            hook: None,
        }
    }
}
