//! Deliveries: read, told apart from earlier ones, recorded together, answered item by item.

use crate::answer::ItemResult;
use crate::batch;
use crate::context::{Context, Reading, Sender};
use crate::error::DeliveryError;
use crate::memory::{Claims, Memory};
use crate::plan::{self, Group, Plan};
use crate::prepared::Prepared;
use crate::replay;
use event::Timestamp;
use recorder::{Drafted, RecordError, Recorder, Report};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Bytes of deliveries that are under way at most.
const UNDER_WAY_BYTES_MAX: usize = 4 * batch::DELIVERY_BYTES_MAX;
/// How long a delivery waits for room.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// Takes what other systems report. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    recorder: Recorder,
    reading: Reading,
    memory: Arc<Memory>,
    ready: watch::Receiver<bool>,
    room: Arc<Semaphore>,
}

/// Room for a delivery, until it is dropped.
#[derive(Debug)]
pub struct Room(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

// === impl Ingest ===

impl Ingest {
    /// Opens the memory of deliveries beside the journal, and a thread that keeps it; what the
    /// file lacks is read from the journal first, and deliveries are refused until then.
    ///
    /// # Errors
    /// Where the file cannot be made.
    pub fn open(data: &Path, recorder: Recorder, reading: Reading) -> Result<Self, DeliveryError> {
        let (memory, ready) = replay::start(&data.join("ingest.db"), &recorder)?;
        let room = Arc::new(Semaphore::new(UNDER_WAY_BYTES_MAX));
        Ok(Self { inner: Arc::new(Inner { recorder, reading, memory, ready, room }) })
    }

    /// Room for a delivery of at most so many bytes.
    ///
    /// # Errors
    /// [`DeliveryError::Busy`] where there is none within a second.
    pub async fn room(&self, bytes: usize) -> Result<Room, DeliveryError> {
        let bytes = u32::try_from(bytes.clamp(1, UNDER_WAY_BYTES_MAX)).unwrap_or(u32::MAX);
        let permit = self.inner.room.clone().acquire_many_owned(bytes);
        match tokio::time::timeout(ROOM_WAIT, permit).await {
            Ok(Ok(permit)) => Ok(Room(permit)),
            _ => Err(DeliveryError::Busy),
        }
    }

    /// What tokens cost.
    pub fn prices(&self) -> &wire::Prices {
        &self.inner.reading.prices
    }

    /// Waits until deliveries are taken.
    pub async fn ready(&self) {
        let mut ready = self.inner.ready.clone();
        // Closed only where the file failed; deliveries then say so.
        let _ready = ready.wait_for(|ready| *ready).await;
    }

    /// Takes a delivery (JSON, unpacked): everything in it that can be recorded is durable when
    /// this returns. Goes on where the caller goes away.
    ///
    /// # Errors
    /// Where nothing of it was taken.
    pub async fn deliver(
        &self,
        sender: Sender,
        body: Vec<u8>,
        room: Room,
    ) -> Result<Vec<ItemResult>, DeliveryError> {
        // Right after a start a short wait saves the sender a second delivery.
        if tokio::time::timeout(ROOM_WAIT, self.ready()).await.is_err()
            || !*self.inner.ready.borrow()
        {
            return Err(DeliveryError::NotReady);
        }
        let delivery = Delivery { inner: self.inner.clone(), sender, arrived: Timestamp::now() };
        let work = tokio::spawn(async move {
            let _room = room;
            delivery.run(body).await
        });
        work.await.map_err(|error| DeliveryError::Memory(error.to_string()))?
    }
}

/// One delivery under way.
#[derive(Clone)]
struct Delivery {
    inner: Arc<Inner>,
    sender: Sender,
    arrived: Timestamp,
}

impl Delivery {
    async fn run(self, body: Vec<u8>) -> Result<Vec<ItemResult>, DeliveryError> {
        let reading = self.clone();
        let (mut results, mut left) = blocking(move || reading.read(&body)).await??;
        while !left.is_empty() {
            let claims = self.inner.memory.begin()?;
            let sender = self.sender.id.clone();
            let planned = blocking(move || plan::plan(claims, left, &sender)).await??;
            let (plan, claims) = planned;
            let Plan { known, groups, again } = plan;
            results.extend(known);
            results.extend(self.record(groups, claims).await?);
            left = again.wait().await;
        }
        results.sort_by_key(|result| result.index);
        Ok(results)
    }

    /// Reads the items: those that cannot be taken, and those that may be recorded.
    fn read(&self, body: &[u8]) -> Result<(Vec<ItemResult>, Vec<Prepared>), DeliveryError> {
        let items = batch::items(body)?;
        let context =
            Context { sender: &self.sender, reading: &self.inner.reading, arrived: self.arrived };
        let (mut results, mut prepared) = (Vec::new(), Vec::with_capacity(items.len()));
        for (index, raw) in items.into_iter().enumerate() {
            match Prepared::read(&context, index, raw) {
                Ok(item) => prepared.push(item),
                Err(error) => results.push(ItemResult {
                    index,
                    id: batch::id_of(raw),
                    unknown_fields: Vec::new(),
                    recorded: Err(error),
                }),
            }
        }
        Ok((results, prepared))
    }

    /// Records these groups in the journal's order, sharing its commits.
    async fn record(
        &self,
        groups: Vec<Group>,
        mut claims: Claims,
    ) -> Result<Vec<ItemResult>, DeliveryError> {
        let recorder = &self.inner.recorder;
        let persons = groups.iter().map(|group| recorder.persons(&group.names));
        let persons = futures_util::future::join_all(persons).await;
        let drafting = recorder.clone();
        let drafted = blocking(move || {
            let pairs = groups.into_iter().zip(persons);
            pairs.map(|(group, persons)| draft(&drafting, group, persons)).collect::<Vec<_>>()
        })
        .await?;
        claims.writing();
        let mut on_their_way = Vec::with_capacity(drafted.len());
        for (group, draft) in drafted {
            let receipt = match draft {
                Ok(draft) => recorder.enqueue(draft).await,
                Err(error) => Err(error),
            };
            on_their_way.push((group, receipt));
        }
        let mut results = Vec::new();
        for (group, receipt) in on_their_way {
            let durable = match receipt {
                Ok(receipt) => receipt.durable().await.map(|_| ()),
                Err(error) => Err(error),
            };
            if durable.is_ok() {
                group.remember(&self.sender.id, &mut claims);
            }
            results.extend(group.results(durable));
        }
        // A journal that failed for good says so to every later delivery; its end is read at the
        // next start.
        if recorder.journal().poison_cause().is_none() {
            claims.settle();
        }
        Ok(results)
    }
}

fn draft(
    recorder: &Recorder,
    mut group: Group,
    persons: Result<recorder::Persons, RecordError>,
) -> (Group, Result<Drafted, RecordError>) {
    let bodies = std::mem::take(&mut group.bodies);
    let drafted = persons.and_then(|persons| {
        let bodies: Vec<_> = bodies.iter().map(|(role, bytes)| (*role, bytes.as_slice())).collect();
        recorder.draft(&Report {
            ids: &group.ids,
            number: group.number,
            persons: &persons,
            events: &group.events,
            bodies: &bodies,
        })
    });
    (group, drafted)
}

/// Runs what takes processor time on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DeliveryError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| DeliveryError::Memory(error.to_string()))
}
