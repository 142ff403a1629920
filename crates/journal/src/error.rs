//! What can go wrong, and what the caller should do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A failure of the journal. Cheap to clone, because one failed batch answers many appends.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An earlier write or sync failed, so nothing more may be acknowledged.
    #[error(
        "the journal stopped after a failed write or sync: refuse work, repair the disk, restart"
    )]
    Poisoned,
    /// No room for the record; nothing of it was kept. Works again as soon as there is room.
    #[error("the disk is full: refuse the call and free space; no restart is needed")]
    DiskFull,
    /// The queue of waiting records is full.
    #[error("the journal is busy: try again shortly")]
    Busy,
    /// Another process owns the directory.
    #[error(
        "the data directory is in use by process {}: stop it, or choose another directory",
        pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string())
    )]
    Locked {
        /// The process that holds the lock, where it left its number.
        pid: Option<u32>,
    },
    /// Bytes that were acknowledged are not as they were written.
    #[error(
        "{segment} is damaged at offset {offset} ({what}): restore the file from a copy, or \
         salvage what follows and start a new epoch"
    )]
    Corrupt {
        /// File name of the segment.
        segment: String,
        /// Where the damaged frame (0: the segment header) starts.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// Written by a later version of the program.
    #[error("{file} was written in a newer format: use the version that wrote it, or a later one")]
    NewerFormat {
        /// The file.
        file: String,
    },
    /// Written before the formats were frozen, by no version that was ever released.
    #[error(
        "{file} was written before the formats were frozen and cannot be read: keep the \
         directory aside, and start with an empty one"
    )]
    OlderFormat {
        /// The file.
        file: String,
    },
    /// The directory belongs to somebody else, or its description is not readable.
    #[error("{path} does not belong to this journal ({what}): check the configured directory")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// One append over the limit.
    #[error("the record has {bytes} bytes, the limit is {bytes_max}: store it in smaller parts")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// An append whose frames do not form whole records.
    #[error("the append is malformed ({what}): this is a fault of the caller")]
    Invalid {
        /// What is wrong.
        what: &'static str,
    },
    /// The directory cannot be written.
    #[error("{path} is not writable ({source}): give this user write access, or remount it")]
    NotWritable {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// Any other answer of the system.
    #[error("could not {action} {path}: {source}: check the disk")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// The journal was closed.
    #[error("the journal is closed: no more records are taken")]
    Closed,
}

// === impl Error ===

impl Error {
    /// Puts a system's answer into the variant that says what to do.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path: path.to_owned(), source: Arc::new(source) }
            }
            _ => Self::Io { action, path: path.to_owned(), source: Arc::new(source) },
        }
    }

    /// True where the same append may work later without a restart.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::DiskFull | Self::Busy => true,
            // Out of file descriptors or memory: the helper tries again at the next append.
            Self::Io { source, .. } => is_resource(source),
            _ => false,
        }
    }
}

/// Errors of the system that say "not now", not "the disk is broken".
fn is_resource(source: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(source.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE))
}

/// Refuses what is over a limit.
pub(crate) fn check_size(bytes: u64, bytes_max: u64) -> Result<(), Error> {
    if bytes > bytes_max { Err(Error::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}
