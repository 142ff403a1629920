//! The threads behind the journal: sealer, indexer, housekeeping.

use crate::age::Age;
use crate::indexer::Indexer;
use crate::recorder::Recorder;
use crate::sealer::{CHECKPOINT_INTERVAL, Sealer};
use event::{ClockAnomaly, Heartbeat};
use journal::{Position, Progress};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use tokio::sync::watch;

/// From this rate on calls are so many that the indexer leaves them the processor.
const BUSY_RECORDS_PER_SECOND: f64 = 6_000.0;
/// Its pause then, in multiples of the time that it worked.
const BUSY_PAUSE_FACTOR: u32 = 15;
/// The longest of these pauses: a transaction that got no processor takes long, and what was
/// waiting when the calls ended should not wait for many times that.
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Records in one transaction of the index then, so that it is soon done.
const BUSY_BATCH_RECORDS_MAX: usize = 1_024;
/// And otherwise: a page that changes with every record is written once a transaction.
const BATCH_RECORDS_MAX: usize = 4_096;
/// How soon the indexer sees new records after a pause.
const INDEX_INTERVAL: Duration = Duration::from_millis(20);
/// From one transaction of the index to the next: each writes the pages that change with every
/// record, so few cost less than many; but what one writes keeps records from the disk at once.
const INDEX_BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// How long the indexer may go on when the process ends; what is left follows at the next start.
const INDEX_LAST_MAX: Duration = Duration::from_secs(5);
/// How long a worker waits after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Workers yield to the data plane: under a burst the index lags, and calls do not wait for it.
const NICENESS: i32 = 19;
/// How long the index may be behind. Where nothing is ever left of the processor, what runs only
/// then never ends; a thread of some priority then does its work.
const LATE: Duration = Duration::from_secs(1);
/// That thread's.
const LATE_NICENESS: i32 = 10;
/// How long it goes on: whoever takes the processor seldom does so for a moment only.
const LATE_STAYS: Duration = Duration::from_secs(30);
/// How often the lowest open call is noted.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

/// Stops and joins the threads when dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A flag that a thread can wait on.
#[derive(Clone)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits, unless unparked because the end has come.
    fn wait(&self, time: Duration) {
        if !self.is_set() && !time.is_zero() {
            thread::park_timeout(time);
        }
    }
}

/// How fast the journal grows, and so how much the indexer should hold back. Low priority alone
/// does not keep it from the time that calls spend waiting for the disk.
struct Pace {
    progress: watch::Receiver<Progress>,
    seq: u64,
    at: Instant,
}

impl Pace {
    fn new(progress: watch::Receiver<Progress>) -> Self {
        let seq = progress.borrow().next_seq;
        Self { progress, seq, at: Instant::now() }
    }

    /// Whether there were many calls since it was last asked.
    fn busy(&mut self) -> bool {
        let seq = self.progress.borrow().next_seq;
        let rate = seq.saturating_sub(self.seq) as f64 / self.at.elapsed().as_secs_f64().max(0.001);
        (self.seq, self.at) = (seq, Instant::now());
        rate >= BUSY_RECORDS_PER_SECOND
    }
}

impl Workers {
    pub(crate) fn new() -> Self {
        Self { stop: Arc::default(), threads: Vec::new() }
    }

    /// Runs work that only gets what nothing else wants of the processor.
    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(Stop) + Send + 'static,
    ) -> std::io::Result<()> {
        self.spawn_as(name, yield_to_others, work)
    }

    fn spawn_as(
        &mut self,
        name: &str,
        prepare: impl FnOnce() + Send + 'static,
        work: impl FnOnce(Stop) + Send + 'static,
    ) -> std::io::Result<()> {
        let stop = Stop(self.stop.clone());
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            prepare();
            work(stop);
        })?;
        self.threads.push(thread);
        Ok(())
    }

    pub(crate) fn seal(
        &mut self,
        mut sealer: Sealer,
        progress: watch::Receiver<Progress>,
        failed: Arc<AtomicBool>,
    ) -> std::io::Result<()> {
        self.spawn("sealer", move |stop| {
            loop {
                let last_round = stop.is_set();
                let now = *progress.borrow();
                if let Err(error) = sealer.catch_up(now) {
                    tracing::error!(%error, "leaves are not being sealed");
                    failed.store(true, Ordering::Release);
                    stop.wait(RETRY_INTERVAL);
                } else {
                    failed.store(false, Ordering::Release);
                }
                if last_round {
                    break;
                }
                stop.wait(CHECKPOINT_INTERVAL);
            }
            if let Err(error) = sealer.sync() {
                tracing::warn!(%error, "tiles were not synced; they are made again at the next start");
            }
        })
    }

    pub(crate) fn index(
        &mut self,
        indexer: Indexer,
        progress: watch::Receiver<Progress>,
        indexed: watch::Receiver<Option<Position>>,
    ) -> std::io::Result<()> {
        let indexer = Arc::new(Mutex::new(indexer));
        let late = Arc::new(AtomicBool::new(false));
        self.help_late(indexer.clone(), progress.clone(), indexed, late.clone())?;
        self.spawn("indexer", move |stop| {
            let mut pace = Pace::new(progress.clone());
            while !stop.is_set() {
                if late.load(Ordering::Acquire) {
                    stop.wait(INDEX_INTERVAL);
                    continue;
                }
                let mut yielding = |took: Option<Duration>| {
                    let busy = pace.busy();
                    if busy {
                        stop.wait(
                            (took.unwrap_or_default() * BUSY_PAUSE_FACTOR).min(BUSY_PAUSE_MAX),
                        );
                    }
                    let goes_on = !stop.is_set() && !late.load(Ordering::Acquire);
                    goes_on.then_some(if busy { BUSY_BATCH_RECORDS_MAX } else { BATCH_RECORDS_MAX })
                };
                stop.wait(follow(&indexer, &progress, &mut yielding));
            }
            let last = *progress.borrow();
            let began = Instant::now();
            let mut briefly = |_| (began.elapsed() < INDEX_LAST_MAX).then_some(BATCH_RECORDS_MAX);
            if let Err(error) = lock(&indexer).catch_up(last, &mut briefly) {
                tracing::warn!(%error, "the index goes on at the next start");
            }
        })
    }

    /// Takes the indexer over while the index is late: for when other programs take the processor,
    /// not for when the calls do.
    fn help_late(
        &mut self,
        indexer: Arc<Mutex<Indexer>>,
        progress: watch::Receiver<Progress>,
        indexed: watch::Receiver<Option<Position>>,
        late: Arc<AtomicBool>,
    ) -> std::io::Result<()> {
        self.spawn_as(
            "indexer-late",
            || set_niceness(LATE_NICENESS),
            move |stop| {
                let mut pace = Pace::new(progress.clone());
                let mut age = Age::default();
                while !stop.is_set() {
                    stop.wait(INDEX_BATCH_INTERVAL);
                    let (end, at) = (progress.borrow().end, *indexed.borrow());
                    if pace.busy() || age.of(end, at, Instant::now()) <= LATE {
                        continue;
                    }
                    late.store(true, Ordering::Release);
                    let began = Instant::now();
                    let stays = || !stop.is_set() && began.elapsed() < LATE_STAYS;
                    let mut busy = false;
                    while !busy && stays() {
                        let mut staying = |took: Option<Duration>| {
                            busy = took.is_some() && pace.busy();
                            (!busy && stays()).then_some(BATCH_RECORDS_MAX)
                        };
                        stop.wait(follow(&indexer, &progress, &mut staying));
                    }
                    late.store(false, Ordering::Release);
                }
            },
        )
    }

    pub(crate) fn keep_house(
        &mut self,
        recorder: Recorder,
        runtime: tokio::runtime::Handle,
        heartbeat: Duration,
    ) -> std::io::Result<()> {
        self.spawn("housekeeping", move |stop| {
            let mut since_heartbeat = Duration::ZERO;
            let mut clock_jumps = 0;
            while !stop.is_set() {
                stop.wait(HOUSEKEEPING_INTERVAL);
                since_heartbeat += HOUSEKEEPING_INTERVAL;
                note_lowest_open_call(&recorder);
                runtime.block_on(record_gap(&recorder));
                runtime.block_on(record_clock_jump(&recorder, &mut clock_jumps));
                if since_heartbeat >= heartbeat && !stop.is_set() {
                    since_heartbeat = Duration::ZERO;
                    runtime.block_on(beat(&recorder));
                }
            }
            note_lowest_open_call(&recorder);
        })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// A thread that only runs where nothing else wants to: whoever wakes up takes its place at once,
/// where one of low priority would finish its slice.
fn yield_to_others() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let this = thread_priority::thread_native_id();
    if let Err(error) =
        thread_priority::set_thread_priority_and_policy(this, ThreadPriority::Min, idle)
    {
        tracing::debug!(?error, "the worker keeps its scheduling policy");
    }
    // Of the same use where the policy is refused.
    set_niceness(NICENESS);
}

/// Of this thread alone: on Linux each has its own.
fn set_niceness(niceness: i32) {
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), niceness) {
        tracing::debug!(%error, "the worker keeps normal priority");
    }
}

/// Indexes what there is; returns how long to wait before the next look.
fn follow(
    indexer: &Mutex<Indexer>,
    progress: &watch::Receiver<Progress>,
    next: &mut dyn FnMut(Option<Duration>) -> Option<usize>,
) -> Duration {
    let now = *progress.borrow();
    match lock(indexer).catch_up(now, next) {
        Ok(true) => INDEX_BATCH_INTERVAL,
        Ok(false) => INDEX_INTERVAL,
        Err(error) => {
            tracing::error!(%error, "the index does not follow the journal");
            RETRY_INTERVAL
        }
    }
}

async fn beat(recorder: &Recorder) {
    let data = Heartbeat { open_requests: Some(recorder.open_call_count() as u64) };
    if let Err(error) = recorder.control(data).await {
        tracing::warn!(%error, "no heartbeat was recorded");
    }
}

async fn record_gap(recorder: &Recorder) {
    if let Some((data, count)) = recorder.gap().pending() {
        match recorder.control(data).await {
            Ok(_) => recorder.gap().recorded(count),
            Err(error) => tracing::warn!(%error, count, "calls go through without records"),
        }
    }
}

async fn record_clock_jump(recorder: &Recorder, seen: &mut u64) {
    let stats = recorder.journal().stats();
    if stats.clock_jumps == *seen {
        return;
    }
    let jump = stats.last_clock_jump.map(|jump| jump.shown_micros - jump.expected_micros);
    match recorder.control(ClockAnomaly { jump_us: jump }).await {
        Ok(_) => *seen = stats.clock_jumps,
        Err(error) => tracing::warn!(%error, ?jump, "a clock jump was not recorded"),
    }
}

/// Where a start after a crash begins to look for open calls.
pub(crate) fn lowest_path(journal: &Path) -> PathBuf {
    journal.join("lowest-open-call")
}

fn note_lowest_open_call(recorder: &Recorder) {
    let place = recorder.open_calls().lowest();
    let path = lowest_path(recorder.journal_dir());
    if let Err(error) = crate::files::replace(&path, place.to_string().as_bytes(), false) {
        tracing::debug!(%error, "the lowest open call was not noted; the next start reads more");
    }
}

/// An indexer whose holder panicked goes on where its index is.
fn lock(indexer: &Mutex<Indexer>) -> MutexGuard<'_, Indexer> {
    indexer.lock().unwrap_or_else(PoisonError::into_inner)
}
