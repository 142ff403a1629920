//! Which reports were delivered before: those just recorded in memory, the others in a file.

use crate::error::DeliveryError;
use crate::store::{Id, Known, Store};
use aws_lc_rs::digest::{Context, SHA256};
use journal::{Position, Progress};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Recorded items that the file does not have yet, at most; beyond, deliveries have to wait.
const RECENT_MAX: usize = 65_536;

/// Shared by deliveries and by the thread that fills the file.
#[derive(Debug)]
pub(crate) struct Memory {
    state: Mutex<State>,
    lookups: Mutex<Store>,
    progress: watch::Receiver<Progress>,
}

#[derive(Debug, Default)]
struct State {
    /// Recorded, and not in the file yet.
    recent: HashMap<Id, Known>,
    /// Being recorded by one delivery each; others wait for it.
    claims: HashMap<Id, watch::Receiver<()>>,
    /// For each delivery under way a place before which its records do not stand.
    under_way: BTreeSet<(Position, u64)>,
    deliveries: u64,
}

/// What a delivery found out about one of its ids.
pub(crate) enum Found {
    /// It is recorded.
    Known(Known),
    /// It is new, and this delivery's.
    Claimed,
    /// Another delivery is at it: look again once that has ended.
    Elsewhere(watch::Receiver<()>),
}

/// The ids that one delivery is at. Given back when dropped.
pub(crate) struct Claims {
    memory: Arc<Memory>,
    ids: Vec<Id>,
    ticket: (Position, u64),
    /// What is recorded so far.
    done: Vec<(Id, Known)>,
    /// Whether it is known of every id what became of it.
    settled: bool,
    /// Closed when this is dropped.
    _sign: watch::Sender<()>,
    shown: watch::Receiver<()>,
}

// === impl Id ===

impl Id {
    /// Of an item of a sender.
    pub(crate) fn of_item(sender: &str, item_id: &str) -> Self {
        Self::of(b'i', sender, item_id)
    }

    /// Of a decision as a sender's events name it.
    pub(crate) fn of_decision(sender: &str, reference: &str) -> Self {
        Self::of(b'd', sender, reference)
    }

    fn of(kind: u8, sender: &str, name: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[kind]);
        context.update(sender.as_bytes());
        context.update(&[0]);
        context.update(name.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&context.finish().as_ref()[..16]);
        Self(id)
    }
}

// === impl Memory ===

impl Memory {
    pub(crate) fn new(
        path: &Path,
        progress: watch::Receiver<Progress>,
    ) -> Result<Self, DeliveryError> {
        let lookups = Mutex::new(Store::again(path)?);
        Ok(Self { state: Mutex::default(), lookups, progress })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one insertion or removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a delivery.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Claims, DeliveryError> {
        let (sign, shown) = watch::channel(());
        let mut state = self.lock();
        if state.recent.len() > RECENT_MAX {
            return Err(DeliveryError::Busy);
        }
        state.deliveries += 1;
        // Read under the lock: `flush` must never pass a record that is about to be written.
        let ticket = (self.progress.borrow().end, state.deliveries);
        state.under_way.insert(ticket);
        Ok(Claims {
            memory: self.clone(),
            ids: Vec::new(),
            ticket,
            done: Vec::new(),
            settled: true,
            _sign: sign,
            shown,
        })
    }

    /// What is known of an id, without claiming it. Reads the file.
    pub(crate) fn look(&self, id: Id) -> Result<Option<Known>, DeliveryError> {
        if let Some(known) = self.lock().recent.get(&id) {
            return Ok(Some(*known));
        }
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner).find(id)
    }

    /// Moves what is recorded into the file.
    pub(crate) fn flush(&self, file: &mut Store) -> Result<(), DeliveryError> {
        let (recent, position) = {
            let state = self.lock();
            let end = self.progress.borrow().end;
            let lowest = state.under_way.first().map_or(end, |(position, _)| *position);
            let recent: Vec<(Id, Known)> = state.recent.iter().map(|(id, k)| (*id, *k)).collect();
            (recent, lowest)
        };
        if recent.is_empty() {
            return Ok(());
        }
        file.save(&recent, &position.to_string())?;
        let mut state = self.lock();
        for (id, saved) in recent {
            // A decision can have got more records meanwhile.
            if state.recent.get(&id) == Some(&saved) {
                state.recent.remove(&id);
            }
        }
        Ok(())
    }
}

// === impl Claims ===

impl Claims {
    /// Claims an id, unless it is known or another's. Reads the file.
    pub(crate) fn claim(&mut self, id: Id) -> Result<Found, DeliveryError> {
        {
            let mut state = self.memory.lock();
            if let Some(known) = state.recent.get(&id) {
                return Ok(Found::Known(*known));
            }
            match state.claims.get(&id) {
                Some(_) if self.ids.contains(&id) => return Ok(Found::Claimed),
                Some(other) => return Ok(Found::Elsewhere(other.clone())),
                None => {
                    state.claims.insert(id, self.shown.clone());
                }
            }
        }
        self.ids.push(id);
        // What was moved out of memory since is in the file.
        match self.memory.look(id)? {
            None => Ok(Found::Claimed),
            Some(known) => {
                self.ids.pop();
                self.memory.lock().claims.remove(&id);
                Ok(Found::Known(known))
            }
        }
    }

    /// Claims a decision for further records of it.
    pub(crate) fn claim_decision(&mut self, id: Id) -> Result<Found, DeliveryError> {
        {
            let mut state = self.memory.lock();
            match state.claims.get(&id) {
                Some(_) if self.ids.contains(&id) => {}
                Some(other) => return Ok(Found::Elsewhere(other.clone())),
                None => {
                    state.claims.insert(id, self.shown.clone());
                    self.ids.push(id);
                }
            }
        }
        Ok(self.memory.look(id)?.map_or(Found::Claimed, Found::Known))
    }

    /// What is known of an id, without claiming it. Reads the file.
    pub(crate) fn look(&self, id: Id) -> Result<Option<Known>, DeliveryError> {
        self.memory.look(id)
    }

    /// Records are about to be written: until `settle`, nobody knows what becomes of them.
    pub(crate) const fn writing(&mut self) {
        self.settled = false;
    }

    /// An item is recorded, durably.
    pub(crate) fn recorded(&mut self, id: Id, known: Known) {
        self.done.push((id, known));
    }

    /// It is known of every record what became of it.
    pub(crate) const fn settle(&mut self) {
        self.settled = true;
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        for (id, known) in self.done.drain(..) {
            state.recent.insert(id, known);
        }
        for id in &self.ids {
            state.claims.remove(id);
        }
        if self.settled {
            state.under_way.remove(&self.ticket);
        }
        // Else the place stays: the next start reads the journal from there.
    }
}
