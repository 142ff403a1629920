//! Opens a data directory: journal, keys, recovery, ledger, workers.

use crate::error::RecordError;
use crate::files::LedgerFiles;
use crate::gap;
use crate::held::{HeldCall, HeldProgress};
use crate::indexer::Indexer;
use crate::late;
use crate::recorder::Recorder;
use crate::recovery::{self, InterruptedError};
use crate::sealer::{LogSigner, Sealer, SealerError};
use crate::state::StateStore;
use crate::workers::{Workers, lowest_path};
use event::EpochStarted;
use index::IndexWriter;
use journal::{Durability, Journal, Position, Progress};
use seal::{KeyClass, KeyRing};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of a page of an `SQLite` file at least.
const PAGE_BYTES_MIN: u64 = 512;

/// What opening the index gives.
pub type OpenedIndex = Result<Box<dyn IndexWriter>, index::Error>;

/// How a data directory is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory.
    pub data: PathBuf,
    /// Directory of the last signed state, outside the data directory.
    pub state_dir: PathBuf,
    /// First part of the log's origin; a schemaless name without spaces.
    pub origin: String,
    /// The tenant.
    pub tenant: String,
    /// When a record counts as written.
    pub durability: Durability,
    /// Size of a segment.
    pub segment_bytes: u64,
    /// A sign of life is recorded this often.
    pub heartbeat: Duration,
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The index cannot be opened.
    #[error(transparent)]
    Index(#[from] index::Error),
    /// The keys cannot be opened.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// The key store is gone, and what the journal holds is sealed under its keys.
    #[error(
        "{path} is missing or empty, and the journal's records are sealed under its keys: restore \
         it from its backup (`audit-layer verify --sealed` works without)"
    )]
    KeysMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key is gone that signed this log's checkpoints.
    #[error(
        "{path} is missing, and it signed the checkpoints of this log: restore it from its backup, \
         or run `audit-layer recover --new-epoch` to go on under a new key"
    )]
    SigningKeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Calls that a crash cut off could not be ended.
    #[error(transparent)]
    Interrupted(#[from] InterruptedError),
    /// A record could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The ledger cannot be taken up.
    #[error(transparent)]
    Sealer(#[from] SealerError),
    /// The system refused a thread or a directory.
    #[error("the data directory cannot be used: {0}; check that it is writable")]
    Io(#[from] std::io::Error),
}

/// An open data directory. Workers end when it is dropped; then the journal is closed.
#[derive(Debug)]
pub struct Running {
    workers: Option<Workers>,
    /// The write path.
    pub recorder: Recorder,
    /// Everything before this place is indexed.
    pub indexed: watch::Receiver<Option<Position>>,
    /// How many leaves the newest checkpoint covers.
    pub sealed: watch::Receiver<u64>,
    /// Where the journal's acknowledged end is.
    pub progress: watch::Receiver<Progress>,
    /// How many calls a crash had cut off.
    pub interrupted: usize,
    /// How far the held calls are that the start was told of.
    pub held: Vec<HeldProgress>,
    sealer_failed: Arc<AtomicBool>,
}

impl Running {
    /// Whether leaves are being sealed.
    pub fn is_sealing(&self) -> bool {
        !self.sealer_failed.load(Ordering::Acquire)
    }

    /// Seals what is written and stops the workers.
    pub fn close(mut self) {
        self.workers = None;
    }
}

/// Opens a data directory for writing. Must be called within a tokio runtime. `index` opens the
/// index, once nobody else can have the directory.
///
/// # Errors
/// Where anything in it is not as it must be; nothing is served then.
pub async fn open(
    options: Options,
    index: impl FnOnce() -> OpenedIndex,
) -> Result<Running, OpenError> {
    open_holding(options, index, Vec::new()).await
}

/// As [`open`], where calls are held elsewhere: those that wait are not taken for calls that a
/// crash cut off. [`Running::held`] then says how far each of them is.
///
/// # Errors
/// As [`open`].
pub async fn open_holding(
    options: Options,
    index: impl FnOnce() -> OpenedIndex,
    held: Vec<HeldCall>,
) -> Result<Running, OpenError> {
    let journal_dir = options.data.join("journal");
    let (journal, recovered) = Journal::open(journal::Options {
        tenant: options.tenant.clone(),
        durability: options.durability,
        segment_bytes: options.segment_bytes,
        // One thread alone must not wait for the disk: it has streams to pass on.
        commit_in_place: std::thread::available_parallelism()
            .is_ok_and(|threads| threads.get() > 1),
        ..journal::Options::new(&journal_dir)
    })?;
    // The journal has the lock from here on.
    let index = index()?;
    let keys_dir = options.data.join("keys");
    let keys_file = options.data.join("subjects.db");
    if (recovered.next_seq > 0 || journal.meta().epoch > 1) && is_none(&keys_file) {
        return Err(OpenError::KeysMissing { path: keys_file });
    }
    // A key store can be opened with the key only that it was made with.
    let provider = if is_none(&keys_file) {
        seal::LocalKeyFile::load_or_create(&keys_dir)?
    } else {
        seal::LocalKeyFile::load(&keys_dir)?
    };
    let provider = Arc::new(provider);
    let keys = Arc::new(KeyRing::open(&keys_file, provider, seal::Options::default())?);
    let staff = keys.get_or_create(KeyClass::Staff, "staff").await?;
    let signing = signing_key(&keys_dir, recovered.next_seq > 0)?;
    let progress = journal.committed();
    let meta = journal.meta().clone();
    let signer = LogSigner { name: origin(&options, &meta, meta.epoch), key: signing };
    let start = *progress.borrow();
    let (sealer, sealed) =
        Sealer::open(&options.data, &options.state_dir, &journal_dir, meta.epoch, signer, start)?;
    let (recorder, given_up) = Recorder::new(journal, journal_dir.clone(), keys.clone(), staff);
    tokio::spawn(late::follow(given_up, recorder.downgrade()));
    if recovered.next_seq == 0 {
        begin_epoch(&recorder, &options, &meta).await?;
    }
    let lowest = std::fs::read_to_string(lowest_path(&journal_dir))
        .ok()
        .and_then(|text| text.trim().parse::<Position>().ok())
        .filter(|place| *place <= start.end);
    let (interrupted, held) = recovery::finish_interrupted(&recorder, lowest, held).await?;
    record_old_gap(&recorder).await?;
    let (indexer, indexed) = Indexer::new(index, journal_dir, keys, meta.writer);
    let sealer_failed = Arc::new(AtomicBool::new(false));
    let mut workers = Workers::new();
    workers.seal(sealer, progress.clone(), sealer_failed.clone())?;
    workers.index(indexer, progress.clone(), indexed.clone())?;
    workers.keep_house(recorder.clone(), tokio::runtime::Handle::current(), options.heartbeat)?;
    Ok(Running {
        workers: Some(workers),
        recorder,
        indexed,
        sealed,
        progress,
        interrupted,
        held,
        sealer_failed,
    })
}

/// The key that signs checkpoints. One that `signed` before is never replaced: whoever trusts it
/// would not trust the next.
fn signing_key(dir: &Path, signed: bool) -> Result<seal::SigningKey, OpenError> {
    if !signed {
        return Ok(seal::SigningKey::load_or_create(dir)?);
    }
    seal::SigningKey::load(dir).map_err(|error| match error {
        seal::Error::NoKeyFile { path } => OpenError::SigningKeyMissing { path },
        other => other.into(),
    })
}

/// Whether a store that was made can not be in this file. `SQLite` takes a file shorter than a
/// page for a new one.
fn is_none(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|file| file.len() < PAGE_BYTES_MIN) || !file.exists()
}

/// The first leaf of an epoch says why it began and what was known before.
async fn begin_epoch(
    recorder: &Recorder,
    options: &Options,
    meta: &journal::Meta,
) -> Result<(), OpenError> {
    let before = match meta.epoch {
        0 | 1 => None,
        later => last_checkpoint(options, meta, later - 1)?,
    };
    let reason = if meta.epoch <= 1 { "first" } else { "restored" };
    recorder.control(EpochStarted { reason: Some(reason.to_owned()), checkpoint: before }).await?;
    Ok(())
}

/// The last checkpoint that is known of an epoch: as signed, else as published.
fn last_checkpoint(
    options: &Options,
    meta: &journal::Meta,
    epoch: u32,
) -> Result<Option<String>, OpenError> {
    let state = StateStore::open(&options.state_dir, &origin(options, meta, epoch))
        .and_then(|store| store.load())
        .map_err(SealerError::from)?;
    match state {
        Some(state) => Ok(Some(state.checkpoint)),
        None => Ok(LedgerFiles::new(&options.data.join("ledger"), epoch).checkpoint()?),
    }
}

/// Origin of an epoch's log.
fn origin(options: &Options, meta: &journal::Meta, epoch: u32) -> String {
    format!("{}/{}/{}/{epoch}", options.origin, meta.tenant, meta.writer)
}

/// Begins a new epoch in a directory whose continuity cannot be proved: restored from a backup,
/// say. What is there stays as it is; the next [`open`] writes the new epoch, whose first leaf
/// holds the last known checkpoint. Returns the epoch's number.
///
/// # Errors
/// Where a process has the directory open, or it cannot be written.
pub fn start_epoch(options: &Options) -> Result<u32, OpenError> {
    Ok(Journal::start_epoch(&journal::Options {
        tenant: options.tenant.clone(),
        segment_bytes: options.segment_bytes,
        ..journal::Options::new(options.data.join("journal"))
    })?)
}

/// A gap that was open when the last process ended.
async fn record_old_gap(recorder: &Recorder) -> Result<(), OpenError> {
    let reserve = recorder.journal().reserve();
    if let Some(note) = gap::left_over(reserve)? {
        recorder.control(note).await?;
        reserve.clear()?;
    }
    Ok(())
}
