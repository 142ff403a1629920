//! What can be wrong with a configuration of detectors.

/// A configuration that cannot be used; each says what to write instead.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// `off` names what is none of ours.
    #[error("detectors.off: found {found:?}, allowed: {known}")]
    UnknownKind {
        /// What was found.
        found: String,
        /// All names.
        known: String,
    },
    /// A name that cannot stand in records and placeholders.
    #[error(
        "detectors.custom: found the name {name:?}, allowed: 1 to {most} of a-z, 0-9 and _, a letter first"
    )]
    BadName {
        /// What was found.
        name: String,
        /// Characters at most.
        most: usize,
    },
    /// The name of another kind.
    #[error("detectors.custom: the name {0:?} is taken; choose another")]
    NameTaken(String),
    /// A kind that nothing finds.
    #[error("detectors.custom: {0:?} has neither a pattern nor words; give it one of them")]
    Nothing(String),
    /// A word that cannot be listed.
    #[error(
        "detectors.custom: {name:?} lists {word:?}; words have 3 to 128 bytes and no blanks around them"
    )]
    BadWord {
        /// The kind.
        name: String,
        /// The word.
        word: String,
    },
    /// A regular expression that is none, or too large.
    #[error("detectors.custom: the pattern of {name:?} cannot be used: {reason}")]
    BadPattern {
        /// The kind.
        name: String,
        /// Why.
        reason: String,
    },
    /// Not between 0 and 1.
    #[error("detectors: found the score {found} for {what}, allowed: 0 to 1")]
    BadScore {
        /// What it is given for.
        what: String,
        /// What was found.
        found: f32,
    },
    /// More than can be held ready.
    #[error("detectors.custom: found {found} {what}, allowed: at most {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are allowed.
        most: usize,
    },
}
