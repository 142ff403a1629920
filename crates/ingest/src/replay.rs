//! Keeping the memory: what it lacks is read from the journal, and what is recorded is moved
//! into its file.

use crate::error::DeliveryError;
use crate::memory::Memory;
use crate::store::{Id, Known, Store};
use event::{EventData, Origin, ReportReceived};
use journal::Position;
use recorder::{ReadError, RecordReader, Recorder, StoredRecord};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

/// How often what is recorded is moved into the file.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);
/// Items that are stored together while the journal is read.
const TOGETHER_MAX: usize = 8_192;

/// Opens the memory, and begins to bring it up to date.
pub(crate) fn start(
    path: &Path,
    recorder: &Recorder,
) -> Result<(Arc<Memory>, watch::Receiver<bool>), DeliveryError> {
    let meta = recorder.journal().meta();
    let journal = format!("{}/{}", meta.writer, meta.epoch);
    let progress = recorder.journal().committed();
    let end = progress.borrow().end;
    let (mut file, mut position) = Store::open(path, &journal)?;
    let ahead = |text: &String| text.parse::<Position>().is_ok_and(|at| at > end);
    if position.as_ref().is_some_and(ahead) {
        // The journal was put back to an older copy: what it lost was never delivered.
        drop(file);
        (file, position) = (Store::anew(path, &journal)?, None);
    }
    let memory = Arc::new(Memory::new(path, progress)?);
    let (ready, is_ready) = watch::channel(false);
    let reader = Replay {
        journal: recorder.journal_dir().to_owned(),
        from: position.and_then(|text| text.parse().ok()),
        end,
        recorder: recorder.clone(),
    };
    let kept = Arc::downgrade(&memory);
    let work = move || {
        let read = reader.read(&mut file);
        drop(reader);
        match read {
            Ok(()) => {
                ready.send_replace(true);
                keep(&kept, &mut file);
            }
            Err(error) => {
                tracing::error!(%error, "no deliveries are taken: restart, or run `audit-layer verify`");
            }
        }
    };
    thread::Builder::new()
        .name("ingest".to_owned())
        .spawn(work)
        .map_err(|error| DeliveryError::Memory(error.to_string()))?;
    Ok((memory, is_ready))
}

/// Fills the file until nobody uses the memory any more.
fn keep(memory: &Weak<Memory>, file: &mut Store) {
    while let Some(memory) = memory.upgrade() {
        if let Err(error) = memory.flush(file) {
            tracing::warn!(%error, "deliveries are kept in memory");
        }
        drop(memory);
        thread::park_timeout(FLUSH_INTERVAL);
    }
}

struct Replay {
    journal: PathBuf,
    from: Option<Position>,
    end: Position,
    recorder: Recorder,
}

/// Why the journal could not be read.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] DeliveryError),
}

impl Replay {
    fn read(&self, file: &mut Store) -> Result<(), ReplayError> {
        let mut records = RecordReader::open(&self.journal, self.from, false)?;
        let mut found: HashMap<Id, Known> = HashMap::new();
        let mut last = self.from;
        while let Some(record) = records.next(Some(self.end))? {
            if record.leaf.origin == Origin::Reported {
                self.note(&record, file, &mut found)?;
            }
            last = Some(record.next);
            if found.len() >= TOGETHER_MAX {
                save(file, &mut found, record.next)?;
            }
        }
        match last {
            Some(position) if Some(position) != self.from => Ok(save(file, &mut found, position)?),
            _ => Ok(()),
        }
    }

    fn note(
        &self,
        record: &StoredRecord,
        file: &Store,
        found: &mut HashMap<Id, Known>,
    ) -> Result<(), ReplayError> {
        let opened = record.opened(&record.leaf.tenant, self.recorder.keys())?;
        let decision = record.leaf.decision_id;
        for event in opened.events {
            let EventData::ReportReceived(receipt) = event.data else { continue };
            let ReportReceived {
                sender: Some(sender), item_id, decision_ref, content_sha256, ..
            } = *receipt
            else {
                continue;
            };
            let reference = decision_ref.map(|name| Id::of_decision(&sender, &name));
            let item = item_id.map(|name| Id::of_item(&sender, &name));
            let before = match reference.and_then(|id| found.get(&id)) {
                Some(known) => Some(*known),
                None => reference.map(|id| file.find(id)).transpose()?.flatten(),
            };
            let records = records_with(record, before.filter(|known| known.decision == decision));
            let digest = content_sha256.and_then(|text| digest_of(&text));
            if let Some(id) = item {
                found.insert(id, Known { digest, decision, records });
            }
            if let Some(id) = reference {
                found.insert(id, Known { digest: None, decision, records });
            }
        }
        Ok(())
    }
}

/// How many records the decision has with this one.
fn records_with(record: &StoredRecord, before: Option<Known>) -> u32 {
    let (id, decision) = (record.leaf.record_id, record.leaf.decision_id);
    let before = before.map_or(0, |known| known.records);
    // It may be one of those that are counted already, and the first that events name can follow
    // the decision itself.
    let number = (0..=before.saturating_add(1)).find(|n| recorder::record_id(decision, *n) == id);
    number.map_or(before, |number| before.max(number + 1))
}

fn digest_of(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok().map(|()| digest)
}

fn save(
    file: &mut Store,
    found: &mut HashMap<Id, Known>,
    position: Position,
) -> Result<(), DeliveryError> {
    let all: Vec<(Id, Known)> = found.drain().collect();
    file.save(&all, &position.to_string())
}
