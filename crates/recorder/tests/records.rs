//! Records as a caller of the crate sees them: written, sealed, read back, proved, recovered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use common::{Dirs, answer_events, ids, intent_events, names};
use event::{EventData, EventType};
use recorder::{LedgerFiles, Projector, RecordReader, Role, prove};

#[tokio::test]
async fn a_call_reads_back_as_it_was_written() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    let recorder = running.recorder.clone();
    let persons = recorder.persons(&names("u-42", &["patient-1", "patient-2"])).await.unwrap();
    let mut writer = recorder.decision(ids(), persons);
    let prompt = vec![7_u8; 700_000];
    let mut request = writer.body(Role::ClientRequest, 0).unwrap();
    request.push(&prompt);
    let intent =
        writer.commit(&intent_events(&["patient-1", "patient-2"]), vec![request]).await.unwrap();
    let mut answer = writer.body(Role::UpstreamResponse, 0).unwrap();
    for piece in prompt.chunks(10_000) {
        answer.push_streamed(piece);
    }
    let outcome = writer.commit(&answer_events(), vec![answer]).await.unwrap();
    let tenant = recorder.tenant();
    let mut reader = RecordReader::open(recorder.journal_dir(), Some(intent.start), true).unwrap();
    let first = reader.next(None).unwrap().unwrap();
    let opened = first.opened(&tenant, recorder.keys()).unwrap();
    let EventData::RequestReceived(received) = &opened.events[0].data else { panic!() };
    assert_eq!(received.user_id.as_deref(), Some("u-42"));
    assert_eq!(received.subjects.as_deref().unwrap(), ["patient-1", "patient-2"]);
    assert_eq!(received.prompt_preview.as_deref(), Some("hello"));
    let bodies = first.bodies(recorder.journal_dir(), &tenant, recorder.keys()).unwrap();
    assert_eq!(bodies[0].bytes.as_deref(), Some(&prompt[..]));
    let second = reader.next(None).unwrap().unwrap();
    assert_eq!(second.leaf.seq, outcome.seq);
    assert!(!second.early_parts.is_empty(), "a long answer is written while it streams");
    let bodies = second.bodies(recorder.journal_dir(), &tenant, recorder.keys()).unwrap();
    assert_eq!(bodies[0].bytes.as_deref(), Some(&prompt[..]));
    let open = String::from_utf8(first.open.clone()).unwrap();
    assert!(!open.contains("u-42") && !open.contains("patient-1") && !open.contains("hello"));
}

#[tokio::test]
async fn an_erased_person_closes_what_was_about_them_and_nothing_else() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    let recorder = running.recorder.clone();
    let persons = recorder.persons(&names("u-42", &["patient-1", "patient-2"])).await.unwrap();
    let mut writer = recorder.decision(ids(), persons);
    let mut request = writer.body(Role::ClientRequest, 0).unwrap();
    request.push(b"the prompt");
    let intent =
        writer.commit(&intent_events(&["patient-1", "patient-2"]), vec![request]).await.unwrap();
    recorder.keys().erase(seal::KeyClass::Subject, "patient-1").await.unwrap();
    let mut reader = RecordReader::open(recorder.journal_dir(), Some(intent.start), true).unwrap();
    let record = reader.next(None).unwrap().unwrap();
    let opened = record.opened(&recorder.tenant(), recorder.keys()).unwrap();
    let EventData::RequestReceived(received) = &opened.events[0].data else { panic!() };
    assert_eq!(received.user_id.as_deref(), Some("u-42"));
    assert_eq!(received.subjects.as_deref().unwrap(), ["patient-2"]);
    assert_eq!(received.prompt_preview, None);
    assert_eq!(opened.erased_groups, 2);
    let bodies =
        record.bodies(recorder.journal_dir(), &recorder.tenant(), recorder.keys()).unwrap();
    assert_eq!(bodies[0].bytes, None);
}

#[tokio::test]
async fn what_a_crash_cut_off_is_ended_at_the_next_start() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    let recorder = running.recorder.clone();
    let mut writers = Vec::new();
    for number in 0..3 {
        let persons = recorder.persons(&names("u-42", &[])).await.unwrap();
        let mut writer = recorder.decision(ids(), persons);
        writer.commit(&intent_events(&[]), Vec::new()).await.unwrap();
        if number == 1 {
            writer.commit(&answer_events(), Vec::new()).await.unwrap();
        }
        let mut answer = writer.body(Role::UpstreamResponse, 0).unwrap();
        if number == 2 {
            answer.push_streamed(&vec![9; 600_000]);
        }
        writers.push((writer, answer));
    }
    let left = writers[2].0.ids().decision_id;
    recorder.control(event::Heartbeat::default()).await.unwrap();
    drop((writers, recorder));
    running.close();
    let running = dirs.open().await;
    assert_eq!(running.interrupted, 2);
    let recorder = running.recorder.clone();
    let mut records = RecordReader::open(recorder.journal_dir(), None, true).unwrap();
    let mut adopted = None;
    while let Some(record) = records.next(None).unwrap() {
        if record.leaf.decision_id == left && record.leaf.parts_bytes > 0 {
            adopted = Some(record);
        }
    }
    let adopted = adopted.expect("the parts that were left are adopted");
    assert_eq!(adopted.leaf.events[0].event_type, EventType::RequestFailed);
    let bodies =
        adopted.bodies(recorder.journal_dir(), &recorder.tenant(), recorder.keys()).unwrap();
    assert_eq!(bodies[0].bytes.as_deref(), Some(&vec![9; 512 * 1024][..]));
    drop(recorder);
    running.close();
    assert_eq!(dirs.open().await.interrupted, 0, "each is ended once");
}

#[tokio::test]
async fn records_are_sealed_and_proved() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    let recorder = running.recorder.clone();
    let mut positions = Vec::new();
    let persons = recorder.persons(&names("u-42", &[])).await.unwrap();
    let decision = ids();
    let mut writer = recorder.decision(decision.clone(), persons);
    positions.push(writer.commit(&intent_events(&[]), Vec::new()).await.unwrap().start);
    let outcome = writer.commit(&answer_events(), Vec::new()).await.unwrap();
    positions.push(outcome.start);
    let mut sealed = running.sealed.clone();
    sealed.wait_for(|size| *size > outcome.seq).await.unwrap();
    let data = dirs.data();
    let bundle = prove(&data, recorder.keys(), decision.decision_id, &positions, true).unwrap();
    assert_eq!(bundle.records.len(), 2);
    let files = LedgerFiles::new(&data.join("ledger"), 1);
    let vkey: ledger::VerifierKey = files.vkey().unwrap().unwrap().trim().parse().unwrap();
    let keys = ledger::TrustedKeys { log: vec![vkey], ..ledger::TrustedKeys::default() };
    for record in &bundle.records {
        let proof = ledger::TlogProof::parse(record.tlog_proof.as_bytes()).unwrap();
        proof.verify(record.leaf.as_bytes(), &keys).unwrap();
    }
    drop((writer, recorder));
    running.close();
}

#[tokio::test]
async fn a_restored_backup_is_not_signed_for() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    let backup = dirs.copy_of_data();
    running.recorder.control(event::Heartbeat::default()).await.unwrap();
    let mut sealed = running.sealed.clone();
    sealed.wait_for(|size| *size == 2).await.unwrap();
    drop(sealed);
    running.close();
    dirs.replace_data(&backup);
    let error = dirs.try_open().await.unwrap_err().to_string();
    assert!(error.contains("older than its last signed state"), "{error}");
    assert_eq!(recorder::start_epoch(&dirs.options()).unwrap(), 2);
    let running = dirs.open().await;
    let mut records = RecordReader::open(running.recorder.journal_dir(), None, false).unwrap();
    let mut last = None;
    while let Some(record) = records.next(None).unwrap() {
        last = Some(record);
    }
    let first_of_epoch = last.unwrap();
    assert_eq!((first_of_epoch.leaf.epoch, first_of_epoch.leaf.seq), (2, 0));
    let opened = first_of_epoch.opened("default", running.recorder.keys()).unwrap();
    let EventData::EpochStarted(started) = &opened.events[0].data else { panic!() };
    let checkpoint = started.checkpoint.as_deref().unwrap();
    let checkpoint = ledger::SignedCheckpoint::parse(checkpoint.as_bytes()).unwrap();
    assert_eq!(checkpoint.checkpoint().size, 2, "what was signed is known, not what was restored");
}

#[tokio::test]
async fn the_index_gets_every_record_once_and_in_order() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    for _ in 0..50 {
        running.recorder.control(event::Heartbeat::default()).await.unwrap();
    }
    let end = running.progress.borrow().end;
    let mut indexed = running.indexed.clone();
    indexed.wait_for(|at| at.is_some_and(|at| at >= end)).await.unwrap();
    assert_eq!(dirs.indexed_seqs(), (0..51).collect::<Vec<_>>());
    let keys = running.recorder.keys().clone();
    let mut records = Projector::open(running.recorder.journal_dir(), None, &keys).unwrap();
    let mut count = 0;
    while records.next(None).unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 51);
}
