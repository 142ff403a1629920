use super::faulty::{FaultyDisk, call, completed, noise, recorder};
use crate::read::RecordReader;
use crate::recorder::Recorder;
use event::{EventData, EventType, Heartbeat};
use record::{PIECE_BYTES_MAX, Role};
use std::time::Duration;
use uuid::Uuid;

async fn wait_for_records(recorder: &Recorder, count: u64) {
    let mut progress = recorder.journal().committed();
    let written = progress.wait_for(|progress| progress.next_seq >= count);
    tokio::time::timeout(Duration::from_secs(30), written).await.unwrap().unwrap();
}

/// Type and error code of each event of a decision, and its bytes recorded with the last one.
fn told(recorder: &Recorder, decision_id: Uuid) -> (Vec<(EventType, Option<String>)>, Vec<u8>) {
    let mut reader = RecordReader::open(recorder.journal_dir(), None, true).unwrap();
    let (mut events, mut bytes) = (Vec::new(), Vec::new());
    while let Some(record) = reader.next(None).unwrap() {
        if record.leaf.decision_id != decision_id {
            continue;
        }
        let opened = record.opened(&recorder.tenant(), recorder.keys()).unwrap();
        events.extend(opened.events.into_iter().map(|event| match event.data {
            EventData::RequestFailed(failed) => (EventType::RequestFailed, failed.code),
            other => (other.event_type(), None),
        }));
        let bodies =
            record.bodies(recorder.journal_dir(), &recorder.tenant(), recorder.keys()).unwrap();
        bytes = bodies.into_iter().flat_map(|body| body.bytes.unwrap()).collect();
    }
    (events, bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_outcome_found_no_room_is_ended_when_there_is_some() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
    let recorder = recorder(dir.path(), &disk, 4096).await;
    let mut lost = call(&recorder).await;
    let mut going_on = call(&recorder).await;
    let set_aside = call(&recorder).await;
    let ids = [&lost, &going_on, &set_aside].map(|writer| writer.ids().decision_id);
    set_aside.set_aside();
    let mut body = lost.body(Role::UpstreamResponse, 0).unwrap();
    let sent = noise(4 << 20, 5);
    let (before, after) = sent.split_at(PIECE_BYTES_MAX + 1);
    body.push_streamed(before);
    recorder.control(Heartbeat::default()).await.unwrap();
    disk.fill(true);
    body.push_streamed(after);
    let error = lost.commit(&[completed()], vec![body]).await.unwrap_err();
    assert!(matches!(error, crate::RecordError::Journal(journal::Error::DiskFull)), "{error}");
    drop(lost);
    assert_eq!(recorder.open_call_count(), 2);
    disk.fill(false);
    // Three intents, a heartbeat, the one that tries the journal, the end.
    wait_for_records(&recorder, 6).await;
    let (events, bytes) = told(&recorder, ids[0]);
    assert_eq!(
        events,
        [
            (EventType::RequestReceived, None),
            (EventType::RequestFailed, Some("audit_unavailable".to_owned())),
        ]
    );
    assert!(bytes.len() >= PIECE_BYTES_MAX && sent.starts_with(&bytes), "{} bytes", bytes.len());
    assert_eq!(told(&recorder, ids[1]).0.len(), 1, "it goes on");
    assert_eq!(told(&recorder, ids[2]).0.len(), 1, "it is held elsewhere");
    going_on.commit(&[completed()], Vec::new()).await.unwrap();
    drop(going_on);
    let mut given_up = call(&recorder).await;
    let id = given_up.ids().decision_id;
    given_up.commit(&[completed()], Vec::new()).await.unwrap();
    drop(given_up);
    let given_up = call(&recorder).await;
    let last = given_up.ids().decision_id;
    drop(given_up);
    wait_for_records(&recorder, 12).await;
    assert_eq!(told(&recorder, last).0.len(), 2);
    assert_eq!(told(&recorder, id).0.len(), 2, "what has an end gets no other");
    assert_eq!(recorder.open_call_count(), 0);
}

#[tokio::test]
async fn a_record_that_found_no_room_is_written_once_when_it_is_repeated() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
    let recorder = recorder(dir.path(), &disk, 4096).await;
    let mut writer = call(&recorder).await;
    let id = writer.ids().decision_id;
    let sent = noise(4 << 20, 7);
    for room in [false, false, true] {
        disk.fill(!room);
        let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
        body.push(&sent);
        assert_eq!(writer.commit(&[completed()], vec![body]).await.is_ok(), room);
    }
    let (events, bytes) = told(&recorder, id);
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(bytes == sent);
    assert_eq!(recorder.journal().committed().borrow().next_seq, 2);
}
