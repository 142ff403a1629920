//! The last signed state, kept outside the data directory: a directory that was rolled back to an
//! older copy, or a second signer, is found out before anything is signed.

use crate::files::{read_if_there, replace};
use ledger::Hash;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What was signed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedState {
    /// Origin of the log.
    pub origin: String,
    /// Size of the tree.
    pub size: u64,
    /// Root of the tree, in base64.
    pub root: String,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// Holds the last signed state of one log; changed only by compare-and-set.
#[derive(Debug)]
pub struct StateStore {
    path: PathBuf,
    lock: PathBuf,
}

/// Why a state was not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Somebody else signed meanwhile.
    #[error(
        "the signed state at {path} is not the one this process signed last: another process \
         signs for the same log; stop one of them"
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("the signed state at {path} cannot be used ({source}); check [ledger] state_dir")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl StateStore {
    /// The store of one log in a directory, which is made where it is missing.
    ///
    /// # Errors
    /// Where the directory cannot be made.
    pub fn open(dir: &Path, origin: &str) -> Result<Self, StateError> {
        let name: String = origin
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .collect();
        let path = dir.join(format!("{name}.json"));
        std::fs::create_dir_all(dir)
            .map_err(|source| StateError::Io { path: dir.to_owned(), source })?;
        Ok(Self { lock: dir.join(format!("{name}.lock")), path })
    }

    /// The last signed state; none where nothing was signed yet.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load(&self) -> Result<Option<SignedState>, StateError> {
        let text = read_if_there(&self.path).map_err(|source| self.io(source))?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| self.io(error.into())))
            .transpose()
    }

    /// Sets the state, where it still is `expected`.
    ///
    /// # Errors
    /// Where it is not, or cannot be written.
    pub fn set(
        &self,
        expected: Option<&SignedState>,
        next: &SignedState,
    ) -> Result<(), StateError> {
        let lock = File::create(&self.lock).map_err(|source| self.io(source))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| self.io(error.into()))?;
        if self.load()?.as_ref() != expected {
            return Err(StateError::Changed { path: self.path.clone() });
        }
        let bytes = serde_json::to_vec_pretty(next).map_err(|error| self.io(error.into()))?;
        replace(&self.path, &bytes, true).map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> StateError {
        StateError::Io { path: self.path.clone(), source }
    }
}

impl SignedState {
    pub(crate) fn root(&self) -> Option<Hash> {
        Hash::from_base64(&self.root)
    }
}
