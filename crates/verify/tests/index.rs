//! The index held against the journal, and sealed parts opened with the key store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod common;

use common::{Deployment, Script, Shape, WRITER};
use event::{Decision, Origin};
use index::{
    Cursor, DecisionFilter, DecisionPage, EventFilter, EventPage, EventRow, Events, Found,
    IndexReader, Metrics, MetricsQuery, Page, RecordPointer, Relation, Result, Session,
    SessionFilter, SessionPage, SqlLimits, SqlResult, Status, write_event_data,
};
use journal::format::FrameKind;
use seal::{KeyClass, KeyRing, LocalKeyFile};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;
use verify::{FaultKind, Options, Report, verify_data, verify_index};

/// An index in memory.
#[derive(Clone)]
struct Memory {
    decisions: Vec<Decision>,
    events: Vec<EventRow>,
    cursor: Cursor,
}

impl IndexReader for Memory {
    fn list(&self, _: &DecisionFilter, page: &Page) -> Result<DecisionPage> {
        // Small pages, so that paging is part of every test.
        let from: usize = page.cursor.as_deref().map_or(0, |cursor| cursor.parse().unwrap());
        let to = self.decisions.len().min(from + 2);
        Ok(DecisionPage {
            items: self.decisions[from..to].to_vec(),
            next_cursor: (to < self.decisions.len()).then(|| to.to_string()),
            as_of: None,
        })
    }

    fn decision(&self, id: Uuid) -> Result<Option<Decision>> {
        Ok(self.decisions.iter().find(|row| row.id == id).cloned())
    }

    fn events(&self, filter: &EventFilter, page: &Page) -> Result<EventPage> {
        let wanted = |row: &&EventRow| filter.decision_id.is_none_or(|id| row.decision_id == id);
        let rows: Vec<_> = self.events.iter().filter(wanted).cloned().collect();
        let from: usize = page.cursor.as_deref().map_or(0, |cursor| cursor.parse().unwrap());
        let to = rows.len().min(from + 3);
        Ok(EventPage {
            items: rows[from..to].to_vec(),
            next_cursor: (to < rows.len()).then(|| to.to_string()),
            as_of: None,
        })
    }

    fn status(&self) -> Result<Status> {
        Ok(Status { cursor: Some(self.cursor.clone()), ..Status::default() })
    }

    fn by_request_id(&self, _: &str) -> Result<Option<Found>> {
        unreachable!()
    }

    fn trace(&self, _: Uuid) -> Result<Events> {
        unreachable!()
    }

    fn events_of(&self, _: Uuid) -> Result<Events> {
        unreachable!()
    }

    fn records(&self, _: Uuid) -> Result<Vec<RecordPointer>> {
        unreachable!()
    }

    fn sessions(&self, _: &SessionFilter, _: &Page) -> Result<SessionPage> {
        unreachable!()
    }

    fn session(&self, _: &str, _: &SessionFilter) -> Result<Option<Session>> {
        unreachable!()
    }

    fn models(&self, _query: &index::ModelQuery) -> Result<Vec<index::ModelSeen>> {
        unreachable!()
    }

    fn metrics(&self, _: &MetricsQuery) -> Result<Metrics> {
        unreachable!()
    }

    fn sql(&self, _: &str, _: &[Relation], _: &SqlLimits) -> Result<SqlResult> {
        unreachable!()
    }
}

/// A key store, a deployment sealed under it, and its index.
struct Fixture {
    _store: TempDir,
    keys: KeyRing,
    deployment: Deployment,
    index: Memory,
}

fn ring(store: &TempDir) -> KeyRing {
    let provider = Arc::new(LocalKeyFile::load_or_create(&store.path().join("keys")).unwrap());
    KeyRing::open(&store.path().join("subjects.db"), provider, seal::Options::default()).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn fixture(edit: impl FnOnce(&mut Script)) -> Fixture {
    let store = tempfile::tempdir().unwrap();
    let keys = ring(&store);
    let subject = block_on(keys.get_or_create(KeyClass::Subject, "user")).unwrap();
    let mut script = Script { subject: Some(subject), ..Script::default() };
    for _ in 0..5 {
        script.push(Shape { sealed: true, parts: 1, early_parts: 1 });
    }
    edit(&mut script);
    let deployment = Deployment::new(&script, 1 << 30);
    let index = index_of(&deployment);
    Fixture { _store: store, keys, deployment, index }
}

fn index_of(deployment: &Deployment) -> Memory {
    let (mut decisions, mut events) = (Vec::new(), Vec::new());
    for leaf in &deployment.leaves {
        let leaf = event::Leaf::read(leaf).unwrap();
        let id = leaf.decision_id;
        let facts = common::events(leaf.seq);
        let mut decision = Decision::new(id, leaf.ts, id, "request".to_owned(), Origin::Observed);
        facts.iter().for_each(|event| decision.apply(event));
        for event in &facts {
            let mut data = Vec::new();
            write_event_data(event, Some(&decision), &mut data);
            events.push(EventRow {
                event_id: event.event_id,
                decision_id: id,
                trace_id: id,
                request_id: "request".to_owned(),
                event_type: event.event_type(),
                component: event.component,
                timestamp: event.timestamp,
                event_data: serde_json::from_slice(&data).unwrap(),
            });
        }
        decisions.push(decision);
    }
    Memory { decisions, events, cursor: Cursor::new(WRITER, 1, 9, 0) }
}

fn check(fixture: &Fixture, edit: impl FnOnce(&mut Memory)) -> Report {
    let mut index = fixture.index.clone();
    edit(&mut index);
    let options = Options { keys: Some(&fixture.keys), ..Options::new(fixture.deployment.data()) };
    verify_index(options, &index).unwrap()
}

fn one_fault(report: &Report, decision: Uuid, message: &str) {
    assert_eq!(report.fault_count(), 1, "{:#?}", report.faults);
    assert_eq!(report.faults[0].kind, FaultKind::Index);
    assert_eq!(report.faults[0].place.decision_id, Some(decision.to_string()));
    assert!(report.faults[0].message.contains(message), "{}", report.faults[0]);
}

#[test]
fn sealed_parts_open_with_the_key_store_and_a_sound_index_has_no_fault() {
    let fixture = fixture(|_| {});
    let report = check(&fixture, |_| {});
    assert!(report.ok(), "{:#?}", report.faults);
    assert_eq!((report.opened, report.erased), (15, 0));
}

#[test]
fn edited_deleted_added_doubled_and_exchanged_rows_are_found_by_id() {
    let fixture = fixture(|_| {});
    let id = fixture.index.decisions[2].id;
    let report = check(&fixture, |index| index.decisions[2].user_id = Some("somebody".to_owned()));
    one_fault(&report, id, "differs from its records in user_id");
    let report = check(&fixture, |index| index.decisions[2].status_code = None);
    one_fault(&report, id, "status_code");
    let report = check(&fixture, |index| drop(index.decisions.remove(2)));
    one_fault(&report, id, "the decision's row is missing");
    let report = check(&fixture, |index| {
        let text = index.events[4].event_data.get().replace("user-", "nobody-");
        index.events[4].event_data = serde_json::from_str(&text).unwrap();
    });
    one_fault(&report, id, "event_data.user_id");
    let report = check(&fixture, |index| drop(index.events.remove(4)));
    one_fault(&report, id, "the event's row is missing");
    let report = check(&fixture, |index| index.events.push(index.events[4].clone()));
    one_fault(&report, id, "stands here twice");
    let made_up = Uuid::from_u128(9);
    let report = check(&fixture, |index| {
        index.decisions.push(Decision { id: made_up, ..index.decisions[0].clone() });
    });
    one_fault(&report, made_up, "belongs to no record");
    let report = check(&fixture, |index| {
        let (one, other) = (index.decisions[1].id, index.decisions[3].id);
        index.decisions[1].id = other;
        index.decisions[3].id = one;
    });
    assert_eq!(report.fault_count(), 2, "{:#?}", report.faults);
}

#[test]
fn records_behind_the_cursor_are_not_missed() {
    let fixture = fixture(|_| {});
    // Each record has an early part, then part, open, sealed and leaf.
    let open_of_last = fixture.deployment.starts[0][4 * 5 + 2];
    let report = check(&fixture, |index| {
        index.decisions.pop();
        index.events.truncate(8);
        index.cursor = Cursor::new(WRITER, 1, 0, open_of_last);
    });
    assert!(report.ok(), "{:#?}", report.faults);
    assert!(report.notes.iter().any(|note| note.contains("1 records are not indexed")));
}

#[test]
fn without_keys_or_after_an_erasure_open_fields_are_still_compared() {
    let fixture = fixture(|_| {});
    block_on(fixture.keys.erase(KeyClass::Subject, "user")).unwrap();
    let purge = |index: &mut Memory| {
        for row in &mut index.decisions {
            row.user_id = None;
            row.prompt_preview = None;
        }
    };
    for keys in [Some(&fixture.keys), None] {
        let mut index = fixture.index.clone();
        purge(&mut index);
        let options = || Options { keys, ..Options::new(fixture.deployment.data()) };
        let report = verify_index(options(), &index).unwrap();
        assert!(report.ok(), "{:#?}", report.faults);
        assert_eq!(report.opened, 0);
        assert_eq!(report.erased, if keys.is_some() { 15 } else { 0 });
        assert!(report.notes.iter().any(|note| note.contains("open fields")));
        index.decisions[1].source = Some("other".to_owned());
        let report = verify_index(options(), &index).unwrap();
        one_fault(&report, index.decisions[1].id, "source");
    }
}

#[test]
fn what_does_not_open_with_its_own_key_is_a_fault() {
    // Sealed bytes that leaf and checksums agree on, and the key does not open: sealed for
    // another place.
    let fixture = fixture(|script| {
        let (from, to) = (script.items[1].frames[2].2.clone(), script.items.len() - 1);
        let item = &mut script.items[to];
        let frame = item.frames.iter_mut().find(|frame| frame.0 == FrameKind::Sealed).unwrap();
        // The group of record 0, under the commitment of this one.
        frame.2[36..].copy_from_slice(&from[36..]);
        let mut leaf = event::Leaf::read(item.leaf.as_ref().unwrap()).unwrap();
        leaf.sealed_sha256 = hash(&frame.2);
        item.leaf = Some(leaf.to_bytes());
    });
    let options = Options { keys: Some(&fixture.keys), ..Options::new(fixture.deployment.data()) };
    let report = verify_data(options).unwrap();
    assert_eq!(report.fault_count(), 1, "{:#?}", report.faults);
    assert_eq!(report.faults[0].kind, FaultKind::Opening);
    assert_eq!(report.faults[0].place.seq, Some(4));
}

#[test]
fn another_key_store_is_told() {
    let fixture = fixture(|_| {});
    let elsewhere = tempfile::tempdir().unwrap();
    let other = ring(&elsewhere);
    let options = Options { keys: Some(&other), ..Options::new(fixture.deployment.data()) };
    let report = verify_data(options).unwrap();
    assert!(report.faults[0].message.contains("not in this key store"), "{}", report.faults[0]);
}

fn hash(bytes: &[u8]) -> String {
    common::sha256(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
