//! A data directory, an index that only remembers, and events to write.

use event::{
    Component, Event, RequestCompleted, RequestReceived, RoutingStart, RoutingSuccess, Timestamp,
};
use index::{Cursor, IndexWriter, ProjectedRecord};
use recorder::{DecisionIds, OpenError, Options, PersonNames, Running};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

#[derive(Default, Clone)]
struct Remembering {
    seqs: Arc<Mutex<Vec<u64>>>,
    cursor: Arc<Mutex<Option<Cursor>>>,
}

impl IndexWriter for Remembering {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor.lock().unwrap().clone()
    }

    fn apply(&mut self, records: &[ProjectedRecord], cursor: &Cursor) -> index::Result<()> {
        self.seqs.lock().unwrap().extend(records.iter().map(|record| record.seq));
        *self.cursor.lock().unwrap() = Some(cursor.clone());
        Ok(())
    }
}

/// A leaf once more, under its new number and time.
struct Again(event::Leaf);

impl journal::LeafSource for Again {
    fn finish(&mut self, _epoch: u64, seq: u64, ts_micros: i64, out: &mut Vec<u8>) {
        self.0.seq = seq;
        self.0.ts = Timestamp::from_micros(ts_micros);
        out.extend_from_slice(&self.0.to_bytes());
    }
}

pub struct Dirs {
    root: tempfile::TempDir,
    index: Remembering,
}

impl Dirs {
    pub fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), index: Remembering::default() }
    }

    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub async fn open(&self) -> Running {
        self.try_open().await.unwrap()
    }

    pub fn options(&self) -> Options {
        Options {
            data: self.data(),
            state_dir: self.root.path().join("state"),
            origin: "audit.test".to_owned(),
            tenant: "default".to_owned(),
            durability: journal::Durability::Disk,
            segment_bytes: 1 << 20,
            heartbeat: Duration::from_hours(1),
        }
    }

    pub async fn try_open(&self) -> Result<Running, OpenError> {
        std::fs::create_dir_all(self.data()).unwrap();
        recorder::open(self.options(), || Ok(self.index_writer())).await
    }

    pub fn indexed_seqs(&self) -> Vec<u64> {
        self.index.seqs.lock().unwrap().clone()
    }

    /// Opens a copy of the directory, with an index of its own.
    pub async fn open_copy(&self, copy: &Path) -> Result<Running, OpenError> {
        let options = Options { data: copy.to_owned(), ..self.options() };
        recorder::open(options, || Ok(Box::new(Remembering::default()))).await
    }

    /// An index that nobody asks.
    pub fn index_writer(&self) -> Box<dyn IndexWriter> {
        Box::new(self.index.clone())
    }

    /// Copies the directory's last record to its end, by a clock of its own.
    pub async fn write_with_clock(&self, clock: journal::Clock) {
        let options =
            journal::Options { clock, ..journal::Options::new(self.data().join("journal")) };
        let (journal, recovered) = journal::Journal::open(options).unwrap();
        let mut frames = journal::Reader::open(self.data().join("journal"), None).unwrap();
        let (mut last, mut leaf) = (Vec::new(), Vec::new());
        while let Some(frame) = frames.next(Some(recovered.end)).unwrap() {
            match frame.kind {
                journal::FrameKind::Open => last = vec![frame],
                journal::FrameKind::Leaf => leaf = frame.payload,
                _ => last.push(frame),
            }
        }
        let frames = last.into_iter().map(|frame| journal::Frame {
            kind: frame.kind,
            keys: frame.keys,
            payload: frame.payload,
        });
        let leaf = Again(event::Leaf::read(&leaf).unwrap());
        let append = journal::Append { frames: frames.collect(), leaf: Some(Box::new(leaf)) };
        journal.append(append).await.unwrap();
        journal.close().unwrap();
    }

    /// Forgets what was derived: ledger and index.
    pub fn drop_derived(&mut self) {
        std::fs::remove_dir_all(self.data().join("ledger")).unwrap();
        self.index = Remembering::default();
    }

    pub fn copy_of_data(&self) -> PathBuf {
        let copy = self.root.path().join("backup");
        copy_dir(&self.data(), &copy);
        copy
    }

    pub fn replace_data(&self, copy: &Path) {
        std::fs::remove_dir_all(self.data()).unwrap();
        copy_dir(copy, &self.data());
    }
}

fn copy_dir(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

pub fn ids() -> DecisionIds {
    DecisionIds {
        decision_id: Uuid::now_v7(),
        trace_id: Uuid::new_v4(),
        request_id: Uuid::new_v4().to_string(),
    }
}

pub fn names(user: &str, subjects: &[&str]) -> PersonNames {
    PersonNames {
        user: Some(user.to_owned()),
        subjects: subjects.iter().map(|name| (*name).to_owned()).collect(),
    }
}

pub fn intent_events(subjects: &[&str]) -> Vec<Event> {
    let subjects: Vec<String> = subjects.iter().map(|name| (*name).to_owned()).collect();
    let received = RequestReceived {
        source: Some("finance-app".to_owned()),
        user_id: Some("u-42".to_owned()),
        subjects: (!subjects.is_empty()).then_some(subjects),
        prompt_preview: Some("hello".to_owned()),
        ..RequestReceived::default()
    };
    vec![
        Event::new(Component::Gateway, Timestamp::now(), received),
        Event::new(Component::ModelRouter, Timestamp::now(), RoutingStart::default()),
    ]
}

pub fn answer_events() -> Vec<Event> {
    let completed = RequestCompleted {
        status_code: Some(200),
        response_preview: Some("hi".to_owned()),
        ..RequestCompleted::default()
    };
    vec![
        Event::new(Component::ModelRouter, Timestamp::now(), RoutingSuccess::default()),
        Event::new(Component::Gateway, Timestamp::now(), completed),
    ]
}
