//! What a search consists of.

use crate::money::Money;
use crate::status::StatusFilter;
use event::{Origin, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Bytes of a search at most.
pub const SEARCH_BYTES_MAX: usize = 4_096;
/// Terms of a search at most.
pub const SEARCH_TERMS_MAX: usize = 128;
/// Brackets and negations within each other at most.
pub const SEARCH_DEPTH_MAX: usize = 16;

/// A search, understood. Its text form is the same search, written plainly.
#[derive(Debug, Clone, PartialEq)]
pub struct Search(Expr);

/// What must hold of a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of these; where there are none: any decision.
    All(Vec<Self>),
    /// One of these at least.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// This.
    Is(Term),
}

/// One condition. What is not known of a decision fits no condition (and so its negation).
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A name.
    Text(TextField, Match),
    /// The decision's id.
    Id(Uuid),
    /// The trace.
    Trace(Uuid),
    /// How it came to be known.
    Origin(Origin),
    /// Status or class of statuses.
    Status(StatusFilter),
    /// A number.
    Count(CountField, Op, f64),
    /// What it cost.
    Cost(Op, Money),
    /// When the request arrived.
    Time(Op, Timestamp),
    /// Whether there is one.
    Has(Has),
    /// Words: all in the prompt's preview, or all in the answer's.
    Words(String),
    /// Words that follow each other in one of the previews.
    Phrase(String),
}

/// Fields that hold names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    /// The calling application.
    Source,
    /// The end user.
    User,
    /// The session.
    Session,
    /// The logical action.
    Type,
    /// The provider.
    Provider,
    /// The model, as asked for or as served.
    Model,
    /// What policies decided.
    Outcome,
    /// A violated policy.
    Policy,
    /// A class of data that detectors found.
    Class,
    /// State of the review.
    Review,
    /// Error code.
    Error,
    /// Why the model stopped.
    Finish,
    /// How the answer ended.
    Ending,
    /// The request's id.
    Request,
}

/// Fields that hold numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountField {
    /// Milliseconds from arrival to end.
    Latency,
    /// Milliseconds from arrival to the answer's first byte.
    Ttft,
    /// Tokens read and written.
    Tokens,
    /// Tokens read.
    Input,
    /// Tokens written.
    Output,
    /// Tokens read from a cache.
    Cached,
    /// Status.
    Status,
}

/// What a decision can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Has {
    /// A violated policy.
    Violation,
    /// Something that went wrong.
    Error,
    /// A review.
    Review,
    /// A mark for an incident.
    Flag,
    /// Somebody's word on whether it stood.
    Verdict,
    /// A class of data that detectors found.
    Class,
    /// A session.
    Session,
    /// A user.
    User,
    /// A known cost.
    Cost,
    /// Known tokens.
    Tokens,
    /// A preview of the prompt.
    Prompt,
    /// A preview of the answer.
    Answer,
    /// A streamed answer that was asked for.
    Stream,
}

/// A name to be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The name, or how it begins.
    pub text: String,
    /// Whether names that begin so fit, too.
    pub prefix: bool,
}

/// How a value compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Equal,
    /// Above.
    Above,
    /// At least.
    AtLeast,
    /// Below.
    Below,
    /// At most.
    AtMost,
}

/// A search that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {}: {message}", at + 1)]
pub struct SearchError {
    /// Characters before the one that is meant.
    pub at: usize,
    /// What is wrong there, and what to write.
    pub message: String,
}

// === impl Search ===

impl Search {
    /// A search for this.
    pub const fn new(expr: Expr) -> Self {
        Self(expr)
    }

    /// What must hold.
    pub const fn expr(&self) -> &Expr {
        &self.0
    }

    /// Its conditions, all of which must hold.
    pub fn conjuncts(&self) -> &[Expr] {
        match &self.0 {
            Expr::All(all) => all,
            other => std::slice::from_ref(other),
        }
    }

    /// Whether it holds of every decision.
    pub fn is_empty(&self) -> bool {
        self.conjuncts().is_empty()
    }
}

impl Serialize for Search {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Search {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

// === impl Match ===

impl Match {
    /// Exactly this name.
    pub fn exact(text: impl Into<String>) -> Self {
        Self { text: text.into(), prefix: false }
    }

    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        if self.prefix { name.starts_with(&self.text) } else { name == self.text }
    }
}

// === impl Op ===

impl Op {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "",
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }

    /// Whether two values compare so.
    pub fn holds<T: PartialOrd>(self, value: &T, bound: &T) -> bool {
        match self {
            Self::Equal => value == bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
        }
    }
}
