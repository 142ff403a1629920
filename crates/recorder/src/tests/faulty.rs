//! What the tests inside this crate stand on: a disk with faults, and a recorder on it.

use crate::read::{RecordReader, StoredRecord};
use crate::recorder::Recorder;
use crate::{DecisionIds, DecisionWriter, PersonNames};
use event::{Component, Event, RequestCompleted, RequestReceived, Timestamp};
use journal::disk::{Disk, DiskFile, OpenMode, RealDisk};
use journal::{Journal, Position};
use seal::{KeyClass, KeyRing, LocalKeyFile};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// A file system whose syncs wait while it is held and fail once it is broken, and whose files
/// cannot grow while it is full.
#[derive(Clone, Default)]
pub struct FaultyDisk(Arc<Faults>);

#[derive(Default)]
struct Faults {
    held: Mutex<bool>,
    changed: Condvar,
    broken: AtomicBool,
    full: AtomicBool,
}

struct FaultyFile(Arc<dyn DiskFile>, Arc<Faults>);

impl FaultyDisk {
    pub fn hold(&self, held: bool) {
        *self.0.held.lock().unwrap() = held;
        self.0.changed.notify_all();
    }

    pub fn break_down(&self) {
        self.0.broken.store(true, Ordering::Release);
    }

    pub fn fill(&self, full: bool) {
        self.0.full.store(full, Ordering::Release);
    }
}

impl Faults {
    fn wait(&self) {
        let held = self.held.lock().unwrap();
        // Not for ever: a test that fails meanwhile has to end.
        let limit = Duration::from_secs(5);
        let (mut held, waited) =
            self.changed.wait_timeout_while(held, limit, |held| *held).unwrap();
        *held &= !waited.timed_out();
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(FaultyFile(RealDisk.open(path, mode)?, self.0.clone())))
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        if self.1.full.load(Ordering::Acquire) && offset + buf.len() as u64 > self.0.size()? {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write_at(buf, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.wait();
        if self.1.broken.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Other.into());
        }
        self.0.sync_data()
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.0.set_size(bytes)
    }
}

pub async fn recorder(dir: &Path, disk: &FaultyDisk, queue_records_max: usize) -> Recorder {
    let options =
        journal::Options { queue_records_max, ..journal::Options::new(dir.join("journal")) };
    let (journal, _) = Journal::open_on(Arc::new(disk.clone()), options).unwrap();
    let provider = Arc::new(LocalKeyFile::load_or_create(&dir.join("keys")).unwrap());
    let keys = KeyRing::open(&dir.join("subjects.db"), provider, seal::Options::default()).unwrap();
    let keys = Arc::new(keys);
    let staff = keys.get_or_create(KeyClass::Staff, "staff").await.unwrap();
    let (recorder, given_up) = Recorder::new(journal, dir.join("journal"), keys, staff);
    tokio::spawn(crate::late::follow(given_up, recorder.downgrade()));
    recorder
}

pub async fn call(recorder: &Recorder) -> DecisionWriter {
    let names = PersonNames { user: Some("u-42".to_owned()), subjects: Vec::new() };
    let persons = recorder.persons(&names).await.unwrap();
    let id = Uuid::now_v7();
    let ids = DecisionIds { decision_id: id, trace_id: id, request_id: id.to_string() };
    let mut writer = recorder.decision(ids, persons);
    let received = Event::new(Component::Gateway, Timestamp::now(), RequestReceived::default());
    writer.commit(&[received], Vec::new()).await.unwrap();
    writer
}

pub fn completed() -> Event {
    Event::new(Component::Gateway, Timestamp::now(), RequestCompleted::default())
}

pub fn record_at(recorder: &Recorder, at: Position) -> StoredRecord {
    RecordReader::open(recorder.journal_dir(), Some(at), true).unwrap().next(None).unwrap().unwrap()
}

pub fn body_of(recorder: &Recorder, record: &StoredRecord) -> Vec<u8> {
    let bodies =
        record.bodies(recorder.journal_dir(), &recorder.tenant(), recorder.keys()).unwrap();
    bodies.into_iter().next().unwrap().bytes.unwrap()
}

/// Bytes that do not compress.
pub fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for byte in &mut bytes {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (seed >> 56) as u8;
    }
    bytes
}
