//! The reviews as callers see them.

use super::hooks::{self, Hook};
use super::model::{
    Fingerprint, NewReview, NewVote, Review, ReviewFilter, ReviewPage, ReviewState,
};
use super::refused::VerdictError;
use super::{decide, rows};
use crate::{Error, Result, store};
use event::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of what is held, or of a stored answer, at most: a body of 32 MiB with its head, sealed.
pub const HELD_BYTES_MAX: usize = 33 * 1024 * 1024;
/// Bytes of what is about persons at most.
pub const ABOUT_BYTES_MAX: usize = 512 * 1024;
/// Bytes of a rationale at most.
pub const RATIONALE_BYTES_MAX: usize = 4 * 1024;
/// Reviews on a page at most.
pub const PAGE_REVIEWS_MAX: usize = 500;
/// Reviews that are looked at in one go.
const SWEEP_REVIEWS_MAX: usize = 100;
/// How long a review that has ended is listed; what it held goes long before.
const LISTED_AFTER_END: Duration = Duration::from_hours(30 * 24);

/// Calls that wait for a person, in `control.db`. Shared between threads; all calls but
/// [`is_live`](Self::is_live), [`claim`](Self::claim) and [`changed`](Self::changed) read or write
/// the file and belong on blocking threads.
pub struct Reviews {
    connection: Mutex<Connection>,
    live: Live,
    changed: watch::Sender<u64>,
    hooks: AtomicBool,
}

/// What equal requests can find, in memory.
#[derive(Default)]
struct Live {
    count: AtomicUsize,
    fingerprints: RwLock<HashSet<Fingerprint>>,
    claims: Arc<Claims>,
}

#[derive(Default)]
struct Claims(Mutex<HashSet<Fingerprint>>);

/// The right to open a review of this fingerprint; ends when dropped.
pub struct Claim {
    claims: Arc<Claims>,
    fingerprint: Fingerprint,
    changed: watch::Sender<u64>,
}

// === impl Claim ===

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.fingerprint);
        // Whoever waits for the claim looks again.
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashSet<Fingerprint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Live ===

impl Live {
    fn replace(&self, fingerprints: Vec<Fingerprint>) {
        let mut set = self.fingerprints.write().unwrap_or_else(PoisonError::into_inner);
        *set = fingerprints.into_iter().collect();
        self.count.store(set.len(), Ordering::Release);
    }

    fn insert(&self, fingerprint: Fingerprint) {
        let mut set = self.fingerprints.write().unwrap_or_else(PoisonError::into_inner);
        set.insert(fingerprint);
        self.count.store(set.len(), Ordering::Release);
    }

    fn contains(&self, fingerprint: &Fingerprint) -> bool {
        let set = self.fingerprints.read().unwrap_or_else(PoisonError::into_inner);
        set.contains(fingerprint)
    }
}

// === impl Reviews ===

impl Reviews {
    /// Opens the reviews in `control.db`, which is made where there is none.
    ///
    /// # Errors
    /// [`Error::NewerFormat`], or what the file system says.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = store::open(path)?;
        let live = Live::default();
        live.replace(rows::fingerprints(&connection)?);
        Ok(Self {
            connection: Mutex::new(connection),
            live,
            changed: watch::Sender::new(0),
            hooks: AtomicBool::new(false),
        })
    }

    /// From now on creations and decisions are put into the outbox ([`hooks`](Self::hooks)).
    pub fn keep_hooks(&self) {
        self.hooks.store(true, Ordering::Release);
    }

    /// Ticks at every change. Look again then; changes by other processes do not tick.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    // --- for the gateway ---

    /// Whether there is any review that a request could join. One load from memory: where it says
    /// no, no fingerprint need be computed.
    pub fn any_live(&self) -> bool {
        self.live.count.load(Ordering::Acquire) > 0
    }

    /// Whether a request of this fingerprint has a review to join. From memory.
    pub fn is_live(&self, fingerprint: &Fingerprint) -> bool {
        self.any_live() && self.live.contains(fingerprint)
    }

    /// The right to open a review of this fingerprint: take it before the call is recorded as
    /// held, and drop it after [`insert`](Self::insert). None where another request has it: wait
    /// for [`changed`](Self::changed) and look again.
    pub fn claim(&self, fingerprint: &Fingerprint) -> Option<Claim> {
        if !self.live.claims.lock().insert(*fingerprint) {
            return None;
        }
        Some(Claim {
            claims: self.live.claims.clone(),
            fingerprint: *fingerprint,
            changed: self.changed.clone(),
        })
    }

    /// Stores a call that is held and recorded as held.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is too large, [`Error::Exists`] where an equal request is held
    /// already, or where the store fails.
    pub fn insert(&self, new: &NewReview) -> Result<Review> {
        check_size("what is held", "at most 33 MiB", new.held.len(), HELD_BYTES_MAX)?;
        check_size("what is about persons", "at most 512 KiB", new.about.len(), ABOUT_BYTES_MAX)?;
        let created = self.change(|connection| {
            if let Some(other) = rows::findable(connection, &new.fingerprint)? {
                return Err(Error::Exists { what: "review", id: other.id });
            }
            rows::insert(connection, new)?;
            let review = rows::one(connection, &new.id)?;
            self.put_hook(connection, &review)?;
            Ok(review)
        })?;
        self.live.insert(new.fingerprint);
        self.tick();
        Ok(created)
    }

    /// The review that a request of this fingerprint joins, whatever its state.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn find(&self, fingerprint: &Fingerprint) -> Result<Option<Review>> {
        if !self.is_live(fingerprint) {
            return Ok(None);
        }
        rows::findable(&self.lock(), fingerprint)
    }

    /// Takes an approved review whose approval is recorded: exactly one caller gets it, the others
    /// none. The provider may then be called, once.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn pick_up(&self, id: &str) -> Result<Option<Review>> {
        self.changing(|connection| decide::pick_up(connection, id))
    }

    /// Stores the answer (sealed) of a review that was picked up, once its end is recorded. False
    /// where it was not running.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the answer is too large, or where the store fails.
    pub fn finish(&self, id: &str, answer: &[u8], next_record: u32) -> Result<bool> {
        check_size("the answer", "at most 33 MiB", answer.len(), HELD_BYTES_MAX)?;
        let now = Timestamp::now();
        self.changing(|connection| decide::finish(connection, id, answer, next_record, now))
    }

    /// Ends a review in this state as failed; equal requests are new ones from here on. False
    /// where it was in another state.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn fail(&self, id: &str, from: ReviewState) -> Result<bool> {
        self.ending(|connection| decide::fail(connection, id, from, Timestamp::now()))
    }

    /// The caller of a rejected or expired review was told; equal requests are new ones from here
    /// on. False where there was nothing to tell.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn told(&self, id: &str) -> Result<bool> {
        self.ending(|connection| decide::told(connection, id))
    }

    // --- for reviewers ---

    /// One review.
    ///
    /// # Errors
    /// [`Error::NotFound`], or where the store fails.
    pub fn get(&self, id: &str) -> Result<Review> {
        rows::one(&self.lock(), id)
    }

    /// A page of reviews, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn list(&self, filter: &ReviewFilter) -> Result<ReviewPage> {
        let limit = filter.limit.clamp(1, PAGE_REVIEWS_MAX);
        rows::list(&self.lock(), &ReviewFilter { limit, ..filter.clone() })
    }

    /// What is held, sealed; none where it is gone.
    ///
    /// # Errors
    /// [`Error::NotFound`], or where the store fails.
    pub fn held(&self, id: &str) -> Result<Option<Vec<u8>>> {
        rows::blob(&self.lock(), id, "held")
    }

    /// The stored answer, sealed; none where there is none (any more).
    ///
    /// # Errors
    /// [`Error::NotFound`], or where the store fails.
    pub fn answer(&self, id: &str) -> Result<Option<Vec<u8>>> {
        rows::blob(&self.lock(), id, "answer")
    }

    /// Counts a vote. One rejection rejects; as many approvals as the review needs approve. The
    /// review that comes back is decided, or pending where approvals are missing. A decided one is
    /// to be recorded, and then marked ([`mark_recorded`](Self::mark_recorded)). That nobody
    /// decides about themselves is the caller's to see to: who the call is about is sealed.
    ///
    /// # Errors
    /// [`VerdictError`].
    pub fn vote(
        &self,
        id: &str,
        vote: &NewVote,
        now: Timestamp,
    ) -> std::result::Result<Review, VerdictError> {
        let length = vote.rationale.len();
        if vote.rationale.trim().is_empty() || length > RATIONALE_BYTES_MAX {
            let allowed = "say in 1 to 4096 bytes why";
            return Err(Error::Invalid { what: "the rationale", allowed }.into());
        }
        self.changing(|connection| {
            let review = decide::vote(connection, id, vote, now)?;
            if review.outcome.is_some() {
                self.put_hook(connection, &review)?;
            }
            Ok(review)
        })
    }

    // --- for workers ---

    /// Expires pending reviews whose time is over, some at a time; those that come back are to be
    /// recorded and marked. With `approves` they are let through.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn expire_due(&self, now: Timestamp, approves: bool) -> Result<Vec<Review>> {
        let due = decide::due(&self.lock(), now, SWEEP_REVIEWS_MAX)?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        self.changing(|connection| {
            let mut expired = Vec::with_capacity(due.len());
            for id in &due {
                if let Some(review) = decide::expire(connection, id, approves, now)? {
                    self.put_hook(connection, &review)?;
                    expired.push(review);
                }
            }
            Ok(expired)
        })
    }

    /// Marks that the decision's records say what the review's state says.
    ///
    /// # Errors
    /// [`Error::NotFound`], or where the store fails.
    pub fn mark_recorded(&self, id: &str, next_record: u32) -> Result<()> {
        self.changing(|connection| decide::recorded(connection, id, next_record))
    }

    /// Decided reviews whose decision is not recorded yet.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn unrecorded(&self) -> Result<Vec<Review>> {
        rows::select(&self.lock(), "recorded = 0 ORDER BY id", &[])
    }

    /// Every review whose decision has no end yet, as far as this store knows: what is held must
    /// not be taken for what a crash cut off.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn unsettled(&self) -> Result<Vec<Review>> {
        let condition = "state IN ('pending', 'approved', 'running') OR recorded = 0 ORDER BY id";
        rows::select(&self.lock(), condition, &[])
    }

    /// Approved reviews that nobody picked up since `before`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn abandoned(&self, before: Timestamp) -> Result<Vec<Review>> {
        let condition =
            "state = 'approved' AND recorded = 1 AND decided_us < ?1 ORDER BY id LIMIT ?2";
        let values: (i64, i64) = (before.as_micros(), SWEEP_REVIEWS_MAX as i64);
        rows::select(&self.lock(), condition, &[&values.0, &values.1])
    }

    /// Ends an approved review that nobody will pick up as failed, to be recorded and marked. False
    /// where it was not approved.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn abandon(&self, id: &str) -> Result<bool> {
        self.ending(|connection| decide::abandon(connection, id, Timestamp::now()))
    }

    /// Drops what is held of reviews that ended longer than `keep` ago.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn purge(&self, now: Timestamp, keep: Duration) -> Result<usize> {
        let before = |time: Duration| {
            let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
            Timestamp::from_micros(now.as_micros().saturating_sub(micros))
        };
        let (keep_from, rows_from) = (before(keep), before(keep.max(LISTED_AFTER_END)));
        let dropped = self.change(|connection| rows::purge(connection, keep_from, rows_from))?;
        if dropped > 0 {
            self.reload()?;
        }
        Ok(dropped)
    }

    /// What is to be told elsewhere now.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn hooks(&self, now: Timestamp) -> Result<Vec<Hook>> {
        hooks::due(&self.lock(), now, SWEEP_REVIEWS_MAX)
    }

    /// It was told, or is given up.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn hook_done(&self, hook: &Hook) -> Result<()> {
        hooks::done(&self.lock(), hook)
    }

    /// It is to be tried again at `next`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn hook_again(&self, hook: &Hook, next: Timestamp) -> Result<()> {
        hooks::again(&self.lock(), hook, next)
    }

    // --- inside ---

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Every change is a transaction, so a panic elsewhere left nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T, E: From<rusqlite::Error>>(
        &self,
        change: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut connection = self.lock();
        // Another process cannot change anything between what is read and what is set.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// A change that waiters want to know of.
    fn changing<T, E: From<rusqlite::Error>>(
        &self,
        change: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let done = self.change(change)?;
        self.tick();
        Ok(done)
    }

    /// A change that can let a fingerprint go.
    fn ending(&self, change: impl FnOnce(&Connection) -> Result<bool>) -> Result<bool> {
        let done = self.change(change)?;
        if done {
            self.reload()?;
            self.tick();
        }
        Ok(done)
    }

    fn reload(&self) -> Result<()> {
        let connection = self.lock();
        self.live.replace(rows::fingerprints(&connection)?);
        Ok(())
    }

    fn tick(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn put_hook(&self, connection: &Connection, review: &Review) -> Result<()> {
        if self.hooks.load(Ordering::Acquire) {
            hooks::put(connection, review, Timestamp::now())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reviews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reviews").finish_non_exhaustive()
    }
}

fn check_size(what: &'static str, allowed: &'static str, bytes: usize, max: usize) -> Result<()> {
    if bytes > max {
        return Err(Error::Invalid { what, allowed });
    }
    Ok(())
}
