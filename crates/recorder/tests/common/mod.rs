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
        recorder::open(self.options(), Box::new(self.index.clone())).await
    }

    pub fn indexed_seqs(&self) -> Vec<u64> {
        self.index.seqs.lock().unwrap().clone()
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
