//! Directories that are copied, clocks that jump, backlogs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use common::Dirs;
use event::{EventData, Heartbeat};
use recorder::{RecordReader, Running};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

async fn write(running: &Running, records: u64) {
    for _ in 0..records {
        running.recorder.control(Heartbeat::default()).await.unwrap();
    }
}

async fn wait_sealed(running: &Running, wanted: u64) {
    let mut sealed = running.sealed.clone();
    let reached = sealed.wait_for(|size| *size >= wanted);
    tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap();
}

/// A snapshot of a machine, brought up twice: both have the same keys and the same journal, and
/// no lock holds across them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_copies_that_run_at_once_one_signs() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    write(&running, 3).await;
    wait_sealed(&running, 4).await;
    let copy = dirs.copy_of_data();
    let twin = dirs.open_copy(&copy).await.unwrap();
    write(&running, 1).await;
    wait_sealed(&running, 5).await;
    write(&twin, 1).await;
    let refused = async {
        while twin.is_sealing() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the second signer is refused");
    assert_eq!(*twin.sealed.borrow(), 4, "it has signed nothing");
    write(&running, 1).await;
    wait_sealed(&running, 6).await;
    assert!(running.is_sealing(), "the first goes on");
    twin.close();
    let error = dirs.open_copy(&copy).await.unwrap_err().to_string();
    assert!(error.contains("older than its last signed state"), "{error}");
}

/// As [`of_two_copies_that_run_at_once_one_signs`], but the second is at least as long.
#[tokio::test]
async fn a_copy_with_other_records_is_not_signed_for() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    write(&running, 3).await;
    let copy = dirs.copy_of_data();
    write(&running, 2).await;
    running.close();
    let ours = Dirs::new();
    // Written apart, and so signed nowhere that matters.
    let options = recorder::Options {
        data: copy.clone(),
        state_dir: ours.options().state_dir,
        ..dirs.options()
    };
    let apart = recorder::open(options, || Ok(ours.index_writer())).await.unwrap();
    write(&apart, 4).await;
    apart.close();
    let error = dirs.open_copy(&copy).await.unwrap_err().to_string();
    assert!(error.contains("are not those that were signed for"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_backlog_is_sealed_and_indexed_once() {
    const RECORDS: u64 = 20_000;
    let mut dirs = Dirs::new();
    let running = dirs.open().await;
    let mut writing = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let recorder = running.recorder.clone();
        writing.spawn(async move {
            for _ in 0..RECORDS / 200 {
                recorder.control(Heartbeat::default()).await.unwrap();
            }
        });
    }
    writing.join_all().await;
    running.close();
    dirs.drop_derived();
    let running = dirs.open().await;
    wait_sealed(&running, RECORDS + 1).await;
    let end = running.progress.borrow().end;
    let mut indexed = running.indexed.clone();
    let caught_up = indexed.wait_for(|at| at.is_some_and(|at| at >= end));
    tokio::time::timeout(PATIENCE, caught_up).await.unwrap().unwrap();
    assert_eq!(dirs.indexed_seqs(), (0..=RECORDS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_clock_that_was_ahead_is_told_in_the_log() {
    let dirs = Dirs::new();
    let running = dirs.open().await;
    running.close();
    // Two days ahead for one record.
    let ahead = std::sync::Arc::new(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        (now.as_micros() as i64) + 2 * 86_400_000_000
    });
    dirs.write_with_clock(ahead).await;
    let running = dirs.open().await;
    let mut progress = running.progress.clone();
    let told = progress.wait_for(|progress| progress.next_seq >= 3);
    tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
    let mut reader = RecordReader::open(running.recorder.journal_dir(), None, false).unwrap();
    let mut times = Vec::new();
    let mut jumps = Vec::new();
    while let Some(record) = reader.next(None).unwrap() {
        times.push(record.leaf.ts);
        let opened = record.opened("default", running.recorder.keys()).unwrap();
        for event in opened.events {
            if let EventData::ClockAnomaly(anomaly) = event.data {
                jumps.push(anomaly.jump_us.unwrap());
            }
        }
    }
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert_eq!(jumps.len(), 1, "{times:?}");
    assert!(jumps[0] < -86_400_000_000, "{jumps:?}");
}
