//! Reviews from holding to answer, over a journal and a control store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use control::{ReviewOutcome, ReviewStage, ReviewState, Reviews, VerdictError};
use event::{Component, Event, EventData, RequestCompleted, RequestReceived, Timestamp};
use index::{Cursor, IndexWriter, ProjectedRecord};
use recorder::{DecisionIds, PersonNames, RecordReader, Running};
use review::{About, Desk, Hold, OnExpiry, ReviewError, Settings, fingerprint};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

struct NoIndex;

impl IndexWriter for NoIndex {
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    fn apply(&mut self, _: &[ProjectedRecord], _: &Cursor) -> index::Result<()> {
        Ok(())
    }
}

struct Place {
    root: tempfile::TempDir,
    settings: Settings,
}

struct Open {
    running: Running,
    desk: Desk,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), settings: Settings::default() }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    async fn open(&self) -> Open {
        let open = self.open_unsettled().await;
        open.desk.settle(&open.running.held).await.unwrap();
        open
    }

    async fn open_unsettled(&self) -> Open {
        std::fs::create_dir_all(self.data()).unwrap();
        let reviews = Arc::new(Reviews::open(&self.data().join("control.db")).unwrap());
        let options = recorder::Options {
            data: self.data(),
            state_dir: self.root.path().join("state"),
            origin: "audit.test".to_owned(),
            tenant: "default".to_owned(),
            durability: journal::Durability::Process,
            segment_bytes: 1 << 20,
            heartbeat: Duration::from_hours(1),
        };
        let held = Desk::held_calls(&reviews).unwrap();
        let running =
            recorder::open_holding(options, || Ok(Box::new(NoIndex)), held).await.unwrap();
        let desk = Desk::new(reviews, running.recorder.clone(), self.settings);
        Open { running, desk }
    }
}

impl Open {
    /// Holds a call of `u-42`, as the gateway does; gives the review's id and the decision's.
    async fn hold(&self, body: &[u8], reviewers: u32) -> (String, Uuid) {
        let recorder = &self.running.recorder;
        let names = PersonNames { user: Some("u-42".to_owned()), subjects: Vec::new() };
        let persons = recorder.persons(&names).await.unwrap();
        let decision_id = Uuid::now_v7();
        let ids =
            DecisionIds { decision_id, trace_id: Uuid::new_v4(), request_id: "req-1".to_owned() };
        let mut writer = recorder.decision(ids, persons.clone());
        let opening = self.desk.opening(ReviewStage::Request, reviewers);
        let now = Timestamp::now();
        let received = RequestReceived { user_id: names.user.clone(), ..Default::default() };
        let events = [Event::new(Component::Gateway, now, received), opening.event()];
        writer.commit(&events, Vec::new()).await.unwrap();
        let hold = Hold {
            fingerprint: fingerprint(Some("key_1"), "POST", "/v1/x", Some("u-42"), body),
            opening,
            arrived_at: now,
            policy_ids: vec!["large-loan".to_owned()],
            violations: Vec::new(),
            api_key_id: Some("key_1".to_owned()),
            source: None,
            request_type: None,
            model: None,
            about: About {
                user_id: names.user,
                prompt_preview: Some("a large loan".to_owned()),
                ..About::default()
            },
            held: body.to_vec(),
        };
        let review = self.desk.hold(writer, &persons, hold).await.unwrap();
        (review.id, decision_id)
    }

    /// Picks up, records the end, stores the answer, as the gateway does.
    async fn answer(&self, id: &str, answer: &[u8]) -> Vec<u8> {
        let mut picked = self.desk.pick_up(id).await.unwrap().unwrap();
        let completed = RequestCompleted { status_code: Some(200), ..Default::default() };
        let event = Event::new(Component::Gateway, Timestamp::now(), completed);
        picked.writer.commit(&[event], Vec::new()).await.unwrap();
        let stored = self.desk.answered(id, &picked.persons, &picked.writer, answer).await;
        assert!(stored.unwrap());
        picked.held
    }

    /// Names of the decision's events, and the numbers of its records in order.
    fn events(&self, decision_id: Uuid) -> Vec<&'static str> {
        self.event_data(decision_id).iter().map(|data| data.event_type().as_str()).collect()
    }

    fn event_data(&self, decision_id: Uuid) -> Vec<EventData> {
        let recorder = &self.running.recorder;
        let mut records = RecordReader::open(recorder.journal_dir(), None, false).unwrap();
        let end = self.running.progress.borrow().end;
        let (mut events, mut number) = (Vec::new(), 0);
        while let Some(record) = records.next(Some(end)).unwrap() {
            if record.leaf.decision_id == decision_id {
                assert_eq!(record.leaf.record_id, record::record_id(decision_id, number));
                number += 1;
                let opened = record.opened(&recorder.tenant(), recorder.keys()).unwrap();
                events.extend(opened.events.into_iter().map(|event| event.data));
            }
        }
        events
    }

    fn close(self) {
        let Self { running, desk } = self;
        drop(desk);
        running.close();
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn a_held_call_survives_a_restart_and_gets_its_answer_once_approved() {
    let place = Place::new();
    let open = place.open().await;
    let (id, decision_id) = open.hold(b"the body", 1).await;
    open.close();
    let open = place.open().await;
    assert_eq!(open.running.interrupted, 0, "what is held stays held");
    let shown = open.desk.approve(&id, "alice", " the file is there ").await.unwrap();
    assert_eq!(shown.review.state, ReviewState::Approved);
    assert_eq!(shown.about.unwrap().prompt_preview.as_deref(), Some("a large loan"));
    open.close();
    let open = place.open().await;
    assert_eq!(open.running.interrupted, 0, "so does what is approved");
    let waited = open.desk.wait(&id, soon()).await.unwrap();
    assert_eq!(waited.state, ReviewState::Approved);
    assert_eq!(open.answer(&id, b"the answer").await, b"the body");
    assert!(open.desk.pick_up(&id).await.unwrap().is_none());
    assert_eq!(open.desk.answer(&id).await.unwrap().unwrap(), b"the answer");
    let told = ["request_received", "review_created", "review_approved", "request_completed"];
    assert_eq!(open.events(decision_id), told);
    let data = open.event_data(decision_id);
    let EventData::ReviewApproved(approved) = &data[2] else { panic!() };
    assert_eq!(approved.reviewer.as_deref(), Some("alice"));
    assert_eq!(approved.rationale.as_deref(), Some("the file is there"));
    let db = std::fs::read(place.data().join("control.db-wal")).unwrap();
    for secret in ["the body", "the answer", "u-42", "a large loan"] {
        let found = db.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret:?} stands in the store in clear");
    }
    open.close();
    let open = place.open().await;
    assert_eq!(open.running.interrupted, 0);
    assert_eq!(open.desk.answer(&id).await.unwrap().unwrap(), b"the answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_verdicts_at_once_are_one_record() {
    let place = Place::new();
    let open = place.open().await;
    for round in 0..10_u8 {
        let (id, decision_id) = open.hold(&[round], 1).await;
        let (approved, rejected) = tokio::join!(
            open.desk.approve(&id, "alice", "yes"),
            open.desk.reject(&id, "bob", "no"),
        );
        let events = open.events(decision_id);
        let (lost, expected) = match (approved, rejected) {
            (Ok(_), Err(lost)) => (lost, &["review_approved"][..]),
            (Err(lost), Ok(_)) => (lost, &["review_rejected", "request_blocked"][..]),
            both => panic!("{both:?}"),
        };
        assert!(matches!(lost, ReviewError::Verdict(VerdictError::Decided { .. })), "{lost}");
        assert_eq!(events[2..], *expected);
        open.desk.sweep(Timestamp::now()).await.unwrap();
        assert_eq!(open.events(decision_id).len(), events.len(), "nothing is recorded twice");
    }
}

#[tokio::test]
async fn nobody_approves_their_own_call_and_two_pairs_of_eyes_are_two_persons() {
    let place = Place::new();
    let open = place.open().await;
    let (id, decision_id) = open.hold(b"1", 2).await;
    let own = open.desk.approve(&id, "U-42", "mine").await.unwrap_err();
    assert!(matches!(own, ReviewError::OwnCall { .. }), "{own}");
    let one = open.desk.approve(&id, "alice", "yes").await.unwrap();
    assert_eq!(one.review.state, ReviewState::Pending);
    assert_eq!(open.events(decision_id).len(), 2);
    let again = open.desk.approve(&id, "alice", "yes").await.unwrap_err();
    assert!(matches!(again, ReviewError::Verdict(VerdictError::Voted { .. })), "{again}");
    open.desk.approve(&id, "bob", "yes").await.unwrap();
    assert_eq!(open.events(decision_id)[2..], ["review_approved", "review_approved"]);
    let (id, decision_id) = open.hold(b"2", 2).await;
    open.desk.reject(&id, "u-42", "sent by mistake").await.unwrap();
    assert_eq!(open.events(decision_id)[2..], ["review_rejected", "request_blocked"]);
}

#[tokio::test]
async fn an_unanswered_review_ends_as_configured_and_late_verdicts_are_told() {
    for on_expiry in [OnExpiry::Reject, OnExpiry::Approve] {
        let mut place = Place::new();
        place.settings = Settings { expire: Duration::ZERO, on_expiry, ..Settings::default() };
        let open = place.open().await;
        let (id, decision_id) = open.hold(b"1", 1).await;
        let late = open.desk.approve(&id, "alice", "late").await.unwrap_err();
        let ReviewError::Verdict(VerdictError::Decided { outcome, .. }) = late else {
            panic!("{late}")
        };
        assert_eq!(outcome, ReviewOutcome::Expired);
        let through = on_expiry == OnExpiry::Approve;
        let state = if through { ReviewState::Approved } else { ReviewState::Expired };
        assert_eq!(open.desk.wait(&id, soon()).await.unwrap().state, state);
        let events = open.events(decision_id);
        if through {
            assert_eq!(events[2..], ["review_expired"]);
            assert!(open.desk.pick_up(&id).await.unwrap().is_some());
        } else {
            assert_eq!(events[2..], ["review_expired", "request_blocked"]);
            assert!(open.desk.pick_up(&id).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn a_start_records_what_a_crash_left_out_and_ends_what_was_running() {
    let place = Place::new();
    let open = place.open().await;
    let (decided, of_decided) = open.hold(b"1", 1).await;
    let (recorded, of_recorded) = open.hold(b"2", 1).await;
    let (running, of_running) = open.hold(b"3", 1).await;
    let vote = control::NewVote {
        reviewer: "alice".to_owned(),
        approve: false,
        rationale: "no".to_owned(),
    };
    // Between the verdict and its record.
    open.desk.reviews().vote(&decided, &vote, Timestamp::now()).unwrap();
    // Between the record and its mark.
    open.desk.reject(&recorded, "alice", "no").await.unwrap();
    unmark(&place, &recorded);
    // Between pick-up and the end.
    open.desk.approve(&running, "alice", "yes").await.unwrap();
    drop(open.desk.pick_up(&running).await.unwrap().unwrap());
    open.close();
    // A crash would have left it where the oldest of the three stands.
    std::fs::remove_file(place.data().join("journal/lowest-open-call")).unwrap();
    let open = place.open().await;
    assert_eq!(open.running.interrupted, 1);
    let refused = ["request_received", "review_created", "review_rejected", "request_blocked"];
    assert_eq!(open.events(of_decided), refused);
    assert_eq!(open.events(of_recorded), refused);
    assert_eq!(open.events(of_running)[2..], ["review_approved", "request_failed"]);
    assert!(open.desk.get(&recorded).await.unwrap().recorded);
    let failed = open.desk.get(&running).await.unwrap();
    assert_eq!(failed.state, ReviewState::Failed);
    open.close();
    let open = place.open().await;
    assert_eq!(open.running.interrupted, 0);
    for decision_id in [of_decided, of_recorded, of_running] {
        assert_eq!(open.events(decision_id).len(), 4, "once is enough");
    }
}

fn unmark(place: &Place, id: &str) {
    let db = rusqlite::Connection::open(place.data().join("control.db")).unwrap();
    let sql = "UPDATE reviews SET recorded = 0, next_record = next_record - 1 WHERE id = ?1";
    assert_eq!(db.execute(sql, [id]).unwrap(), 1);
}

#[tokio::test]
async fn a_call_without_a_review_is_ended_and_not_held() {
    let place = Place::new();
    let open = place.open().await;
    let (id, decision_id) = open.hold(b"1", 1).await;
    let db = rusqlite::Connection::open(place.data().join("control.db")).unwrap();
    db.execute("DELETE FROM reviews WHERE id = ?1", [&id]).unwrap();
    // As after a crash: what was set aside is looked for from the beginning.
    open.close();
    std::fs::remove_file(place.data().join("journal/lowest-open-call")).unwrap();
    let open = place.open().await;
    assert_eq!(open.running.interrupted, 1);
    assert_eq!(open.events(decision_id).last(), Some(&"request_failed"));
}

#[tokio::test]
async fn an_approved_call_that_nobody_comes_back_for_ends() {
    let mut place = Place::new();
    place.settings.keep = Duration::from_secs(60);
    let open = place.open().await;
    let (id, decision_id) = open.hold(b"1", 1).await;
    open.desk.approve(&id, "alice", "yes").await.unwrap();
    let now = Timestamp::now().as_micros();
    open.desk.sweep(Timestamp::from_micros(now + 50_000_000)).await.unwrap();
    assert_eq!(open.desk.get(&id).await.unwrap().state, ReviewState::Approved);
    open.desk.sweep(Timestamp::from_micros(now + 70_000_000)).await.unwrap();
    assert_eq!(open.desk.get(&id).await.unwrap().state, ReviewState::Failed);
    let data = open.event_data(decision_id);
    let Some(EventData::RequestFailed(failed)) = data.last() else { panic!() };
    assert_eq!(failed.code.as_deref(), Some("review_abandoned"));
}

#[tokio::test]
async fn an_erased_person_is_never_released_and_can_be_rejected() {
    let place = Place::new();
    let open = place.open().await;
    let (pending, _) = open.hold(b"1", 1).await;
    let (approved, decision_id) = open.hold(b"2", 1).await;
    open.desk.approve(&approved, "alice", "yes").await.unwrap();
    open.running.recorder.keys().erase(seal::KeyClass::Subject, "u-42").await.unwrap();
    let refused = open.desk.approve(&pending, "alice", "yes").await.unwrap_err();
    assert!(matches!(refused, ReviewError::Erased { .. }), "{refused}");
    open.desk.reject(&pending, "alice", "erased").await.unwrap();
    let refused = open.desk.pick_up(&approved).await.unwrap_err();
    assert!(matches!(refused, ReviewError::Erased { .. }), "{refused}");
    assert_eq!(open.events(decision_id).last(), Some(&"request_failed"));
    assert_eq!(open.desk.get(&approved).await.unwrap().state, ReviewState::Failed);
}

#[tokio::test]
async fn what_was_picked_up_and_dropped_has_failed() {
    let place = Place::new();
    let open = place.open().await;
    let (id, decision_id) = open.hold(b"1", 1).await;
    open.desk.approve(&id, "alice", "yes").await.unwrap();
    let picked = open.desk.pick_up(&id).await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let (desk, id) = (open.desk.clone(), id.clone());
        async move { desk.wait(&id, soon()).await }
    });
    drop(picked);
    assert_eq!(waiting.await.unwrap().unwrap().state, ReviewState::Failed);
    // Who reads the store may see it before the memory of live reviews is brought up to it.
    let mut changed = open.desk.reviews().changed();
    while open.desk.reviews().any_live() {
        changed.changed().await.unwrap();
    }
    let mut progress = open.running.recorder.journal().committed();
    while open.events(decision_id).last() != Some(&"request_failed") {
        progress.changed().await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_is_woken_by_the_verdict() {
    let place = Place::new();
    let open = place.open().await;
    let (id, _) = open.hold(b"1", 1).await;
    let past = open.desk.wait(&id, Instant::now()).await.unwrap();
    assert_eq!(past.state, ReviewState::Pending);
    let (waited, verdict) =
        tokio::join!(open.desk.wait(&id, soon()), open.desk.reject(&id, "alice", "no"));
    verdict.unwrap();
    let waited = waited.unwrap();
    assert_eq!((waited.state, waited.recorded), (ReviewState::Rejected, true));
    assert!(open.desk.told(&id).await.unwrap());
    let again = fingerprint(Some("key_1"), "POST", "/v1/x", Some("u-42"), b"1");
    assert!(!open.desk.reviews().is_live(&again));
}
