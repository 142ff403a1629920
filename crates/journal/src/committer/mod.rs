//! The committer: gathers what waits, writes once, syncs once, answers all. It is a thread;
//! where nobody else is at work, the caller's own.

mod batch;
mod cached;
mod rollover;

use crate::ahead::{Ahead, Prepared};
use crate::append::{Append, Committed};
use crate::clock::RecordClock;
use crate::disk::{DiskFile, write_zeros};
use crate::error::check_size;
use crate::format::{
    APPEND_BYTES_MAX, FLAG_FIRST_OF_BATCH, FLAG_SYNCED, FrameFields, FrameKind, LEAF_BYTES_MAX,
    SEGMENT_END_FRAME_BYTES, SEGMENT_HEADER_BYTES, SegmentEnd, Watermark, encode_frame,
    frame_bytes,
};
use crate::layout::segment_path;
use crate::mutex::lock;
use crate::options::Durability;
use crate::recovery::Tail;
use crate::shared::{Progress, Shared};
use crate::stats::ClockJump;
use crate::tell::Appender;
use crate::{Error, Position};
use batch::Batch;
use cached::Cached;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// A batch of this many appends shows that many callers are at work at once.
const GATHER_FROM_APPENDS: usize = 4;
/// How long the next batch is then gathered, for each append in the last one: the more are at
/// work, the more a sync less is worth to all of them. Few callers never wait for this.
const GATHER_PER_APPEND: Duration = Duration::from_micros(20);
const GATHER_MAX: Duration = Duration::from_micros(350);
/// After a batch of more appends than this, an append does not commit in its caller's thread.
const IN_PLACE_AFTER_APPENDS: usize = 2;
/// Of the committer's thread, where the system allows it (`CAP_SYS_NICE`, or a limit on niceness).
const NICENESS: i32 = -10;
/// Appends taken from the queue at once.
const BATCH_APPENDS_MAX: usize = 4096;
/// A batch is written when it has this size, though more may wait.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// One append in the queue.
pub(crate) struct Request {
    pub append: Append,
    pub appender: Appender,
    /// Its share of the queue's memory.
    pub permit: OwnedSemaphorePermit,
}

/// Whether the next segment was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Not,
    Early,
    Hurry,
}

/// What moves forward with every frame, and back when a batch fails.
#[derive(Debug, Clone, Copy)]
struct Counted {
    next_seq: u64,
    last_ts_micros: i64,
    totals: SegmentEnd,
}

/// The committer's state.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    ahead: Arc<Ahead>,
    durability: Durability,
    clock: RecordClock,
    now_micros: i64,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    /// End of what is written; the batch starts here.
    end: Position,
    zeroed_to: u64,
    asked: Asked,
    counted: Counted,
    /// As it was at the start of the batch.
    before: Counted,
    batch: Batch,
    cached: Cached,
    /// Who waits for the batch, and what they will be told.
    waiting: Vec<(Appender, Committed)>,
    leaves: u64,
    leaf: Vec<u8>,
    /// The segment is closed by this frame, and the next is not begun.
    closed: Option<(u64, u32)>,
    prepared: Option<Prepared>,
    /// Appends in the last batch that the thread took from the queue.
    last_batch: usize,
}

/// Stops the journal when the committer panics, so that nobody takes silence for health.
struct PanicGuard<'a>(&'a Shared);

// === impl Committer ===

impl Committer {
    pub fn new(
        shared: Arc<Shared>,
        ahead: Arc<Ahead>,
        tail: Tail,
        durability: Durability,
        clock: RecordClock,
    ) -> Result<Self, Error> {
        let path = segment_path(&shared.dir, tail.end);
        let batch =
            Batch::at(&*tail.file, tail.end.offset).map_err(|e| Error::io("read", &path, e))?;
        let counted = Counted {
            next_seq: tail.next_seq,
            last_ts_micros: tail.last_ts_micros,
            totals: tail.totals,
        };
        Ok(Self {
            path,
            shared,
            ahead,
            durability,
            clock,
            now_micros: 0,
            file: tail.file,
            end: tail.end,
            zeroed_to: tail.zeroed_to,
            asked: Asked::Not,
            counted,
            before: counted,
            batch,
            cached: Cached::default(),
            waiting: Vec::new(),
            leaves: 0,
            leaf: Vec::new(),
            closed: tail.closed,
            prepared: None,
            last_batch: 0,
        })
    }

    /// The thread's life: until the journal is closed and the queue is empty.
    pub fn run(
        committer: &Mutex<Self>,
        shared: &Shared,
        mut queue: mpsc::Receiver<Request>,
    ) -> Result<(), Error> {
        let _guard = PanicGuard(shared);
        take_precedence();
        let mut taken = Vec::new();
        let mut last = 0;
        loop {
            if last >= GATHER_FROM_APPENDS {
                // Many are at work: those that were just answered come back with their next
                // record, and one sync for all of them costs less than several for few. Nobody
                // has to wake the thread for the first of them.
                thread::sleep((GATHER_PER_APPEND * last as u32).min(GATHER_MAX));
            }
            if queue.blocking_recv_many(&mut taken, BATCH_APPENDS_MAX) == 0 {
                break;
            }
            let mut committer = lock(committer);
            // Those who came while another thread committed are in this batch, too.
            while taken.len() < BATCH_APPENDS_MAX
                && let Ok(request) = queue.try_recv()
            {
                taken.push(request);
            }
            last = taken.len();
            committer.last_batch = last;
            committer.commit_all(&mut taken);
        }
        lock(committer).finish()
    }

    /// Commits one append in the caller's thread, where nobody else is at work and nothing has
    /// to be waited for but the disk: it spares two changes of thread. Otherwise the append is
    /// given back, for the queue.
    pub fn commit_in_place(
        committer: &Mutex<Self>,
        shared: &Shared,
        request: Request,
        bytes: u64,
    ) -> Option<Request> {
        let Ok(mut committer) = committer.try_lock() else { return Some(request) };
        if !committer.is_quick(bytes) {
            return Some(request);
        }
        let _guard = PanicGuard(shared);
        committer.commit_all(&mut vec![request]);
        None
    }

    /// Whether few are at work, and an append of this size needs no new segment.
    fn is_quick(&self, bytes: u64) -> bool {
        let needed = bytes + frame_bytes(0, LEAF_BYTES_MAX) as u64 + SEGMENT_END_FRAME_BYTES;
        self.last_batch <= IN_PLACE_AFTER_APPENDS
            && self.closed.is_none()
            && self.position().offset + needed <= self.zeroed_to
    }

    fn commit_all(&mut self, requests: &mut Vec<Request>) {
        self.read_clock();
        for request in requests.drain(..) {
            self.take(request);
        }
        // Whoever waits for this batch was answered with its failure.
        let _ = self.commit(false);
    }

    /// Leaves everything durable.
    fn finish(&mut self) -> Result<(), Error> {
        self.shared.check()?;
        let poison = |e| self.shared.poison(e);
        if self.shared.watermark.end() < self.end {
            self.file.sync_data().map_err(|e| poison(Error::io("sync", &self.path, e)))?;
            self.shared.watermark.advance(self.watermark()).map_err(poison)?;
        }
        self.shared.watermark.sync().map_err(poison)
    }

    fn read_clock(&mut self) {
        let (now, jump) = self.clock.read(self.counted.next_seq);
        self.now_micros = now;
        if let Some(jump) = jump {
            note_clock_jump(&self.shared, jump);
        }
    }

    fn take(&mut self, request: Request) {
        let Request { append, appender, permit } = request;
        match self.stage(append) {
            Ok(committed) => self.waiting.push((appender, committed)),
            Err(error) => {
                self.count_refused(&error, 1);
                appender.tell(Err(error));
            }
        }
        drop(permit);
        if self.batch.len() >= BATCH_BYTES_MAX {
            let _ = self.commit(false);
        }
    }

    fn count_refused(&self, error: &Error, appends: u64) {
        if matches!(error, Error::DiskFull) {
            self.shared.counters.disk_full.fetch_add(appends, Ordering::Relaxed);
        }
    }

    /// Puts an append's frames into the batch.
    fn stage(&mut self, mut append: Append) -> Result<Committed, Error> {
        self.shared.check()?;
        let seq = self.counted.next_seq;
        let ts_micros = self.now_micros.max(self.counted.last_ts_micros + 1);
        let has_leaf = append.leaf.is_some();
        self.leaf.clear();
        if let Some(source) = &mut append.leaf {
            let (epoch, leaf) = (u64::from(self.end.epoch), &mut self.leaf);
            // Nothing is staged yet, so whatever goes wrong in there concerns this append only.
            catch_unwind(AssertUnwindSafe(|| source.finish(epoch, seq, ts_micros, leaf)))
                .map_err(|_| Error::Invalid { what: "its leaf source panicked" })?;
            check_size(self.leaf.len() as u64, LEAF_BYTES_MAX as u64)?;
        }
        let frames: usize =
            append.frames.iter().map(|f| frame_bytes(f.keys.len(), f.payload.len())).sum();
        let leaf = if has_leaf { frame_bytes(0, self.leaf.len()) } else { 0 };
        let bytes = (frames + leaf) as u64;
        check_size(bytes, APPEND_BYTES_MAX)?;
        self.make_room(bytes)?;

        let start = self.position();
        for frame in &append.frames {
            self.encode(frame.kind, 0, &frame.keys, &frame.payload);
        }
        let at = self.position();
        if has_leaf {
            let leaf = std::mem::take(&mut self.leaf);
            self.encode(FrameKind::Leaf, ts_micros, &[], &leaf);
            self.leaf = leaf;
            self.counted.next_seq += 1;
            self.counted.last_ts_micros = ts_micros;
            self.counted.totals.leaves += 1;
            self.leaves += 1;
        }
        let end = self.position();
        self.counted.totals.next_first_seq = self.counted.next_seq;
        self.counted.totals.bytes = end.offset - SEGMENT_HEADER_BYTES;
        Ok(Committed { seq, ts_micros, start, leaf: at, end })
    }

    /// Where the next frame of the batch goes.
    fn position(&self) -> Position {
        self.end.at(self.end.offset + self.batch.len() as u64)
    }

    fn encode(&mut self, kind: FrameKind, ts_micros: i64, keys: &[u8], payload: &[u8]) -> u32 {
        let mut flags = match self.durability {
            Durability::Disk => FLAG_SYNCED,
            Durability::Process => 0,
        };
        // With `Durability::Process` a batch often starts before the one before it is durable;
        // then its first frame proves nothing.
        if self.batch.is_empty() && self.shared.watermark.end() >= self.end {
            flags |= FLAG_FIRST_OF_BATCH;
        }
        if kind != FrameKind::SegmentEnd {
            self.counted.totals.frames += 1;
        }
        let fields = FrameFields { kind, flags, seq: self.counted.next_seq, ts_micros };
        let at = self.position();
        encode_frame(self.batch.frames(), at, fields, keys, payload)
    }

    fn watermark(&self) -> Watermark {
        Watermark { end: self.end, next_seq: self.counted.next_seq }
    }

    /// Writes the batch and answers everyone in it. `sync`: whatever the durability.
    fn commit(&mut self, sync: bool) -> Result<(), Error> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let sync = sync || self.durability == Durability::Disk;
        let from = self.end.offset;
        let result = self.write_batch(sync);
        if let Err(error) = &result {
            self.counted = self.before;
            self.count_refused(error, self.waiting.len() as u64);
            for (appender, _) in self.waiting.drain(..) {
                appender.tell(Err(error.clone()));
            }
            self.batch.undo();
        } else {
            self.acknowledge(sync);
            self.batch.follow(self.end.offset);
            self.cached.wrote(&self.file, from, self.end.offset);
        }
        self.before = self.counted;
        self.leaves = 0;
        result
    }

    fn write_batch(&mut self, sync: bool) -> Result<(), Error> {
        self.shared.check()?;
        let from = self.end.offset;
        let to = from + self.batch.len() as u64;
        if let Err(e) = self.batch.write(&*self.file, from, self.zeroed_to) {
            let error = Error::io("write", &self.path, e);
            // Only a file system that writes elsewhere (copy on write) is full here. Nothing
            // of the batch may stay, or a later start would take it for acknowledged.
            let undone = error.is_temporary() && write_zeros(&*self.file, from, to).1.is_ok();
            return Err(if undone { error } else { self.shared.poison(error) });
        }
        if sync {
            let started = Instant::now();
            self.file
                .sync_data()
                .map_err(|e| self.shared.poison(Error::io("sync", &self.path, e)))?;
            self.shared.counters.sync_micros.add_micros(started.elapsed());
        }
        self.end.offset = to;
        if sync {
            self.shared.watermark.advance(self.watermark()).map_err(|e| self.shared.poison(e))?;
        }
        if self.durability == Durability::Process {
            self.ahead.note_unsynced((!sync).then(|| self.watermark()));
        }
        Ok(())
    }

    fn acknowledge(&mut self, sync: bool) {
        let counters = &self.shared.counters;
        let appends = self.waiting.len() as u64;
        counters.commits.fetch_add(1, Ordering::Relaxed);
        counters.appends.fetch_add(appends, Ordering::Relaxed);
        counters.leaves.fetch_add(self.leaves, Ordering::Relaxed);
        counters.bytes.fetch_add(self.batch.len() as u64, Ordering::Relaxed);
        counters.batch_appends.add(appends);
        // Before the answers: who has one also sees the progress.
        self.shared.progress.send_modify(|progress| {
            progress.end = self.end;
            progress.next_seq = self.counted.next_seq;
            progress.last_ts_micros = self.counted.last_ts_micros;
            if sync {
                progress.durable = self.end;
            }
        });
        self.shared.telling.tell(&mut self.waiting);
    }
}

// === impl PanicGuard ===

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.poison(Error::Poisoned);
        }
    }
}

// === functions ===

/// Counts a clock jump and tells who watches the progress.
pub(crate) fn note_clock_jump(shared: &Shared, jump: ClockJump) {
    shared.counters.clock_jumps.fetch_add(1, Ordering::Relaxed);
    *lock(&shared.last_clock_jump) = Some(jump);
    shared.progress.send_modify(|progress: &mut Progress| progress.clock_jumps += 1);
}

/// Lets the calling thread go before others: all calls wait for the committer, and it seldom needs
/// a processor for longer than a write.
fn take_precedence() {
    let thread = rustix::thread::gettid();
    // Where it is refused, it is as quick as the others let it be.
    let _refused = rustix::process::setpriority_process(Some(thread), NICENESS);
}
