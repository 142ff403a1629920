//! The open data directory: journal, keys, ledger, index, control store.

use super::{OpenFailure, format};
use crate::config::{Config, Durability, OnExpiry};
use control::{Control, Reviews};
use index_sqlite::{SqliteReader, SqliteWriter};
use ingest::Ingest;
use policy::Detectors;
use recorder::Running;
use review::Desk;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything that stands on the data directory.
#[derive(Debug)]
pub struct Store {
    /// Users and keys.
    pub control: Arc<Control>,
    /// The query side of the index.
    pub index: Arc<SqliteReader>,
    /// Reviews.
    pub desk: Desk,
    /// What other systems report.
    pub ingest: Ingest,
    /// What is looked for in bodies and previews.
    pub detectors: Arc<Detectors>,
    /// The write path and its workers.
    pub running: Running,
}

/// Makes the data directory where it is missing, and refuses one that cannot be used.
pub fn prepare_directory(data: &Path) -> Result<(), OpenFailure> {
    format::prepare(data)
}

/// Refuses a directory that cannot be used as a data directory; writes nothing.
pub fn inspect_directory(data: &Path) -> Result<(), OpenFailure> {
    format::inspect(data)
}

/// Whether another process has the data directory; its number, where known.
pub fn is_locked(data: &Path) -> Option<OpenFailure> {
    let path = data.join("lock");
    let file = File::open(&path).ok()?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            Some(OpenFailure::Locked(journal::Error::Locked { pid }.to_string()))
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

// === impl Store ===

impl Store {
    /// Opens everything. Must be called within a tokio runtime.
    pub async fn open(config: &Config) -> Result<Self, OpenFailure> {
        format::prepare(&config.data)?;
        // The journal takes the lock; looking first keeps the other stores from being touched.
        if let Some(locked) = is_locked(&config.data) {
            return Err(locked);
        }
        let detectors = Detectors::new(&config.detectors)
            .map_err(|error| OpenFailure::Configuration(format!("the configuration: {error}")))?;
        let index_file = config.index_file();
        let control = Control::open(&config.data.join("control.db")).map_err(OpenFailure::other)?;
        let reviews = Reviews::open(&config.data.join("control.db")).map_err(OpenFailure::other)?;
        let held = Desk::held_calls(&reviews).map_err(OpenFailure::other)?;
        let running =
            recorder::open_holding(options(config), || open_index(&index_file), held).await?;
        let desk = Desk::new(Arc::new(reviews), running.recorder.clone(), reviewing(config));
        desk.settle(&running.held).await.map_err(OpenFailure::other)?;
        let index = SqliteReader::open(&index_file).map_err(OpenFailure::other)?;
        let detectors = Arc::new(detectors);
        let ingest = open_ingest(config, &running, detectors.clone())?;
        Ok(Self {
            control: Arc::new(control),
            index: Arc::new(index),
            desk,
            ingest,
            detectors,
            running,
        })
    }

    /// Seals what is written and closes everything.
    pub async fn close(self) -> Result<(), OpenFailure> {
        let closed = tokio::task::spawn_blocking(move || {
            drop((self.desk, self.ingest));
            self.running.close();
            self.control.flush()
        });
        match closed.await {
            Ok(flushed) => flushed.map_err(OpenFailure::other),
            Err(error) => Err(OpenFailure::other(error)),
        }
    }
}

fn open_ingest(
    config: &Config,
    running: &Running,
    detectors: Arc<Detectors>,
) -> Result<Ingest, OpenFailure> {
    let reading = ingest::Reading {
        redactor: policy::Redactor::new(detectors),
        preview_chars: config.capture.preview_chars,
        prices: wire::Prices::bundled().map_err(OpenFailure::other)?,
    };
    Ingest::open(&config.data, running.recorder.clone(), reading).map_err(OpenFailure::other)
}

/// The index is a view: one that another version made is dropped, and the indexer fills a new one.
fn open_index(path: &Path) -> recorder::OpenedIndex {
    let opened = match SqliteWriter::open(path) {
        Err(index::Error::Version { found, expected }) => {
            tracing::warn!(found, expected, "the index has another version and is being rebuilt");
            remove_index(path).map_err(index::Error::backend)?;
            SqliteWriter::open(path)
        }
        opened => opened,
    };
    Ok(Box::new(opened?))
}

/// Removes the index with what SQLite keeps beside it.
fn remove_index(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Begins a new epoch; the next start writes it.
pub fn start_epoch(config: &Config) -> Result<u32, OpenFailure> {
    format::prepare(&config.data)?;
    if let Some(locked) = is_locked(&config.data) {
        return Err(locked);
    }
    Ok(recorder::start_epoch(&options(config))?)
}

fn reviewing(config: &Config) -> review::Settings {
    let reviews = &config.reviews;
    review::Settings {
        wait: reviews.wait.0,
        expire: reviews.expire.0,
        on_expiry: match reviews.on_expiry {
            OnExpiry::Reject => review::OnExpiry::Reject,
            OnExpiry::Approve => review::OnExpiry::Approve,
        },
        keep: reviews.keep.0,
    }
}

fn options(config: &Config) -> recorder::Options {
    recorder::Options {
        data: config.data.clone(),
        state_dir: config.state_dir(),
        origin: config.ledger.origin.clone(),
        tenant: config.journal.tenant.clone(),
        durability: match config.journal.durability {
            Durability::Disk => journal::Durability::Disk,
            Durability::Process => journal::Durability::Process,
        },
        segment_bytes: config.journal.segment_bytes,
        heartbeat: Duration::from_millis(config.ledger.heartbeat_ms),
    }
}
