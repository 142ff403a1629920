//! The policies in force: the last bundle that loaded well, replaced when its files change.

use super::error::LoadError;
use super::loaded::Bundle;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The policies in force. Knows no clock: whoever owns it calls `reload` now and then.
#[derive(Debug)]
pub struct Policies {
    dir: Option<PathBuf>,
    current: RwLock<Arc<Bundle>>,
    watched: Mutex<Watched>,
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// No file changed.
    No,
    /// Another bundle is in force.
    Replaced {
        /// The version that was.
        from: String,
        /// The version that is.
        to: String,
    },
    /// The files say again what is in force.
    Restored,
}

#[derive(Debug)]
struct Watched {
    seen: Vec<Stamp>,
    /// Why the files as they are now cannot be used.
    broken: Option<LoadError>,
}

/// What shows cheaply that a file changed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    name: std::ffi::OsString,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

// === impl Policies ===

impl Policies {
    /// A folder's policies. They have to load well once.
    pub fn open(dir: &Path) -> Result<Self, LoadError> {
        // Looked at before reading: what changes in between is seen by the next reload.
        let seen = stamps(dir);
        let bundle = Bundle::load(dir)?;
        Ok(Self { watched: Mutex::new(Watched { seen, broken: None }), ..Self::fixed(bundle, dir) })
    }

    /// A bundle that comes from no folder and never changes.
    pub fn of(bundle: Bundle) -> Self {
        Self { dir: None, ..Self::fixed(bundle, Path::new("")) }
    }

    fn fixed(bundle: Bundle, dir: &Path) -> Self {
        Self {
            dir: Some(dir.to_owned()),
            current: RwLock::new(Arc::new(bundle)),
            watched: Mutex::new(Watched { seen: Vec::new(), broken: None }),
        }
    }

    /// The bundle in force. A call asks once for each stage and keeps what it got.
    pub fn current(&self) -> Arc<Bundle> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the files as they are now cannot be used, while an earlier bundle is in force.
    pub fn broken(&self) -> Option<LoadError> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
    }

    /// Loads the folder again if a file changed. On an error the bundle in force stays, and the
    /// error is told once: later calls say `No` until a file changes again.
    pub fn reload(&self) -> Result<Changed, LoadError> {
        let Some(dir) = &self.dir else { return Ok(Changed::No) };
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = stamps(dir);
        if seen == watched.seen {
            return Ok(Changed::No);
        }
        let loaded = Bundle::load(dir);
        watched.seen = seen;
        let was_broken = watched.broken.take().is_some();
        let bundle = loaded.inspect_err(|error| watched.broken = Some(error.clone()))?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (current.hash().to_owned(), bundle.hash().to_owned());
        *current = Arc::new(bundle);
        Ok(match (from == to, was_broken) {
            (false, _) => Changed::Replaced { from, to },
            (true, true) => Changed::Restored,
            (true, false) => Changed::No,
        })
    }
}

/// Every file that may belong to the bundle, sorted; empty where the folder cannot be read.
fn stamps(dir: &Path) -> Vec<Stamp> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let stamp = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let ending = Path::new(&name).extension()?;
        if ending != "cedar" && ending != "cedarschema" {
            return None;
        }
        let file = std::fs::metadata(entry.path()).ok()?;
        Some(Stamp {
            name,
            inode: file.ino(),
            bytes: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    };
    let mut stamps: Vec<_> = entries.filter_map(stamp).collect();
    stamps.sort();
    stamps
}
