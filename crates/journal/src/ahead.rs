//! The helper thread. It writes zeros ahead of the committer, prepares the next segment, and
//! does once a second what need not be done with every batch. A full disk is met here, where
//! nothing is half written.

use crate::SEGMENT_BYTES_MIN;
use crate::disk::{DiskFile, OpenMode, write_zeros};
use crate::format::Watermark;
use crate::layout::segment_path;
use crate::mutex::lock;
use crate::shared::Shared;
use crate::{Error, Position};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often watermark and, with `Durability::Process`, the segment are synced.
const SYNC_EVERY_MS: u64 = 1000;
/// A segment is begun with no less than this.
const PREPARED_BYTES_MIN: u64 = SEGMENT_BYTES_MIN / 2;
/// The first segment, which is made while the caller waits. Each later one is up to four times
/// as large as the one before, so that it is ready before that one is full.
pub(crate) const FIRST_SEGMENT_BYTES: u64 = 4 << 20;
/// Steps taken at once where an append waits for them.
const AWAITED_STEPS: u64 = 16;
/// Pause after a step of preparing, in multiples of the time that it took: syncs of records find
/// the disk free in between.
const PREPARE_PAUSE_FACTOR: u32 = 3;

/// A segment file that holds only zeros and is durable.
pub(crate) struct Prepared {
    pub file: Arc<dyn DiskFile>,
    pub path: PathBuf,
    pub zeroed_to: u64,
}

/// Where the committer and the helper meet.
pub(crate) struct Ahead {
    shared: Arc<Shared>,
    segment_bytes: u64,
    step_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
}

/// The segment that is being written, as the helper sees it.
pub(crate) struct Active {
    pub file: Arc<dyn DiskFile>,
    pub path: PathBuf,
    pub zeroed_to: u64,
    /// The segment after it, and how much of its file is zeros already.
    pub next: Position,
    pub next_from: u64,
}

struct State {
    active: Active,
    want_to: u64,
    want_next: bool,
    /// The next segment will be needed soon: no pauses.
    hurry: bool,
    prepared: Option<Prepared>,
    /// Why the last wish for zeros could not be met.
    zero_failure: Option<Error>,
    /// Why the last wish for a segment could not be met.
    next_failure: Option<Error>,
    /// Written, but not synced.
    unsynced: Option<Watermark>,
    stopping: bool,
    helper_gone: bool,
}

/// What the helper does next.
enum Job {
    Zero { file: Arc<dyn DiskFile>, path: PathBuf, from: u64, to: u64 },
    Prepare { place: Position, from: u64 },
    Tick,
    Stop,
}

/// Tells the committer when the helper ends for whatever reason.
struct Farewell<'a>(&'a Ahead);

// === impl Ahead ===

impl Ahead {
    pub fn new(shared: Arc<Shared>, segment_bytes: u64, step_bytes: u64, active: Active) -> Self {
        let state = State {
            want_to: active.zeroed_to,
            active,
            want_next: false,
            hurry: false,
            prepared: None,
            zero_failure: None,
            next_failure: None,
            unsynced: None,
            stopping: false,
            helper_gone: false,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { shared, segment_bytes, step_bytes, state, changed }
    }

    /// Waits until there are zeros up to `to`; returns how far there are.
    pub fn wait_zeros(&self, to: u64) -> Result<u64, Error> {
        self.wait(
            |state| &mut state.zero_failure,
            |state| {
                let ahead = to.saturating_add(self.step_bytes).min(self.segment_bytes);
                state.want_to = state.want_to.max(to).max(ahead);
            },
            |state| (state.active.zeroed_to >= to).then_some(state.active.zeroed_to),
        )
    }

    /// Asks for the next segment, without waiting. `hurry`: it will be needed soon.
    pub fn want_next(&self, hurry: bool) {
        let mut state = lock(&self.state);
        state.want_next = state.prepared.is_none();
        state.hurry = hurry;
        self.changed.notify_all();
    }

    /// Waits for the next segment and takes it.
    pub fn take_next(&self) -> Result<Prepared, Error> {
        self.wait(
            |state| &mut state.next_failure,
            |state| {
                state.want_next = state.prepared.is_none();
                state.hurry = true;
            },
            |state| state.prepared.take(),
        )
    }

    /// The committer writes to another segment from now on.
    pub fn switch(&self, active: Active) {
        let mut state = lock(&self.state);
        state.want_to = active.zeroed_to;
        state.active = active;
        state.prepared = None;
        state.hurry = false;
        state.zero_failure = None;
        state.next_failure = None;
    }

    /// Remembers that bytes up to `to` wait for a sync.
    pub fn note_unsynced(&self, to: Option<Watermark>) {
        lock(&self.state).unsynced = to;
    }

    /// Ends the helper.
    pub fn stop(&self) {
        lock(&self.state).stopping = true;
        self.changed.notify_all();
    }

    /// States a wish, and waits until it is met or known to fail. An earlier failure is
    /// forgotten, so that every call tries again.
    fn wait<T>(
        &self,
        failure: impl Fn(&mut State) -> &mut Option<Error>,
        mut wish: impl FnMut(&mut State),
        mut met: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, Error> {
        let mut state = lock(&self.state);
        if let Some(value) = met(&mut state) {
            return Ok(value);
        }
        self.shared.counters.waits.fetch_add(1, Ordering::Relaxed);
        *failure(&mut state) = None;
        wish(&mut state);
        self.changed.notify_all();
        loop {
            if let Some(value) = met(&mut state) {
                return Ok(value);
            }
            self.shared.check()?;
            if let Some(failure) = failure(&mut state).take() {
                return Err(failure);
            }
            if state.helper_gone {
                return Err(Error::Closed);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The helper's life.
    pub fn run(&self) {
        let _farewell = Farewell(self);
        let mut tick_at = Instant::now() + Duration::from_millis(SYNC_EVERY_MS);
        let mut prepare_at = Instant::now();
        loop {
            match self.next_job(tick_at, prepare_at) {
                Job::Zero { file, path, from, to } => {
                    if let Err(failure) = self.zero(&*file, &path, from, to) {
                        let mut state = lock(&self.state);
                        // The wish is dropped: the committer states it again when it needs it.
                        state.want_to = state.active.zeroed_to;
                        state.zero_failure = Some(self.poison_if_final(failure));
                    }
                }
                Job::Prepare { place, from } => {
                    let began = Instant::now();
                    let done = self.prepare(place, from);
                    prepare_at = Instant::now() + began.elapsed() * PREPARE_PAUSE_FACTOR;
                    if let Err(failure) = done {
                        let mut state = lock(&self.state);
                        state.want_next = false;
                        state.next_failure = Some(self.poison_if_final(failure));
                    }
                }
                Job::Tick => {
                    tick_at = Instant::now() + Duration::from_millis(SYNC_EVERY_MS);
                    if let Err(failure) = self.tick() {
                        self.poison_if_final(failure);
                    }
                }
                Job::Stop => return,
            }
            self.changed.notify_all();
        }
    }

    /// A disk that is full may have room later; any other failure ends the journal.
    fn poison_if_final(&self, failure: Error) -> Error {
        if failure.is_temporary() { failure } else { self.shared.poison(failure) }
    }

    fn next_job(&self, tick_at: Instant, prepare_at: Instant) -> Job {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            if state.stopping {
                return Job::Stop;
            }
            if now >= tick_at {
                return Job::Tick;
            }
            let mut until = tick_at;
            if !self.shared.is_poisoned()
                && let Some(job) = state.job(self.step_bytes)
            {
                if !matches!(job, Job::Prepare { .. }) || state.hurry || now >= prepare_at {
                    return job;
                }
                until = tick_at.min(prepare_at);
            }
            let (guard, _) = self
                .changed
                .wait_timeout(state, until - now)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
        }
    }

    /// Writes zeros in the active segment, one step at most.
    fn zero(&self, file: &dyn DiskFile, path: &Path, from: u64, to: u64) -> Result<(), Error> {
        let (reached, written) = write_zeros(file, from, to);
        if reached > from {
            // No second try on this file: what it holds besides zeros was acknowledged.
            file.sync_data().map_err(|e| self.shared.poison(Error::io("sync", path, e)))?;
            let mut state = lock(&self.state);
            if state.active.path == path {
                state.active.zeroed_to = reached;
            }
        }
        written.map_err(|e| Error::io("write zeros to", path, e))
    }

    /// Writes one step of the next segment's file.
    fn prepare(&self, place: Position, from: u64) -> Result<(), Error> {
        let (disk, path) = (&*self.shared.disk, segment_path(&self.shared.dir, place));
        let failed = |e| Error::io("prepare", &path, e);
        // Through the page cache a step takes ten times the processor time.
        let file = disk.open(&path, OpenMode::CreateUncached).map_err(failed)?;
        if from == 0 {
            file.set_size(0).map_err(failed)?;
            disk.sync_dir(&self.shared.dir).map_err(failed)?;
        }
        let size = planned_bytes(place.segment, self.segment_bytes);
        let to = size.min(from + self.step_bytes);
        let (reached, written) = write_zeros(&*file, from, to);
        let synced = file.sync_data();
        let mut state = lock(&self.state);
        // After a failed sync nothing is known of the zeros: the file is made again.
        let reached = if synced.is_ok() { reached } else { 0 };
        state.active.next_from = reached;
        let failure = synced.and(written).map_err(failed).err();
        match failure {
            // Better a short segment than none.
            Some(failure) if !failure.is_temporary() || reached < PREPARED_BYTES_MIN => {
                return Err(failure);
            }
            None if reached < size => return Ok(()),
            _ => {}
        }
        state.want_next = false;
        let file = disk.open(&path, OpenMode::Write).map_err(failed)?;
        state.prepared = Some(Prepared { file, path, zeroed_to: reached });
        Ok(())
    }

    /// Once a second.
    fn tick(&self) -> Result<(), Error> {
        self.shared.check()?;
        let waiting = {
            let mut state = lock(&self.state);
            let path = state.active.path.clone();
            state.unsynced.take().map(|to| (to, Arc::clone(&state.active.file), path))
        };
        let poison = |e| self.shared.poison(e);
        if let Some((to, file, path)) = waiting {
            file.sync_data().map_err(|e| poison(Error::io("sync", &path, e)))?;
            self.shared.watermark.advance(to).map_err(poison)?;
            self.shared.progress.send_if_modified(|progress| {
                let forward = progress.durable < to.end;
                progress.durable = progress.durable.max(to.end);
                forward
            });
        }
        self.shared.watermark.sync().map_err(poison)
    }
}

/// Size of a segment.
pub(crate) fn planned_bytes(segment: u32, segment_bytes: u64) -> u64 {
    let grown = FIRST_SEGMENT_BYTES.checked_shl(segment.saturating_mul(2));
    grown.filter(|grown| *grown >= FIRST_SEGMENT_BYTES).unwrap_or(u64::MAX).min(segment_bytes)
}

// === impl State ===

impl State {
    fn job(&self, step_bytes: u64) -> Option<Job> {
        let active = &self.active;
        if self.want_to > active.zeroed_to {
            let to = self.want_to.min(active.zeroed_to + step_bytes * AWAITED_STEPS);
            let (file, path) = (Arc::clone(&active.file), active.path.clone());
            return Some(Job::Zero { file, path, from: active.zeroed_to, to });
        }
        let prepare = self.want_next && self.prepared.is_none();
        prepare.then_some(Job::Prepare { place: active.next, from: active.next_from })
    }
}

// === impl Farewell ===

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        let mut state: MutexGuard<'_, State> = lock(&self.0.state);
        state.helper_gone = true;
        self.0.changed.notify_all();
    }
}
