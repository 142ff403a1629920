//! What can go wrong, and what to do about it.

use std::path::PathBuf;

/// Result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the control store could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such thing.
    #[error("there is no {what} {id:?}; list them to see which there are")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// The name is taken.
    #[error("the {what} {id:?} exists already; choose another name")]
    Exists {
        /// What was to be made.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// A value is not allowed.
    #[error("{what} is not valid: {allowed}")]
    Invalid {
        /// What was given.
        what: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A revoked or expired key cannot be rotated.
    #[error("the key {id} is revoked or expired; create a new one instead")]
    KeyEnded {
        /// The key.
        id: String,
    },
    /// The last administrator cannot be removed.
    #[error("{username:?} is the last administrator; make another one first")]
    LastAdmin {
        /// The user.
        username: String,
    },
    /// The store was written by a later version.
    #[error("{path} has format {found}, this version reads up to {known}; use a later version")]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest known format.
        known: i64,
    },
    /// No room. Works again as soon as there is room.
    #[error("the disk is full; free space and try again")]
    DiskFull,
    /// Another process holds the store.
    #[error("the control store is locked by another process; try again shortly")]
    Busy,
    /// The cryptographic library refused a valid operation.
    #[error("the cryptographic library failed; restart, and report this if it stays")]
    Crypto,
    /// The store failed.
    #[error("the control store failed ({what}); check the disk, then restart")]
    Store {
        /// What it said.
        what: String,
    },
    /// The file could not be opened.
    #[error("{path} cannot be opened ({what}); check that it is readable and writable")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Busy
            }
            _ => Self::Store { what: error.to_string() },
        }
    }
}

/// Why nobody was signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Name or password are wrong, or the account is disabled; deliberately not told apart.
    #[error("the username or the password is wrong")]
    Refused,
    /// Too many failures.
    #[error("too many failed sign-ins; try again in {retry_after_s} s")]
    TooMany {
        /// When to try again.
        retry_after_s: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Why nobody stays signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The token is unknown or over, or the account is disabled.
    #[error("the session has ended; sign in again")]
    Refused,
    /// The token was used before, so that somebody has a copy of it.
    #[error("the session was ended, because one of its tokens was used twice; sign in again")]
    Reused {
        /// Whose session it was.
        username: String,
        /// The session.
        session_id: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}
