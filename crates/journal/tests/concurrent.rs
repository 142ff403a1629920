//! Many appenders, readers of a journal that is being written, and sudden ends.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use journal::{Append, FrameKind, Journal, Options, Reader};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use support::memdisk::MemDisk;
use support::{Dir, TextLeaf, append, frame, leaf_texts, record};

/// Tells a child of this test binary where to append.
const CHILD_DIR: &str = "JOURNAL_TEST_CHILD_DIR";

#[test]
fn many_appenders_share_segments_and_a_reader_follows() {
    const APPENDERS: u64 = 16;
    const EACH: u64 = 60;
    let dir = Dir::new();
    let mut options = dir.options();
    options.queue_records_max = 5;
    let journal = Arc::new(Journal::open(options).unwrap().0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let appenders: Vec<_> = (0..APPENDERS)
        .map(|who| {
            let journal = Arc::clone(&journal);
            runtime.spawn(async move {
                let mut acked = Vec::new();
                for i in 0..EACH {
                    let text = format!("{who} {i} {}", "x".repeat((i * 37 % 900) as usize));
                    let committed = journal.append(record(&text)).await.unwrap();
                    assert!(journal.committed().borrow().end >= committed.end);
                    acked.push((committed, text));
                }
                acked
            })
        })
        .collect();
    let mut progress = journal.committed();
    let path = dir.journal();
    let follower = runtime.spawn(async move {
        let mut reader = Reader::open(path, None).unwrap();
        let mut texts = Vec::new();
        while texts.len() < (APPENDERS * EACH) as usize {
            let end = progress.borrow_and_update().end;
            let mut frames = Vec::new();
            while let Some(frame) = reader.next(Some(end)).unwrap() {
                frames.push(frame);
            }
            texts.extend(leaf_texts(&frames));
            // Nothing comes after the last one.
            if texts.len() < (APPENDERS * EACH) as usize && reader.position() >= end {
                progress.changed().await.unwrap();
            }
        }
        texts
    });
    let mut by_seq = BTreeMap::new();
    for task in appenders {
        let acked = runtime.block_on(task).unwrap();
        assert!(acked.is_sorted_by_key(|(committed, _)| committed.seq));
        by_seq
            .extend(acked.into_iter().map(|(committed, text)| (committed.seq, (committed, text))));
    }
    assert_eq!(by_seq.len() as u64, APPENDERS * EACH);
    let ordered: Vec<_> = by_seq.values().collect();
    for pair in ordered.windows(2) {
        assert!(pair[0].0.end <= pair[1].0.start && pair[0].0.ts_micros < pair[1].0.ts_micros);
    }
    assert!(ordered.last().unwrap().0.end.segment > 5);
    let texts: Vec<String> = ordered.into_iter().map(|(_, text)| text.clone()).collect();
    let followed = runtime.block_on(follower).unwrap();
    assert_eq!(followed, texts);
    let stats = journal.stats();
    assert_eq!((stats.appends, stats.leaves), (APPENDERS * EACH, APPENDERS * EACH));
    assert_eq!(stats.batch_appends.sum, stats.appends);
    assert!(stats.commits <= stats.appends + 40 && stats.sync_micros.count() == stats.commits);
    drop(journal);
    assert_eq!(leaf_texts(&dir.read_all().unwrap()), texts);
}

/// Appends until it is killed, if it is a child; says which records were acknowledged.
#[test]
fn child_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let mut options = Options::new(dir);
    options.segment_bytes = 128 << 10;
    options.zero_ahead_bytes = 16 << 10;
    let (journal, _) = Journal::open(options).unwrap();
    let journal = Arc::new(journal);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|who| {
            let journal = Arc::clone(&journal);
            runtime.spawn(async move {
                for i in 0.. {
                    let text = format!("{who}-{i} {}", "y".repeat(i * 91 % 3000));
                    let mut append = record(&text);
                    append.frames.insert(0, frame(FrameKind::Part, &vec![1; i * 377 % 5000]));
                    let committed = journal.append(append).await.unwrap();
                    // One write, so that a line is never half there.
                    println!("acked {} {text}", committed.seq);
                }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    const ROUNDS: usize = 30;
    let dir = Dir::new();
    let mut acked: BTreeMap<u64, String> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD_DIR, dir.journal())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed after some number of answers: somewhere in what comes next.
        let wanted = 1 + round * 37 % 200;
        let mut note = |line: String| {
            let Some(rest) = line.split_once("acked ").map(|(_, rest)| rest) else { return false };
            let (seq, text) = rest.split_once(' ').unwrap();
            acked.insert(seq.parse().unwrap(), text.to_owned());
            true
        };
        let mut seen = 0;
        while seen < wanted {
            seen += usize::from(note(lines.next().unwrap().unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        // The last line may be cut off.
        for line in rest.iter().take(rest.len().saturating_sub(1)) {
            note(line.clone());
        }
        let mut options = Options::new(dir.journal());
        options.segment_bytes = 128 << 10;
        options.zero_ahead_bytes = 16 << 10;
        let (journal, recovered) = Journal::open(options).unwrap();
        assert!(!recovered.watermark_missing);
        drop(journal);
        let texts = leaf_texts(&dir.read_all().unwrap());
        assert_eq!(texts.len() as u64, recovered.next_seq);
        for (seq, text) in &acked {
            assert_eq!(texts[*seq as usize], *text, "record {seq}");
        }
    }
    assert!(acked.len() > ROUNDS * 20);
}

/// An append, as its parts' sizes and whether a record follows.
fn appends() -> impl Strategy<Value = Vec<(Vec<Vec<u8>>, bool, u16)>> {
    let payload = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (0_usize..100_000, any::<u8>()).prop_map(|(n, byte)| vec![byte; n]),
    ];
    prop::collection::vec((prop::collection::vec(payload, 0..4), any::<bool>(), 0_u16..400), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_appends_are_read_back(appends in appends(), reopen_at in 0_usize..20) {
        let dir = Dir::new();
        let disk = MemDisk::new();
        let open = || Journal::open_on(disk.clone(), dir.options()).unwrap().0;
        let mut journal = open();
        let mut expected = Vec::new();
        for (i, (parts, leaf, keys)) in appends.iter().enumerate() {
            if i == reopen_at {
                journal.close().unwrap();
                journal = open();
            }
            let mut frames = Vec::new();
            for payload in parts {
                let keys = vec![7; usize::from(*keys)];
                frames.push(journal::Frame { kind: FrameKind::Part, keys, payload: payload.clone() });
            }
            let leaf = leaf.then(|| Box::new(TextLeaf(i.to_string())) as Box<_>);
            if leaf.is_some() {
                frames.push(frame(FrameKind::Open, b"open"));
            }
            if frames.is_empty() {
                continue;
            }
            let has_leaf = leaf.is_some();
            expected.extend(frames.iter().map(|f| (f.kind, f.keys.clone(), f.payload.clone())));
            let committed = append(&journal, Append { frames, leaf }).unwrap();
            if has_leaf {
                let text = format!("1 {} {} {i}", committed.seq, committed.ts_micros);
                expected.push((FrameKind::Leaf, Vec::new(), text.into_bytes()));
            }
        }
        journal.close().unwrap();
        let mut reader = Reader::open_on(disk, dir.journal(), None).unwrap();
        let mut found = Vec::new();
        while let Some(frame) = reader.next(None).unwrap() {
            found.push((frame.kind, frame.keys, frame.payload));
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn an_append_commits_in_its_callers_thread_while_nobody_else_is_at_work() {
    let (dir, disk) = (Dir::new(), MemDisk::new());
    let mut options = dir.options();
    options.commit_in_place = true;
    let (journal, _) = Journal::open_on(disk.clone(), options).unwrap();
    append(&journal, record("alone")).unwrap();
    disk.hold_syncs();
    // The committer's thread is held in a sync, so this one's append goes to the queue.
    let held = journal.append_nowait(record("queued")).unwrap();
    disk.wait_for_sync();
    let behind = journal.append_nowait(record("behind")).unwrap();
    disk.release();
    support::wait(held).unwrap().unwrap();
    support::wait(behind).unwrap().unwrap();
    append(&journal, record("alone again")).unwrap();
    journal.close().unwrap();
    let mut reader = Reader::open_on(disk, dir.journal(), None).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| reader.next(None).unwrap()).collect();
    assert_eq!(leaf_texts(&frames), ["alone", "queued", "behind", "alone again"]);
}
