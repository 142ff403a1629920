use crate::pace::TOGETHER_BYTES_MAX;
use crate::read::{RecordReader, StoredRecord};
use crate::recorder::Recorder;
use crate::{DecisionIds, PersonNames};
use event::{Component, Event, RequestCompleted, RequestReceived, Timestamp};
use journal::disk::{Disk, DiskFile, OpenMode, RealDisk};
use journal::{Journal, Position};
use record::{EARLY_PARTS_MAX, PIECE_BYTES_MAX, Role};
use seal::{KeyClass, KeyRing, LocalKeyFile};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A file system whose syncs wait while it is held, and fail once it is broken.
#[derive(Clone, Default)]
struct HeldDisk(Arc<(Mutex<bool>, Condvar)>, Arc<AtomicBool>);

struct HeldFile(Arc<dyn DiskFile>, HeldDisk);

impl HeldDisk {
    fn hold(&self, held: bool) {
        *self.0.0.lock().unwrap() = held;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let held = self.0.0.lock().unwrap();
        // Not for ever: a test that fails meanwhile has to end.
        let limit = Duration::from_secs(5);
        let (mut held, waited) = self.0.1.wait_timeout_while(held, limit, |held| *held).unwrap();
        *held &= !waited.timed_out();
    }
}

impl Disk for HeldDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(HeldFile(RealDisk.open(path, mode)?, self.clone())))
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

impl DiskFile for HeldFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.wait();
        if self.1.1.load(Ordering::Acquire) {
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

async fn recorder(dir: &Path, disk: &HeldDisk, queue_records_max: usize) -> Recorder {
    let options =
        journal::Options { queue_records_max, ..journal::Options::new(dir.join("journal")) };
    let (journal, _) = Journal::open_on(Arc::new(disk.clone()), options).unwrap();
    let provider = Arc::new(LocalKeyFile::load_or_create(&dir.join("keys")).unwrap());
    let keys = KeyRing::open(&dir.join("subjects.db"), provider, seal::Options::default()).unwrap();
    let keys = Arc::new(keys);
    let staff = keys.get_or_create(KeyClass::Staff, "staff").await.unwrap();
    Recorder::new(journal, dir.join("journal"), keys, staff)
}

async fn call(recorder: &Recorder) -> crate::DecisionWriter {
    let names = PersonNames { user: Some("u-42".to_owned()), subjects: Vec::new() };
    let persons = recorder.persons(&names).await.unwrap();
    let id = Uuid::now_v7();
    let ids = DecisionIds { decision_id: id, trace_id: id, request_id: id.to_string() };
    let mut writer = recorder.decision(ids, persons);
    let received = Event::new(Component::Gateway, Timestamp::now(), RequestReceived::default());
    writer.commit(&[received], Vec::new()).await.unwrap();
    writer
}

fn completed() -> Event {
    Event::new(Component::Gateway, Timestamp::now(), RequestCompleted::default())
}

fn record_at(recorder: &Recorder, at: Position) -> StoredRecord {
    RecordReader::open(recorder.journal_dir(), Some(at), true).unwrap().next(None).unwrap().unwrap()
}

fn body_of(recorder: &Recorder, record: &StoredRecord) -> Vec<u8> {
    let bodies =
        record.bodies(recorder.journal_dir(), &recorder.tenant(), recorder.keys()).unwrap();
    bodies.into_iter().next().unwrap().bytes.unwrap()
}

/// Bytes that do not compress.
fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for byte in &mut bytes {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (seed >> 56) as u8;
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_survives_a_full_queue() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), HeldDisk::default());
    let recorder = recorder(dir.path(), &disk, 1).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
    let sent = noise(12 * PIECE_BYTES_MAX, 1);
    let began = Instant::now();
    disk.hold(true);
    for (number, piece) in (0..).zip(sent.chunks(PIECE_BYTES_MAX / 2)) {
        body.push_streamed_at(piece, began + Duration::from_secs(number));
    }
    assert!(!body.sealed.is_empty(), "the queue was never full");
    disk.hold(false);
    let done = writer.commit(&[completed()], vec![body]).await.unwrap();
    assert!(body_of(&recorder, &record_at(&recorder, done.start)) == sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_queue_keeps_back_is_bounded() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), HeldDisk::default());
    let recorder = recorder(dir.path(), &disk, 1).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
    let sent = noise(TOGETHER_BYTES_MAX * 3, 2);
    disk.hold(true);
    let mut held = true;
    for piece in sent.chunks(PIECE_BYTES_MAX) {
        body.push_streamed(piece);
        if held && body.sealed_plain > TOGETHER_BYTES_MAX {
            // There is no room while nothing can be written.
            let waited = tokio::time::timeout(Duration::from_millis(1), body.make_room()).await;
            assert!(waited.is_err());
            disk.hold(false);
            held = false;
        }
        body.make_room().await;
        assert!(body.sealed_plain <= TOGETHER_BYTES_MAX);
    }
    assert!(!held, "the queue was never full");
    let done = writer.commit(&[completed()], vec![body]).await.unwrap();
    assert!(body_of(&recorder, &record_at(&recorder, done.start)) == sent);
}

#[tokio::test]
async fn a_body_longer_than_an_append_may_be_is_recorded() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), HeldDisk::default());
    let recorder = recorder(dir.path(), &disk, 4096).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::ClientRequest, 0).unwrap();
    let sent = noise(80 << 20, 3);
    body.push(&sent);
    let done = writer.commit(&[completed()], vec![body]).await.unwrap();
    assert!(body_of(&recorder, &record_at(&recorder, done.start)) == sent);
}

#[tokio::test]
async fn a_stream_of_hours_has_a_bounded_number_of_places_and_reads_back() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), HeldDisk::default());
    let recorder = recorder(dir.path(), &disk, 4096).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
    let began = Instant::now();
    let mut sent = Vec::new();
    for second in 0..6_000_u32 {
        let piece = format!("data: {second}\n\n");
        body.push_streamed_at(piece.as_bytes(), began + Duration::from_secs(second.into()));
        sent.extend_from_slice(piece.as_bytes());
    }
    let done = writer.commit(&[completed()], vec![body]).await.unwrap();
    let record = record_at(&recorder, done.start);
    assert!(record.early_parts.len() > 100, "{}", record.early_parts.len());
    assert!(record.early_parts.len() < EARLY_PARTS_MAX / 2, "{}", record.early_parts.len());
    assert!(body_of(&recorder, &record) == sent);
}

#[tokio::test]
async fn a_stream_that_cannot_be_written_any_more_fails_at_its_end() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), HeldDisk::default());
    let recorder = recorder(dir.path(), &disk, 4096).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
    disk.1.store(true, Ordering::Release);
    let lost = recorder.control(event::Heartbeat::default()).await;
    assert!(lost.is_err(), "the disk is broken");
    for _ in 0..3 {
        body.push_streamed(&noise(2 * PIECE_BYTES_MAX, 4));
    }
    assert!(body.sealed_plain < TOGETHER_BYTES_MAX, "nothing is kept for no record");
    let error = writer.commit(&[completed()], vec![body]).await.unwrap_err();
    assert!(matches!(error, crate::RecordError::Journal(journal::Error::Poisoned)), "{error}");
}
