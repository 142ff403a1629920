//! What can go wrong, and what to do about it.

use crate::KeyId;
use std::path::PathBuf;

/// Result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why keys or sealed bytes could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key was destroyed by an erasure: show the record without what it sealed.
    #[error("the key {id} was erased: what it sealed is gone for good")]
    Erased {
        /// The key.
        id: KeyId,
    },
    /// The store has never held this key: it belongs to another data directory.
    #[error("the key {id} is not in this key store: restore the subjects.db that belongs here")]
    Unknown {
        /// The key.
        id: KeyId,
    },
    /// The key-encryption key is not the one that the store was made with.
    #[error(
        "the key-encryption key does not belong to {path}: restore the keys/kek (or the key \
         service's key) that the store was made with"
    )]
    WrongKek {
        /// The store.
        path: PathBuf,
    },
    /// A wrapped key does not open: the store was changed.
    #[error("the stored key {id} is damaged: restore subjects.db from its backup")]
    DamagedKey {
        /// The key.
        id: KeyId,
    },
    /// The store was written by a later version.
    #[error("{path} has format {found}, this version reads up to {known}: use a later version")]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest known format.
        known: i64,
    },
    /// Others may read a secret.
    #[error("{path} has mode {mode:04o}, so others may use it: run `chmod {wanted:04o} {path}`")]
    Permissions {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode that it must have.
        wanted: u32,
    },
    /// A key file does not hold a key.
    #[error("{path} is not a key of 32 bytes (raw, or 64 hexadecimal digits): restore it")]
    KeyFile {
        /// The file.
        path: PathBuf,
    },
    /// A key file is absent.
    #[error("{path} does not exist: restore it from its backup, or start with an empty directory")]
    NoKeyFile {
        /// The file.
        path: PathBuf,
    },
    /// Sealing under no key would seal nothing: a fault of the caller.
    #[error("no subject key is given: name the persons that the record is about")]
    NoKeys,
    /// The store was opened read-only.
    #[error("the key store is open read-only: create keys through the running server")]
    ReadOnly,
    /// No room for a new key. Works again as soon as there is room.
    #[error("the disk is full: refuse the call and free space; no restart is needed")]
    DiskFull,
    /// Another process holds the store.
    #[error("the key store is locked by another process: try again shortly")]
    Busy,
    /// The store's thread has ended.
    #[error("the key store is closed: restart")]
    Closed,
    /// Sealed bytes, their place or their key are not what was written.
    #[error("sealed bytes do not open: they, their place or their key were changed; run `verify`")]
    Tampered,
    /// A key does not fit the commitment in the record.
    #[error("the key does not fit the record's commitment: it is not the key it was sealed with")]
    Commitment,
    /// A compressed piece is damaged or too long.
    #[error("a piece of a body does not decompress to at most {bytes_max} bytes; run `verify`")]
    Piece {
        /// The limit.
        bytes_max: usize,
    },
    /// The cryptographic library refused a valid operation.
    #[error("the cryptographic library failed: restart, and report this if it stays")]
    Crypto,
    /// The store failed.
    #[error("the key store failed ({what}): check the disk, then restart")]
    Store {
        /// What it said.
        what: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {what}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Self::Io { path: path.into(), what: error.to_string() }
    }
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
