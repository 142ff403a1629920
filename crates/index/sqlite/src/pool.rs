//! A few reading connections, each query with a time limit.

use crate::connect;
use index::{Error, Result};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a query waits for a connection.
const WAIT_MS: u64 = 5_000;
/// Virtual machine steps between looks at the clock.
const STEPS_BETWEEN_CHECKS: i32 = 2_000;
/// Page cache of each connection.
const CACHE_BYTES: usize = 4 << 20;
const NO_LIMIT: u64 = u64::MAX;

/// Prepares a fresh connection.
pub type Setup = fn(&mut Connection) -> rusqlite::Result<()>;

/// Connections to one file.
#[derive(Debug)]
pub struct Pool {
    path: PathBuf,
    setup: Setup,
    connections_max: usize,
    began: Instant,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Limited>,
    open: usize,
}

#[derive(Debug)]
struct Limited {
    connection: Connection,
    /// When its query must end, in milliseconds since the pool began.
    deadline_ms: Arc<AtomicU64>,
}

// === impl Pool ===

impl Pool {
    /// A pool that opens its connections when they are needed.
    pub fn new(path: &Path, connections_max: usize, setup: Setup) -> Self {
        Self {
            path: path.to_owned(),
            setup,
            connections_max: connections_max.max(1),
            began: Instant::now(),
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Runs a query with a connection, for at most this long.
    pub fn run<T>(&self, limit_ms: u64, query: impl FnOnce(&Connection) -> Answer<T>) -> Result<T> {
        let limited = self.take()?;
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NO_LIMIT);
        limited.deadline_ms.store(now.saturating_add(limit_ms), Ordering::Relaxed);
        let answer = query(&limited.connection);
        limited.deadline_ms.store(NO_LIMIT, Ordering::Relaxed);
        self.give_back(limited);
        answer.map_err(|failure| match failure {
            Failure::Store(error) => connect::error(error, limit_ms),
            Failure::Ours(error) => error,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Limited> {
        let until = Instant::now() + Duration::from_millis(WAIT_MS);
        let mut state = self.state();
        loop {
            if let Some(limited) = state.idle.pop() {
                return Ok(limited);
            }
            if state.open < self.connections_max {
                state.open += 1;
                drop(state);
                return self.open().inspect_err(|_| self.state().open -= 1);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Busy);
            }
            state =
                self.returned.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn open(&self) -> Result<Limited> {
        let mut connection = connect::reader(&self.path, CACHE_BYTES)?;
        (self.setup)(&mut connection).map_err(|error| connect::error(error, 0))?;
        let deadline_ms = Arc::new(AtomicU64::new(NO_LIMIT));
        let (deadline, began) = (Arc::clone(&deadline_ms), self.began);
        connection
            .progress_handler(
                STEPS_BETWEEN_CHECKS,
                Some(move || {
                    let limit = deadline.load(Ordering::Relaxed);
                    limit != NO_LIMIT && began.elapsed().as_millis() > u128::from(limit)
                }),
            )
            .map_err(|error| connect::error(error, 0))?;
        Ok(Limited { connection, deadline_ms })
    }

    fn give_back(&self, limited: Limited) {
        self.state().idle.push(limited);
        self.returned.notify_one();
    }
}

/// What a query gives.
pub type Answer<T> = std::result::Result<T, Failure>;

/// Why a query failed.
#[derive(Debug)]
pub enum Failure {
    /// In SQLite.
    Store(rusqlite::Error),
    /// Before it got there.
    Ours(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}
