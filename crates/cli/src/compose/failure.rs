//! Why a data directory cannot be opened.

use crate::failure::Failure;

/// Why a data directory cannot be opened; one line that says what to do.
#[derive(Debug)]
pub enum OpenFailure {
    /// Another process has it; it may end soon.
    Locked(String),
    /// The configuration cannot be meant.
    Configuration(String),
    /// Anything else.
    Other(String),
}

// === impl OpenFailure ===

impl OpenFailure {
    /// Whether another process has the directory.
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }

    /// Any other reason.
    #[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
    pub fn other(error: impl ToString) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<OpenFailure> for Failure {
    fn from(failure: OpenFailure) -> Self {
        match failure {
            OpenFailure::Configuration(line) => Self::usage(line),
            OpenFailure::Locked(line) | OpenFailure::Other(line) => {
                Self::failed(line.replace('\n', " "))
            }
        }
    }
}

impl From<recorder::OpenError> for OpenFailure {
    fn from(error: recorder::OpenError) -> Self {
        match &error {
            recorder::OpenError::Journal(journal::Error::Locked { .. }) => {
                Self::Locked(error.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}
