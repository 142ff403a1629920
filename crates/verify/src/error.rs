//! Why nothing could be verified at all.

use std::io;
use std::path::{Path, PathBuf};

/// A verification that could not be carried out. What verification finds is no error: it is in
/// the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No journal is there.
    #[error("{path} holds no journal: give the data directory of `serve` (--data)")]
    NoJournal {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {path} ({source}): check its permissions and the disk, then run it again")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A later version wrote it.
    #[error("{path} has a newer format: verify it with the version that wrote it, or a newer one")]
    NewerFormat {
        /// The file.
        path: PathBuf,
    },
    /// The index cannot be read.
    #[error("the index cannot be read ({0}): run `audit-layer rebuild`, then verify it again")]
    Index(#[from] index::Error),
    /// The thread that reads ahead could not be started or ended unexpectedly.
    #[error("the reading thread failed: free some memory and threads, then run it again")]
    Thread,
}

// === impl VerifyError ===

impl VerifyError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
