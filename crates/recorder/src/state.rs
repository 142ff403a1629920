//! The last signed state, kept outside the data directory: a directory that was rolled back to an
//! older copy, or a second signer, is found out before anything is signed.

use ledger::{Hash, SignedCheckpoint, VerifierKey};
use record::{SLOT_BYTES, SlotValue, read_slots, write_slot};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
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

/// Holds the last signed state of one log; changed only by compare-and-set. The file is written
/// in place: a file that is replaced each second makes the file system commit its own journal,
/// and the syncs of records wait for that.
#[derive(Debug)]
pub struct StateStore {
    path: PathBuf,
    file: File,
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
    /// Where the directory or the file cannot be made.
    pub fn open(dir: &Path, origin: &str) -> Result<Self, StateError> {
        let name: String = origin
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .collect();
        let path = dir.join(format!("{name}.state"));
        let file =
            make(dir, &path).map_err(|source| StateError::Io { path: path.clone(), source })?;
        Ok(Self { path, file })
    }

    /// The last signed state; none where nothing was signed yet.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load(&self) -> Result<Option<SignedState>, StateError> {
        Ok(self.read()?.map(|(_, state)| state))
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
        let lock = |operation| {
            rustix::fs::flock(&self.file, operation).map_err(|error| self.io(error.into()))
        };
        lock(rustix::fs::FlockOperation::LockExclusive)?;
        let set = self.replace(expected, next);
        lock(rustix::fs::FlockOperation::Unlock)?;
        set
    }

    fn replace(
        &self,
        expected: Option<&SignedState>,
        next: &SignedState,
    ) -> Result<(), StateError> {
        let found = self.read()?;
        if found.as_ref().map(|(_, state)| state) != expected {
            return Err(StateError::Changed { path: self.path.clone() });
        }
        let value = serde_json::to_vec(next).map_err(|error| self.io(error.into()))?;
        let generation = found.map_or(0, |(generation, _)| generation + 1);
        let too_long = || self.io(io::Error::other("the origin's name is too long"));
        let (at, slot) =
            write_slot(SlotValue { generation, value: &value }).ok_or_else(too_long)?;
        self.file
            .write_all_at(&slot, at)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| self.io(source))
    }

    fn read(&self) -> Result<Option<(u64, SignedState)>, StateError> {
        let mut bytes = [0; 2 * SLOT_BYTES];
        self.file.read_exact_at(&mut bytes, 0).map_err(|source| self.io(source))?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let damaged = || self.io(io::Error::from(io::ErrorKind::InvalidData));
        let slot = read_slots(&bytes).ok_or_else(damaged)?;
        let state = serde_json::from_slice(slot.value).map_err(|error| self.io(error.into()))?;
        Ok(Some((slot.generation, state)))
    }

    fn io(&self, source: io::Error) -> StateError {
        StateError::Io { path: self.path.clone(), source }
    }
}

/// Opens the file, or makes it, durably.
fn make(dir: &Path, path: &Path) -> io::Result<File> {
    std::fs::create_dir_all(dir)?;
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    if file.metadata()?.len() < 2 * SLOT_BYTES as u64 {
        // Shorter only where making it was interrupted: nothing is signed before it is whole.
        file.write_all_at(&[0; 2 * SLOT_BYTES], 0)?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
    }
    Ok(file)
}

impl SignedState {
    pub(crate) fn root(&self) -> Option<Hash> {
        Hash::from_base64(&self.root)
    }

    /// Whether this key signed it.
    pub(crate) fn is_by(&self, key: &VerifierKey) -> bool {
        SignedCheckpoint::parse(self.checkpoint.as_bytes())
            .is_ok_and(|signed| signed.note().verify(std::slice::from_ref(key)).is_ok())
    }
}
