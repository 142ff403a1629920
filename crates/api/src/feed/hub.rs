//! The one reader that follows the index, and everybody it tells.

use super::cursor;
use super::ending::{Chunk, Ending, START, Source};
use super::past::Past;
use super::subscriber::{News, Subscriber};
use index::{IndexReader, Search};
use journal::Position;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// Feeds that are open at once at most: fewer than connections, so that there is room for others.
const FEEDS_MAX: usize = 768;
/// How long the reader waits after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// How long what was read back is kept, and how long the reader stays when nobody listens.
const LINGER: Duration = Duration::from_secs(30);
/// Behind everything.
const NEVER: Position = Position { epoch: u32::MAX, segment: u32::MAX, offset: u64::MAX };

/// Tells everybody what has ended.
pub(crate) struct Hub {
    source: Source,
    /// What ended before.
    pub past: Past,
    indexed: watch::Receiver<Option<Position>>,
    state: Mutex<State>,
}

struct State {
    /// Everything before was offered to those who listen.
    at: Position,
    reading: bool,
    next: u64,
    listening: BTreeMap<u64, Arc<Subscriber>>,
}

/// A place among those who listen; given back when dropped.
pub(crate) struct Seat {
    hub: Arc<Hub>,
    number: u64,
    subscriber: Arc<Subscriber>,
}

// === impl Hub ===

impl Hub {
    /// Over a journal, an index, and how far that is.
    pub(crate) fn new(
        journal: PathBuf,
        index: Arc<dyn IndexReader>,
        writer: String,
        indexed: watch::Receiver<Option<Position>>,
    ) -> Arc<Self> {
        let source = Source { journal, index, writer };
        let past = Past::new(source.clone());
        let state = State { at: START, reading: false, next: 0, listening: BTreeMap::new() };
        Arc::new(Self { source, past, indexed, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cursor of a position.
    pub(crate) fn cursor(&self, at: Position) -> String {
        cursor::encode(&self.source.writer, at)
    }

    /// The position of a cursor.
    pub(crate) fn position(&self, cursor: &str) -> Result<Position, crate::problem::Problem> {
        cursor::decode(&self.source.writer, cursor)
    }

    /// Joins those who listen, and says where that is: what is behind is told. Whoever has
    /// something to catch up with is told nothing before [`Seat::go_live`]. None where all
    /// places are taken.
    pub(crate) fn join(self: &Arc<Self>, wish: Search, live: bool) -> Option<(Seat, Position)> {
        let mut state = self.state();
        if state.listening.len() >= FEEDS_MAX {
            return None;
        }
        if !state.reading {
            state.at = self.indexed.borrow().unwrap_or(START);
            state.reading = true;
            tokio::spawn(self.clone().follow());
        }
        state.next += 1;
        let (number, at) = (state.next, state.at);
        let subscriber = Arc::new(Subscriber::new(wish, (!live).then_some(NEVER)));
        state.listening.insert(number, subscriber.clone());
        Some((Seat { hub: self.clone(), number, subscriber }, at))
    }

    async fn follow(self: Arc<Self>) {
        let mut indexed = self.indexed.clone();
        loop {
            let until = indexed.borrow_and_update().unwrap_or(START);
            let at = self.state().at;
            if at < until {
                let hub = self.clone();
                let told = spawn_blocking(move || {
                    hub.source.read(at, until).map(|chunk| hub.tell(&chunk))
                });
                match told.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(%error, "the feed cannot be read");
                        tokio::time::sleep(RETRY).await;
                    }
                    // The runtime ends.
                    Err(_) => break,
                }
                continue;
            }
            match tokio::time::timeout(LINGER, indexed.changed()).await {
                Ok(Ok(())) => {}
                // The indexer has ended.
                Ok(Err(_)) => break,
                Err(_) => {
                    self.past.forget().await;
                    let mut state = self.state();
                    if state.listening.is_empty() {
                        state.reading = false;
                        return;
                    }
                }
            }
        }
        self.state().reading = false;
    }

    /// Offers a chunk to everybody. Finding out what fits takes its time and is done without the
    /// lock; who joined meanwhile is looked after at the end.
    fn tell(&self, chunk: &Chunk) {
        let before: Vec<(u64, Arc<Subscriber>)> = {
            let state = self.state();
            state.listening.iter().map(|(number, one)| (*number, one.clone())).collect()
        };
        let mut fitting: BTreeMap<u64, Vec<Arc<Ending>>> = BTreeMap::new();
        for (number, subscriber) in before {
            fitting.insert(number, subscriber.fitting(&chunk.endings));
        }
        let mut state = self.state();
        for (number, subscriber) in &state.listening {
            let fits = fitting.remove(number).unwrap_or_else(|| subscriber.fitting(&chunk.endings));
            subscriber.offer(fits);
        }
        state.at = chunk.at;
    }
}

// === impl Seat ===

impl Seat {
    /// Everything up to here was told from the past. Where that is as far as the reader is, news
    /// follow from here on, and there is nothing to do; else says up to where to catch up.
    pub(crate) fn go_live(&self, told: Position) -> Option<Position> {
        let state = self.hub.state();
        if told < state.at {
            return Some(state.at);
        }
        self.subscriber.told(told);
        None
    }

    /// What there is to tell, and the place behind it.
    pub(crate) fn take(&self) -> (News, Position) {
        let state = self.hub.state();
        let news = self.subscriber.take();
        let at = match &news {
            News::Decisions(endings) => endings.last().map_or(state.at, |last| last.at),
            News::Missed(_) | News::Nothing => state.at,
        };
        (news, at)
    }

    /// The place up to which everything is told, where nothing waits.
    pub(crate) fn place(&self) -> Option<Position> {
        let state = self.hub.state();
        self.subscriber.is_idle().then_some(state.at)
    }

    /// Waits until there may be something.
    pub(crate) async fn ready(&self) {
        self.subscriber.ready().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.state().listening.remove(&self.number);
    }
}
