//! An open journal: its threads, its queue, and its end.

use crate::ahead::{Active, Ahead};
use crate::append::{Append, Committed};
use crate::clock::RecordClock;
use crate::committer::{Committer, Request, note_clock_jump};
use crate::disk::{Disk, RealDisk};
use crate::format::Watermark;
use crate::layout::{Lock, Meta, segment_path};
use crate::mutex::lock;
use crate::options::{Options, checked};
use crate::recovery::{Recovered, Tail};
use crate::reserve::Reserve;
use crate::shared::{Progress, Shared, WatermarkFile};
use crate::stats::Stats;
use crate::tell::Appender;
use crate::{Error, Position, create};
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot, watch};

/// The queue's memory is counted in units of this.
const PERMIT_BYTES: u64 = 1 << 10;

/// A journal that this process writes. Dropping it writes what waits, and blocks until then.
pub struct Journal {
    meta: Meta,
    queue: Option<mpsc::Sender<Request>>,
    memory: Arc<Semaphore>,
    memory_permits: u32,
    shared: Arc<Shared>,
    ahead: Arc<Ahead>,
    committer: Option<JoinHandle<Result<(), Error>>>,
    /// Shared with the committer's thread, where callers may commit themselves.
    in_place: Option<Arc<Mutex<Committer>>>,
    helper: Option<JoinHandle<()>>,
    reserve: Reserve,
    _lock: Lock,
}

// === impl Journal ===

impl Journal {
    /// Opens the journal in `options.dir`, or makes it, and takes the data directory's lock.
    /// Blocks while it checks and repairs.
    pub fn open(options: Options) -> Result<(Self, Recovered), Error> {
        Self::open_on(Arc::new(RealDisk), options)
    }

    /// Like `open`, on another file system.
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<(Self, Recovered), Error> {
        let options = checked(options)?;
        let opened = create::open(&*disk, &options)?;
        let (tail, recovered) = (opened.tail, opened.recovered);
        let watermark = WatermarkFile::create(
            &*disk,
            &options.dir,
            Watermark { end: recovered.end, next_seq: recovered.next_seq },
        )?;
        let reserve = Reserve::open(&*disk, &options.dir)?;
        disk.sync_dir(&options.dir).map_err(|e| Error::io("sync", &options.dir, e))?;
        let progress = Progress {
            end: recovered.end,
            next_seq: recovered.next_seq,
            last_ts_micros: recovered.last_ts_micros,
            durable: recovered.end,
            clock_jumps: 0,
        };
        let shared = Arc::new(Shared::new(disk, options.dir.clone(), watermark, progress));
        let mut journal = Self {
            meta: opened.meta,
            queue: None,
            memory: Arc::new(Semaphore::new(0)),
            memory_permits: 0,
            ahead: Arc::new(Ahead::new(
                Arc::clone(&shared),
                options.segment_bytes,
                options.zero_ahead_bytes,
                active(&shared, &tail),
            )),
            shared,
            committer: None,
            in_place: None,
            helper: None,
            reserve,
            _lock: opened.lock,
        };
        journal.start(&options, tail)?;
        Ok((journal, recovered))
    }

    /// Begins the next epoch in a directory whose continuity cannot be proved, for example
    /// because it was restored from a copy. Nothing that is there is changed, and it stays
    /// readable; `open` then writes the new epoch. Returns its number.
    pub fn start_epoch(options: &Options) -> Result<u32, Error> {
        Self::start_epoch_on(&RealDisk, options)
    }

    /// Like `start_epoch`, on another file system.
    pub fn start_epoch_on(disk: &dyn Disk, options: &Options) -> Result<u32, Error> {
        create::start_epoch(disk, options)
    }

    /// Starts queue and threads.
    fn start(&mut self, options: &Options, tail: Tail) -> Result<(), Error> {
        let permits = (options.queue_bytes_max / PERMIT_BYTES)
            .clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize) as u64);
        self.memory_permits = permits as u32;
        self.memory.add_permits(permits as usize);
        let (queue, requests) = mpsc::channel(options.queue_records_max.max(1));
        let clock = Arc::clone(&options.clock);
        let (clock, jump) = RecordClock::new(clock, tail.last_ts_micros, tail.next_seq);
        if let Some(jump) = jump {
            note_clock_jump(&self.shared, jump);
        }
        let committer = Arc::new(Mutex::new(Committer::new(
            Arc::clone(&self.shared),
            Arc::clone(&self.ahead),
            tail,
            options.durability,
            clock,
        )?));
        self.in_place = options.commit_in_place.then(|| Arc::clone(&committer));
        let failed = |e| Error::io("start a thread for", &options.dir, e);
        let ahead = Arc::clone(&self.ahead);
        let helper = thread::Builder::new().name("journal-ahead".to_owned());
        self.helper = Some(helper.spawn(move || ahead.run()).map_err(failed)?);
        let thread = thread::Builder::new().name("journal-commit".to_owned());
        let shared = Arc::clone(&self.shared);
        let run = move || Committer::run(&committer, &shared, requests);
        self.committer = Some(thread.spawn(run).map_err(failed)?);
        self.queue = Some(queue);
        Ok(())
    }

    /// Writer, tenant and epoch.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Appends, and waits until it is durable; before that, while the queue is full, for its
    /// turn. Needs no runtime. When the future is dropped after it entered the queue, the
    /// append still happens.
    pub async fn append(&self, append: Append) -> Result<Committed, Error> {
        let bytes = append.check()?;
        let (queue, permit) = self.place(bytes).await?;
        let (reply, answer) = oneshot::channel();
        let request = Request { append, appender: Appender::here(reply), permit };
        let left = match &self.in_place {
            Some(committer) if queue.capacity() == queue.max_capacity() => {
                Committer::commit_in_place(committer, &self.shared, request, bytes)
            }
            _ => Some(request),
        };
        if let Some(request) = left {
            // The committer outlives the journal, unless it panicked.
            queue.send(request).await.map_err(|_| Error::Poisoned)?;
        }
        answer.await.map_err(|_| Error::Poisoned)?
    }

    /// Waits for its turn while the queue is full, and not until the append is durable: the
    /// receiver gets the outcome. Appends that are queued one after the other share commits.
    pub async fn enqueue(
        &self,
        append: Append,
    ) -> Result<oneshot::Receiver<Result<Committed, Error>>, Error> {
        let (queue, permit) = self.place(append.check()?).await?;
        let (reply, answer) = oneshot::channel();
        let request = Request { append, appender: Appender::here(reply), permit };
        queue.send(request).await.map_err(|_| Error::Poisoned)?;
        Ok(answer)
    }

    /// Appends without waiting for the queue: `Busy` where it is full. The receiver gets the
    /// outcome.
    pub fn append_nowait(
        &self,
        append: Append,
    ) -> Result<oneshot::Receiver<Result<Committed, Error>>, Error> {
        let permits = self.permits(append.check()?);
        self.shared.check()?;
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        let permit: OwnedSemaphorePermit =
            Arc::clone(&self.memory).try_acquire_many_owned(permits).map_err(|e| match e {
                TryAcquireError::NoPermits => Error::Busy,
                TryAcquireError::Closed => Error::Closed,
            })?;
        let (reply, answer) = oneshot::channel();
        match queue.try_send(Request { append, appender: Appender::here(reply), permit }) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(Error::Busy),
            Err(TrySendError::Closed(_)) => Err(Error::Poisoned),
        }
    }

    /// The queue, with memory in it for an append: waits until there is some.
    async fn place(
        &self,
        bytes: u64,
    ) -> Result<(&mpsc::Sender<Request>, OwnedSemaphorePermit), Error> {
        self.shared.check()?;
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        let memory = Arc::clone(&self.memory).acquire_many_owned(self.permits(bytes));
        Ok((queue, memory.await.map_err(|_| Error::Closed)?))
    }

    /// One append never needs more than the whole memory of the queue.
    fn permits(&self, bytes: u64) -> u32 {
        let permits = u32::try_from(bytes / PERMIT_BYTES).unwrap_or(u32::MAX);
        permits.saturating_add(1).min(self.memory_permits)
    }

    /// Tells those who append on the thread that first polls this, for as long as it is polled
    /// there: the committer then wakes that thread once for a batch, and not once for each of
    /// them. For a thread with a runtime of its own, on which many append. Never ends; whoever
    /// still waits when it is dropped is told then.
    pub fn tell_here(&self) -> impl Future<Output = Infallible> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.telling.here().await }
    }

    /// How far the journal has come, now and from now on.
    pub fn committed(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        Stats {
            commits: counters.commits.load(Ordering::Relaxed),
            appends: counters.appends.load(Ordering::Relaxed),
            leaves: counters.leaves.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            disk_full: counters.disk_full.load(Ordering::Relaxed),
            waits: counters.waits.load(Ordering::Relaxed),
            clock_jumps: counters.clock_jumps.load(Ordering::Relaxed),
            last_clock_jump: *lock(&self.shared.last_clock_jump),
            batch_appends: counters.batch_appends.read(),
            sync_micros: counters.sync_micros.read(),
            queued: self.queue.as_ref().map_or(0, |q| q.max_capacity() - q.capacity()),
            poisoned: self.shared.is_poisoned(),
        }
    }

    /// The failure that stopped the journal, if one did.
    pub fn poison_cause(&self) -> Option<Error> {
        self.shared.cause()
    }

    /// Where gaps are noted when records cannot be.
    pub fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Writes what waits, syncs, and ends the threads. Blocks.
    pub fn close(mut self) -> Result<(), Error> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), Error> {
        self.queue = None;
        let result = self
            .committer
            .take()
            .map_or(Ok(()), |thread| thread.join().unwrap_or(Err(Error::Poisoned)));
        self.ahead.stop();
        if let Some(helper) = self.helper.take() {
            // A helper that panicked leaves nothing undone: the committer synced last.
            let _ = helper.join();
        }
        result
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Nobody is left to be told; every append was answered for itself.
        let _ = self.shut_down();
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("meta", &self.meta).finish_non_exhaustive()
    }
}

// === functions ===

/// The segment at the journal's end, for the helper.
fn active(shared: &Shared, tail: &Tail) -> Active {
    Active {
        file: Arc::clone(&tail.file),
        path: segment_path(&shared.dir, tail.end),
        zeroed_to: tail.zeroed_to,
        next: Position::new(tail.end.epoch, tail.end.segment + 1, 0),
        next_from: tail.prepared_to.unwrap_or(0),
    }
}
