//! What the API stands on, and what all requests share.

use crate::feed::{Hub, Tickets};
use crate::problem::Problem;
use crate::throttle::Throttle;
use control::{Control, KeyLimits};
use index::IndexReader;
use ingest::Ingest;
use journal::{Position, Progress};
use policy::Detectors;
use recorder::{Recorder, Running};
use review::Desk;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, watch};
use uuid::Uuid;

/// How long a detail waits for the index, and a proof for a checkpoint.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);
/// Passwords checked at once: each takes some 20 MB and 20 ms.
const LOGINS_MAX: usize = 2;

/// Decisions of which something can be said at once.
const TURNS: usize = 64;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Whether the ledger's files are served without a credential.
    pub ledger_public: bool,
    /// Whether callers reach the API over TLS, which something in front ends.
    pub tls: bool,
    /// How fast each person may ask; only its rate and burst count.
    pub user_limits: KeyLimits,
    /// How fast each key without a rate of its own may ask; only its rate and burst count.
    pub key_limits: KeyLimits,
}

/// Renders the process's Prometheus figures.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;
/// Says whether work can be taken, or why not.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the API stands on.
pub struct Parts {
    /// The data directory.
    pub data: PathBuf,
    /// The write path: accesses are recorded through it.
    pub recorder: Recorder,
    /// The query side of the index.
    pub index: Arc<dyn IndexReader>,
    /// Users and keys.
    pub control: Arc<Control>,
    /// Reviews.
    pub desk: Desk,
    /// What other systems report.
    pub ingest: Ingest,
    /// Models that the configuration says something of.
    pub models: Vec<ModelFacts>,
    /// Everything before this place is indexed.
    pub indexed: watch::Receiver<Option<Position>>,
    /// How many leaves the newest checkpoint covers.
    pub sealed: watch::Receiver<u64>,
    /// The process's figures.
    pub figures: Render,
    /// Readiness.
    pub ready: Ready,
    /// What is looked for in bodies that are shown.
    pub detectors: Arc<Detectors>,
}

/// What the configuration says of a model.
#[derive(Debug, Clone, Default)]
pub struct ModelFacts {
    /// The name that callers use.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// Who answers for its use.
    pub owner: Option<String>,
    /// Whether its use is approved.
    pub approval: Option<String>,
    /// Tokens that it can take in.
    pub context_tokens: Option<u64>,
}

/// The API, over one open data directory. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub(crate) shared: Arc<Shared>,
}

/// What all requests share.
pub(crate) struct Shared {
    pub parts: Parts,
    pub settings: Settings,
    pub progress: watch::Receiver<Progress>,
    pub logins: Semaphore,
    pub throttle: Throttle,
    pub leaves: journal::Files,
    pub hub: Arc<Hub>,
    pub tickets: Tickets,
    pub notes: Turns,
}

/// Whose turn it is to say something of a decision: one lock for some of them each.
pub(crate) struct Turns([Mutex<()>; TURNS]);

// === impl Parts ===

impl Parts {
    /// Over an open data directory; without figures of the process, and always ready.
    pub fn new(
        data: PathBuf,
        running: &Running,
        index: Arc<dyn IndexReader>,
        control: Arc<Control>,
        desk: Desk,
        ingest: Ingest,
    ) -> Self {
        Self {
            data,
            recorder: running.recorder.clone(),
            index,
            control,
            desk,
            ingest,
            models: Vec::new(),
            indexed: running.indexed.clone(),
            sealed: running.sealed.clone(),
            figures: Arc::new(String::new),
            ready: Arc::new(|| Ok(())),
            detectors: Arc::new(Detectors::default()),
        }
    }
}

// === impl Api ===

impl Api {
    /// The API over these parts.
    pub fn new(parts: Parts, settings: Settings) -> Self {
        let shared = Shared {
            progress: parts.recorder.journal().committed(),
            leaves: journal::Files::new(parts.recorder.journal_dir()),
            hub: Hub::new(
                parts.recorder.journal_dir().to_owned(),
                parts.index.clone(),
                parts.recorder.journal().meta().writer.clone(),
                parts.indexed.clone(),
            ),
            tickets: Tickets::default(),
            parts,
            settings,
            notes: Turns(std::array::from_fn(|_| Mutex::new(()))),
            logins: Semaphore::new(LOGINS_MAX),
            throttle: Throttle::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

// === impl Turns ===

impl Turns {
    /// The lock of a decision. The end of its id is random.
    pub(crate) fn of(&self, decision_id: Uuid) -> &Mutex<()> {
        let [.., last] = *decision_id.as_bytes();
        &self.0[usize::from(last) % TURNS]
    }
}

// === impl Shared ===

impl Shared {
    /// Asks the index, on a blocking thread.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn IndexReader) -> index::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let index = self.parts.index.clone();
        blocking(move || ask(&*index)).await?.map_err(Problem::from)
    }

    /// Waits until the index has reached what is committed now; false where that takes too long.
    pub(crate) async fn index_caught_up(&self) -> bool {
        let end = self.progress.borrow().end;
        let mut indexed = self.parts.indexed.clone();
        let reached = indexed.wait_for(|at| at.is_some_and(|at| at >= end));
        matches!(tokio::time::timeout(CATCH_UP_MAX, reached).await, Ok(Ok(_)))
    }

    /// Waits until a checkpoint covers this leaf; false where that takes too long.
    pub(crate) async fn is_sealed(&self, seq: u64) -> bool {
        let mut sealed = self.parts.sealed.clone();
        let reached = sealed.wait_for(|size| *size > seq);
        matches!(tokio::time::timeout(CATCH_UP_MAX, reached).await, Ok(Ok(_)))
    }

    /// How far the index is behind the journal, in time of records.
    pub(crate) fn index_lag_ms(&self, newest_indexed: Option<event::Timestamp>) -> u64 {
        let progress = *self.progress.borrow();
        if self.parts.indexed.borrow().is_some_and(|at| at >= progress.end) {
            return 0;
        }
        let newest = newest_indexed.map_or(0, event::Timestamp::as_micros);
        let behind = progress.last_ts_micros.saturating_sub(newest).max(0);
        behind.unsigned_abs().div_ceil(1_000)
    }

    /// The epoch that is being written.
    pub(crate) fn epoch(&self) -> u32 {
        self.parts.recorder.journal().meta().epoch
    }
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
}
