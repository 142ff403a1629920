//! The disk fails: nothing that was acknowledged is lost, nothing is acknowledged that may be.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use journal::FrameKind::{Leaf, Open, Part, Sealed};
use journal::{Append, Committed, Error, Journal, Reader};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use support::memdisk::{EIO, EMFILE, ENOSPC, EROFS, MemDisk, Op};
use support::{Dir, append, frame, leaf_texts, record};

type Acked = BTreeMap<u64, Committed>;

/// A record with a part of the given size.
fn sized(text: &str, bytes: usize) -> Append {
    let mut record = record(text);
    record.frames.insert(0, frame(Part, &vec![7; bytes]));
    record
}

/// Opens, appends enough to roll over, closes. Stops at the first failure that lasts.
fn workload(dir: &Dir, disk: &Arc<MemDisk>, acked: &mut Acked) -> Result<(), Error> {
    let (journal, recovered) = Journal::open_on(disk.clone(), dir.options())?;
    for _ in 0..9 {
        let text = format!("{}", recovered.next_seq);
        match append(&journal, sized(&text, 20_000)) {
            Ok(committed) => {
                acked.insert(committed.seq, committed);
            }
            Err(error) if error.is_temporary() => {}
            Err(error) => {
                assert!(journal.stats().poisoned, "{error}");
                assert!(journal.poison_cause().is_some());
                let again = append(&journal, record("again")).unwrap_err();
                assert!(matches!(again, Error::Poisoned), "{again}");
                return Err(error);
            }
        }
    }
    journal.close()
}

/// Every acknowledged record is there, once, where it was said to be; the rest is whole.
fn check(dir: &Path, disk: &Arc<MemDisk>, acked: &Acked) {
    let mut reader = Reader::open_on(disk.clone(), dir, None).unwrap();
    let mut seq = 0;
    let mut since_leaf = Vec::new();
    while let Some(frame) = reader.next(None).unwrap() {
        since_leaf.push(frame.kind);
        if frame.kind == Leaf {
            assert_eq!(frame.seq, seq);
            if let Some(committed) = acked.get(&seq) {
                assert_eq!((frame.at, frame.next), (committed.leaf, committed.end));
            }
            assert!(since_leaf.ends_with(&[Part, Open, Sealed, Leaf]) || acked.is_empty());
            since_leaf.clear();
            seq += 1;
        }
    }
    let last = acked.keys().last().map_or(0, |last| last + 1);
    assert!(seq >= last, "{seq} records, though {last} were acknowledged");
}

/// Opens again, checks, appends, and checks once more.
fn check_reopened(dir: &Dir, disk: &Arc<MemDisk>, acked: &mut Acked) {
    let (journal, _) = Journal::open_on(disk.clone(), dir.options()).unwrap();
    check(&dir.journal(), disk, acked);
    let committed = append(&journal, sized("after", 10)).unwrap();
    acked.insert(committed.seq, committed);
    journal.close().unwrap();
    check(&dir.journal(), disk, acked);
}

/// All zeros of the first segment are written at once, so that nothing happens at the same time.
fn without_helper(dir: &Dir) -> journal::Options {
    let mut options = dir.options();
    options.zero_ahead_bytes = options.segment_bytes;
    options
}

#[test]
fn any_call_may_fail_once() {
    for errno in [EIO, ENOSPC, EMFILE] {
        let mut n = 0;
        loop {
            let (dir, disk, mut acked) = (Dir::new(), MemDisk::new(), Acked::new());
            disk.fail(None, "", n, 1, errno);
            let _ = workload(&dir, &disk, &mut acked);
            if !disk.all_failed() {
                break;
            }
            check_reopened(&dir, &disk, &mut acked);
            n += 1;
        }
        assert!(n > 60, "only {n} calls");
    }
}

#[test]
fn power_may_go_at_any_call() {
    let total = {
        let (dir, disk, mut acked) = (Dir::new(), MemDisk::new(), Acked::new());
        workload(&dir, &disk, &mut acked).unwrap();
        workload(&dir, &disk, &mut acked).unwrap();
        disk.calls()
    };
    assert!(total > 100);
    for call in 1..total {
        for seed in 1..3 {
            let (dir, disk, mut acked) = (Dir::new(), MemDisk::new(), Acked::new());
            disk.crash_at(call, seed * 77_777 + call);
            let first = workload(&dir, &disk, &mut acked);
            if first.is_ok() {
                let _ = workload(&dir, &disk, &mut acked);
            }
            let Some(after) = disk.after_crash() else { continue };
            check_reopened(&dir, &after, &mut acked);
        }
    }
}

#[test]
fn a_failed_sync_is_final_and_believed_only_after_it_is_written_again() {
    let (dir, disk, mut acked) = (Dir::new(), MemDisk::new(), Acked::new());
    let (journal, _) = Journal::open_on(disk.clone(), without_helper(&dir)).unwrap();
    let first = append(&journal, sized("kept", 100)).unwrap();
    acked.insert(0, first);
    disk.fail(Some(Op::Sync), ".seg", 0, 1, EIO);
    let error = append(&journal, sized("lost", 9000)).unwrap_err();
    assert!(matches!(error, Error::Io { action: "sync", .. }), "{error}");
    assert!(matches!(append(&journal, record("x")), Err(Error::Poisoned)));
    assert!(matches!(journal.append_nowait(record("x")), Err(Error::Poisoned)));
    assert_eq!(journal.committed().borrow().end, first.end);
    assert!(journal.close().is_err());

    // The next start sees the record in memory, though the disk does not have it.
    let (journal, recovered) = Journal::open_on(disk.clone(), dir.options()).unwrap();
    assert_eq!(recovered.next_seq, 2);
    drop(journal);
    let after = disk.power_cut(1);
    check_reopened(&dir, &after, &mut acked);
    let reader = Reader::open_on(after, dir.journal(), None).unwrap();
    assert_eq!(leaf_texts(&all(reader)), ["kept", "lost", "after"]);
}

fn all(mut reader: Reader) -> Vec<journal::StoredFrame> {
    std::iter::from_fn(|| reader.next(None).unwrap()).collect()
}

#[test]
fn short_and_interrupted_transfers_are_continued() {
    let (dir, disk, mut acked) = (Dir::new(), MemDisk::new(), Acked::new());
    disk.short();
    workload(&dir, &disk, &mut acked).unwrap();
    assert_eq!(acked.len(), 9);
    check_reopened(&dir, &disk, &mut acked);
}

#[test]
fn a_full_disk_refuses_whole_records_and_recovers_without_a_restart() {
    let (dir, disk, mut acked) = (Dir::new(), MemDisk::new(), Acked::new());
    let (journal, _) = Journal::open_on(disk.clone(), dir.options()).unwrap();
    for round in 0..6 {
        disk.capacity(Some(disk.used() + round * 30_000));
        let mut refused = 0;
        for i in 0..200 {
            match append(&journal, sized(&format!("{round} {i}"), 3000)) {
                Ok(committed) => {
                    assert_eq!(refused, 0, "room is not found by itself");
                    acked.insert(committed.seq, committed);
                }
                Err(Error::DiskFull) => refused += 1,
                Err(other) => panic!("{other}"),
            }
            if refused == 3 {
                break;
            }
        }
        assert_eq!(refused, 3);
        // A smaller record may still fit.
        if let Ok(committed) = append(&journal, sized("small", 1)) {
            acked.insert(committed.seq, committed);
        }
        check(&dir.journal(), &disk, &Acked::new());
    }
    disk.capacity(None);
    assert!(!journal.stats().poisoned);
    assert!(journal.stats().disk_full >= 18);
    let committed = append(&journal, sized("room again", 60_000)).unwrap();
    assert_eq!(committed.seq, acked.len() as u64);
    acked.insert(committed.seq, committed);
    assert!(committed.end.segment > 2);
    journal.close().unwrap();
    check_reopened(&dir, &disk, &mut acked);
}

#[test]
fn a_batch_that_finds_no_room_leaves_nothing() {
    let (dir, disk, mut acked) = (Dir::new(), MemDisk::new(), Acked::new());
    let (journal, _) = Journal::open_on(disk.clone(), without_helper(&dir)).unwrap();
    let first = append(&journal, sized("a", 100)).unwrap();
    acked.insert(0, first);
    disk.short();
    disk.fail(Some(Op::Write), ".seg", 2, 1, ENOSPC);
    let error = append(&journal, sized("b", 2000)).unwrap_err();
    assert!(matches!(error, Error::DiskFull), "{error}");
    let bytes = disk.bytes(&dir.segment(0));
    assert!(bytes[first.end.offset as usize..].iter().all(|b| *b == 0));
    let committed = append(&journal, sized("c", 100)).unwrap();
    assert_eq!((committed.seq, committed.start), (1, first.end));
    acked.insert(1, committed);
    drop(journal);
    check_reopened(&dir, &disk, &mut acked);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    for op in [Op::CreateDir, Op::Open, Op::SyncDir, Op::Rename, Op::Write] {
        let (dir, disk) = (Dir::new(), MemDisk::new());
        disk.fail(Some(op), "", 0, 1, EROFS);
        let opened = Journal::open_on(disk.clone(), dir.options());
        assert!(disk.all_failed());
        let error = opened.unwrap_err();
        assert!(matches!(error, Error::NotWritable { .. }), "{op:?}: {error}");
        assert!(error.to_string().contains("is not writable"), "{error}");
    }
}

#[test]
fn unsynced_records_survive_a_kill_but_not_a_power_cut() {
    let (dir, disk) = (Dir::new(), MemDisk::new());
    let mut options = dir.options();
    options.durability = support::PROCESS;
    let (journal, _) = Journal::open_on(disk.clone(), options.clone()).unwrap();
    let texts: Vec<String> = (0..50).map(|i| i.to_string()).collect();
    disk.hold_syncs();
    for text in &texts[..20] {
        append(&journal, record(text)).unwrap();
    }
    let progress = *journal.committed().borrow();
    assert!(progress.durable < progress.end);
    // Whatever half of the sectors a power cut leaves, the journal opens with a prefix.
    for seed in 1..40 {
        let after = disk.power_cut(seed * 7919);
        let reader_dir = Dir::new();
        let mut reader = Reader::open_on(after, dir.journal(), None).unwrap();
        let mut found = Vec::new();
        while let Some(frame) = reader.next(None).unwrap() {
            found.push(frame);
        }
        let found = leaf_texts(&found);
        assert_eq!(found, texts[..found.len()]);
        drop(reader_dir);
    }
    disk.release();
    for text in &texts[20..] {
        append(&journal, record(text)).unwrap();
    }
    journal.close().unwrap();
    let after = disk.power_cut(5);
    let (journal, recovered) = Journal::open_on(after, options).unwrap();
    assert_eq!((recovered.next_seq, recovered.torn_bytes), (50, 0));
    drop(journal);
}
