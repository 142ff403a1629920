use super::faulty::{FaultyDisk, body_of, call, completed, noise, record_at, recorder};
use crate::pace::TOGETHER_BYTES_MAX;
use record::{EARLY_PARTS_MAX, PIECE_BYTES_MAX, Role};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_survives_a_full_queue() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
    let recorder = recorder(dir.path(), &disk, 1).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
    let sent = noise(12 * PIECE_BYTES_MAX, 1);
    let began = Instant::now();
    disk.hold(true);
    for (number, piece) in (0..).zip(sent.chunks(PIECE_BYTES_MAX / 2)) {
        body.push_streamed_at(piece, began + Duration::from_secs(number));
    }
    assert!(body.waiting_bytes() > 0, "the queue was never full");
    disk.hold(false);
    let done = writer.commit(&[completed()], vec![body]).await.unwrap();
    assert!(body_of(&recorder, &record_at(&recorder, done.start)) == sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_queue_keeps_back_is_bounded() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
    let recorder = recorder(dir.path(), &disk, 1).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
    let sent = noise(TOGETHER_BYTES_MAX * 3, 2);
    disk.hold(true);
    let mut held = true;
    for piece in sent.chunks(PIECE_BYTES_MAX) {
        body.push_streamed(piece);
        if held && body.waiting_bytes() > TOGETHER_BYTES_MAX {
            // There is no room while nothing can be written.
            let waited = tokio::time::timeout(Duration::from_millis(1), body.make_room()).await;
            assert!(waited.is_err());
            disk.hold(false);
            held = false;
        }
        body.make_room().await;
        assert!(body.waiting_bytes() <= TOGETHER_BYTES_MAX);
    }
    assert!(!held, "the queue was never full");
    let done = writer.commit(&[completed()], vec![body]).await.unwrap();
    assert!(body_of(&recorder, &record_at(&recorder, done.start)) == sent);
}

#[tokio::test]
async fn a_body_longer_than_an_append_may_be_is_recorded() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
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
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
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
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::default());
    let recorder = recorder(dir.path(), &disk, 4096).await;
    let mut writer = call(&recorder).await;
    let mut body = writer.body(Role::UpstreamResponse, 0).unwrap();
    disk.break_down();
    let lost = recorder.control(event::Heartbeat::default()).await;
    assert!(lost.is_err(), "the disk is broken");
    for _ in 0..3 {
        body.push_streamed(&noise(2 * PIECE_BYTES_MAX, 4));
    }
    assert!(body.waiting_bytes() < TOGETHER_BYTES_MAX, "nothing is kept for no record");
    let error = writer.commit(&[completed()], vec![body]).await.unwrap_err();
    assert!(matches!(error, crate::RecordError::Journal(journal::Error::Poisoned)), "{error}");
}
