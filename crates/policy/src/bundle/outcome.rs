//! The words of policies: outcomes, stages, modes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What policies decide, the weakest first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Nothing was violated.
    #[default]
    Allow,
    /// Let it through and mark it.
    Flag,
    /// Let it through without what the detectors found.
    Redact,
    /// A person decides.
    Escalate,
    /// Refuse it.
    Block,
}

/// When a policy is asked.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Before the provider sees the request.
    #[default]
    Request,
    /// Before the caller sees the answer.
    Response,
}

/// Whether a policy's outcome holds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It holds.
    #[default]
    Enforce,
    /// It is only recorded.
    Shadow,
}

/// What happens to a streamed answer that a policy judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Kept until it is judged whole.
    Buffer,
    /// Released as it comes and judged at its end.
    Observe,
}

/// How bad a violation is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Hardly.
    Low,
    /// Somewhat.
    #[default]
    Medium,
    /// Very.
    High,
    /// As bad as can be.
    Critical,
}

/// A word that is none of the allowed ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {found:?}, allowed: {allowed}")]
pub struct WordError {
    /// What was found.
    pub found: String,
    /// What is allowed, comma-separated.
    pub allowed: String,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in records.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, WordError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(WordError {
                        found: text.to_owned(),
                        allowed: [$($word),+].join(", "),
                    }),
                }
            }
        }
    };
}

words!(Outcome {
    Allow = "ALLOW",
    Flag = "FLAG",
    Redact = "REDACT",
    Escalate = "ESCALATE",
    Block = "BLOCK",
});
words!(Stage { Request = "request", Response = "response" });
words!(Mode { Enforce = "enforce", Shadow = "shadow" });
words!(Answer { Buffer = "buffer", Observe = "observe" });
words!(Severity { Low = "low", Medium = "medium", High = "high", Critical = "critical" });
