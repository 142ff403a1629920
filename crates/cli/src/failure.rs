//! How a command fails: one line for people, one code for scripts.

use std::io;

/// The command failed, or a verification did.
pub const FAILED: u8 = 1;
/// The command was used wrongly.
pub const WRONG_USAGE: u8 = 2;

/// Why a command ends without success. The message says what to do.
#[derive(Debug)]
pub struct Failure {
    /// One line; none where everything was said already.
    pub message: Option<String>,
    /// The exit code.
    pub code: u8,
}

/// What a command ends with.
pub type Outcome<T = ()> = Result<T, Failure>;

// === impl Failure ===

impl Failure {
    /// The command failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: FAILED }
    }

    /// The command was used wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: WRONG_USAGE }
    }

    /// What was printed already says that it failed.
    pub const fn silent(code: u8) -> Self {
        Self { message: None, code }
    }

    /// A file that cannot be read or written.
    pub fn file(action: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::failed(format!("{} cannot be {action}: {error}", path.display()))
    }
}

impl From<io::Error> for Failure {
    /// Output that nobody reads any more is no failure.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(0);
        }
        Self::failed(format!("the output cannot be written: {error}"))
    }
}
