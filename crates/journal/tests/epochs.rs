//! Epochs, the reserve, clocks, limits: what a journal does besides appending.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use journal::{Append, Durability, Error, Files, FrameKind, Gap, Journal, Position, Reader};
use support::memdisk::{EIO, MemDisk, Op};
use support::{Dir, TextLeaf, append, frame, leaf_texts, part, record, settable};

#[test]
fn a_new_epoch_leaves_the_old_one_readable() {
    let dir = Dir::new();
    let journal = dir.open();
    for i in 0..30 {
        append(&journal, part(&[1; 5000])).unwrap();
        append(&journal, record(&format!("old {i}"))).unwrap();
    }
    let last = *journal.committed().borrow();
    journal.close().unwrap();
    // As after a restore: the end is missing, so the journal refuses.
    let segment = dir.segment(last.end.segment);
    let cut = std::fs::metadata(&segment).unwrap().len() - last.end.offset + 10;
    let file = std::fs::File::options().write(true).open(&segment).unwrap();
    file.set_len(last.end.offset - 10).unwrap();
    assert!(cut > 0);
    assert!(matches!(Journal::open(dir.options()), Err(Error::Corrupt { .. })));

    assert_eq!(Journal::start_epoch(&dir.options()).unwrap(), 2);
    let (journal, recovered) = Journal::open(dir.options()).unwrap();
    assert_eq!(journal.meta().epoch, 2);
    assert_eq!((recovered.next_seq, recovered.end), (0, Position::new(2, 0, 4096)));
    assert!(!recovered.watermark_missing);
    let committed = append(&journal, record("new")).unwrap();
    assert_eq!((committed.seq, committed.leaf.epoch), (0, 2));
    // Time goes on where the old epoch's readable part ended.
    assert!(committed.ts_micros > last.last_ts_micros - 2, "{}", committed.ts_micros);
    let error = Journal::start_epoch(&dir.options()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    let end = journal.committed().borrow().end;
    journal.close().unwrap();

    let texts = leaf_texts(&dir.read_all().unwrap());
    assert_eq!(texts.len(), 30);
    assert_eq!(
        (texts[0].as_str(), texts[28].as_str(), texts[29].as_str()),
        ("old 0", "old 28", "new")
    );
    let mut reader = Reader::open(dir.journal(), Some(Position::new(2, 0, 0))).unwrap();
    assert_eq!(reader.next(Some(end)).unwrap().unwrap().at, Position::new(2, 0, 4096));
    dir.open();
}

#[test]
fn an_epoch_that_was_not_quite_started_is_started_again() {
    for fail_at in 0.. {
        let (dir, disk) = (Dir::new(), MemDisk::new());
        let (journal, _) = Journal::open_on(disk.clone(), dir.options()).unwrap();
        append(&journal, record("old")).unwrap();
        journal.close().unwrap();
        disk.fail(None, "", fail_at, 1, EIO);
        let started = Journal::start_epoch_on(&*disk, &dir.options());
        if !disk.all_failed() {
            assert_eq!(started.unwrap(), 2);
            assert!(fail_at > 10);
            break;
        }
        assert!(started.is_err());
        // Either epoch is whole.
        let (journal, recovered) = Journal::open_on(disk.clone(), dir.options()).unwrap();
        let epoch = journal.meta().epoch;
        assert_eq!(recovered.next_seq, u64::from(epoch == 1));
        journal.close().unwrap();
        assert_eq!(Journal::start_epoch_on(&*disk, &dir.options()).unwrap(), epoch + 1);
        let (journal, _) = Journal::open_on(disk.clone(), dir.options()).unwrap();
        append(&journal, record("new")).unwrap();
    }
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let dir = Dir::new();
    dir.open();
    let mut options = dir.options();
    options.tenant = "other".to_owned();
    assert!(matches!(Journal::open(options), Err(Error::Mismatch { .. })));
    let mut options = dir.options();
    options.writer = Some("w-00000002".to_owned());
    assert!(matches!(Journal::open(options), Err(Error::Mismatch { .. })));
    let mut options = dir.options();
    options.writer = None;
    assert_eq!(Journal::open(options).unwrap().0.meta().writer, "w-00000001");
    // Records without meta.json are not taken for a new directory.
    let journal = dir.open();
    append(&journal, record("a")).unwrap();
    drop(journal);
    std::fs::remove_file(dir.journal().join("meta.json")).unwrap();
    assert!(matches!(Journal::open(dir.options()), Err(Error::Mismatch { .. })));
}

#[test]
fn gaps_are_noted_when_nothing_else_can_be_written() {
    let (dir, disk) = (Dir::new(), MemDisk::new());
    let (journal, _) = Journal::open_on(disk.clone(), dir.options()).unwrap();
    assert_eq!(journal.reserve().gap().unwrap(), None);
    disk.fail(Some(Op::Sync), ".seg", 0, 1, EIO);
    append(&journal, part(&[1; 9000])).unwrap_err();
    disk.capacity(Some(disk.used()));
    journal.reserve().gap_started(77).unwrap();
    let gap = Gap { started_micros: Some(77), calls: None, ended_micros: None };
    assert_eq!(journal.reserve().gap().unwrap(), Some(gap));
    journal.reserve().gap_counted(5, None).unwrap();
    journal.reserve().gap_counted(6, Some(99)).unwrap();
    drop(journal);

    disk.capacity(None);
    let after = disk.power_cut(3);
    let (journal, _) = Journal::open_on(after.clone(), dir.options()).unwrap();
    let gap = Gap { started_micros: Some(77), calls: Some(6), ended_micros: Some(99) };
    assert_eq!(journal.reserve().gap().unwrap(), Some(gap));
    // A damaged note still says that there was a gap.
    after.edit(&dir.journal().join("reserve"), |bytes| bytes[9] ^= 1);
    let gap = Gap { started_micros: None, ..gap };
    assert_eq!(journal.reserve().gap().unwrap(), Some(gap));
    journal.reserve().clear().unwrap();
    assert_eq!(journal.reserve().gap().unwrap(), None);
    drop(journal);
    let (journal, _) = Journal::open_on(after.power_cut(4), dir.options()).unwrap();
    assert_eq!(journal.reserve().gap().unwrap(), None);
}

#[test]
fn times_rise_whatever_the_clock_does_and_jumps_are_told() {
    const DAY: i64 = 24 * 3600 * 1_000_000;
    let dir = Dir::new();
    let (time, clock) = settable(10 * DAY);
    let mut options = dir.options();
    options.clock = clock;
    let (journal, _) = Journal::open(options.clone()).unwrap();
    let ts = |journal: &Journal| append(journal, record("x")).unwrap().ts_micros;
    let set = |to: i64| time.store(to, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(ts(&journal), 10 * DAY);
    set(10 * DAY + 500);
    assert_eq!(ts(&journal), 10 * DAY + 500);
    // A small correction is none of our business.
    set(10 * DAY);
    assert_eq!(ts(&journal), 10 * DAY + 501);
    assert_eq!(journal.stats().clock_jumps, 0);
    set(9 * DAY);
    assert_eq!(ts(&journal), 10 * DAY + 502);
    let jump = journal.stats().last_clock_jump.unwrap();
    assert_eq!((jump.shown_micros, jump.seq), (9 * DAY, 3));
    assert!(jump.expected_micros >= 10 * DAY);
    set(12 * DAY);
    assert_eq!(ts(&journal), 12 * DAY);
    assert_eq!(journal.stats().clock_jumps, 2);
    assert_eq!(journal.committed().borrow().clock_jumps, 2);
    assert_eq!(ts(&journal), 12 * DAY + 1);
    assert_eq!(journal.stats().clock_jumps, 2);
    drop(journal);

    set(11 * DAY);
    let (journal, _) = Journal::open(options).unwrap();
    assert_eq!(journal.stats().clock_jumps, 1);
    assert_eq!(ts(&journal), 12 * DAY + 2);
}

#[test]
fn times_rise_across_segments_without_leaves() {
    let dir = Dir::new();
    let mut options = dir.options();
    let (time, clock) = settable(5_000_000);
    options.clock = clock;
    let (journal, _) = Journal::open(options.clone()).unwrap();
    append(&journal, record("a")).unwrap();
    for _ in 0..10 {
        append(&journal, part(&vec![1; 20_000])).unwrap();
    }
    drop(journal);
    time.store(1, std::sync::atomic::Ordering::SeqCst);
    let (journal, recovered) = Journal::open(options).unwrap();
    assert_eq!(recovered.last_ts_micros, 5_000_000);
    assert_eq!(append(&journal, record("b")).unwrap().ts_micros, 5_000_001);
}

#[test]
fn what_no_reader_could_use_is_refused() {
    let dir = Dir::new();
    let journal = dir.open();
    let leaf = |text: &str| Some(Box::new(TextLeaf(text.to_owned())) as Box<_>);
    let no_leaf = |kind| Append { frames: vec![frame(kind, b"x")], leaf: None };
    for append in [
        Append::default(),
        no_leaf(FrameKind::Open),
        no_leaf(FrameKind::Leaf),
        no_leaf(FrameKind::SegmentEnd),
        Append {
            frames: vec![frame(FrameKind::Open, b"x"), frame(FrameKind::Part, b"x")],
            leaf: leaf("x"),
        },
    ] {
        assert!(matches!(support::append(&journal, append), Err(Error::Invalid { .. })));
    }
    let mut keys = part(b"x");
    keys.frames[0].keys = vec![0; 65_536];
    let huge = part(&vec![0; (64 << 20) - 48]);
    let long = Append { frames: Vec::new(), leaf: leaf(&"x".repeat(65_536)) };
    for append in [keys, huge, long] {
        let error = support::append(&journal, append).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }
    assert_eq!(append(&journal, record("fine")).unwrap().seq, 0);
}

#[test]
fn a_record_larger_than_a_segment_gets_a_segment_that_fits() {
    let dir = Dir::new();
    let journal = dir.open();
    append(&journal, record("before")).unwrap();
    let mut large = record("large");
    large.frames.insert(0, frame(FrameKind::Part, &vec![5; 3 << 20]));
    let committed = append(&journal, large).unwrap();
    assert_eq!((committed.start, committed.seq), (Position::new(1, 1, 4096), 1));
    let after = append(&journal, record("after")).unwrap();
    assert_eq!(after.start, Position::new(1, 2, 4096));
    drop(journal);
    assert_eq!(leaf_texts(&dir.read_all().unwrap()), ["before", "large", "after"]);
    dir.open();
}

#[test]
fn a_full_queue_is_busy_and_every_answer_comes() {
    let (dir, disk) = (Dir::new(), MemDisk::new());
    let mut options = dir.options();
    options.queue_records_max = 4;
    options.queue_bytes_max = 20_000;
    let (journal, _) = Journal::open_on(disk.clone(), options).unwrap();
    disk.hold_syncs();
    let mut answers = vec![journal.append_nowait(record("0")).unwrap()];
    disk.wait_for_sync();
    let busy = loop {
        match journal.append_nowait(record(&answers.len().to_string())) {
            Ok(answer) => answers.push(answer),
            Err(error) => break error,
        }
    };
    assert!(matches!(busy, Error::Busy) && busy.is_temporary(), "{busy}");
    assert_eq!(answers.len(), 5);
    assert_eq!(journal.stats().queued, 4);
    disk.release();
    for (seq, answer) in answers.into_iter().enumerate() {
        assert_eq!(support::wait(answer).unwrap().unwrap().seq, seq as u64);
    }
    // Bytes are bounded, too.
    disk.hold_syncs();
    let first = journal.append_nowait(record("x")).unwrap();
    disk.wait_for_sync();
    let second = journal.append_nowait(part(&[0; 15_000])).unwrap();
    assert!(matches!(journal.append_nowait(part(&[0; 15_000])), Err(Error::Busy)));
    disk.release();
    for answer in [first, second] {
        support::wait(answer).unwrap().unwrap();
    }
    // One that is larger than the whole queue still finds its way.
    append(&journal, part(&vec![0; 30_000])).unwrap();
}

#[test]
fn closing_answers_and_keeps_what_waits() {
    for durability in [Durability::Disk, Durability::Process] {
        let dir = Dir::new();
        let mut options = dir.options();
        options.durability = durability;
        let (journal, _) = Journal::open(options).unwrap();
        let answers: Vec<_> =
            (0..200).map(|i| journal.append_nowait(record(&i.to_string())).unwrap()).collect();
        journal.close().unwrap();
        for (seq, mut answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.try_recv().unwrap().unwrap().seq, seq as u64);
        }
        assert_eq!(dir.read_all().unwrap().len(), 600);
    }
}

#[test]
fn a_leaf_source_that_panics_harms_nobody_else() {
    struct Panics;
    impl journal::LeafSource for Panics {
        fn finish(&mut self, _: u64, _: u64, _: i64, out: &mut Vec<u8>) {
            out.push(1);
            panic!("a test");
        }
    }
    let dir = Dir::new();
    let journal = dir.open();
    let panics = Append { frames: Vec::new(), leaf: Some(Box::new(Panics)) };
    assert!(matches!(append(&journal, panics), Err(Error::Invalid { .. })));
    assert_eq!(append(&journal, record("x")).unwrap().seq, 0);
    journal.close().unwrap();
    assert_eq!(leaf_texts(&dir.read_all().unwrap()), ["x"]);
}

#[test]
fn single_frames_are_read_from_many_segments() {
    let dir = Dir::new();
    let journal = dir.open();
    let committed: Vec<_> = (0..60)
        .map(|i| append(&journal, record(&format!("{i}{}", "x".repeat(30_000)))).unwrap())
        .collect();
    let files = Files::new(dir.journal());
    for committed in committed.iter().chain(committed.iter().rev()) {
        let leaf = files.read(committed.leaf).unwrap();
        assert_eq!(
            (leaf.kind, leaf.seq, leaf.next),
            (FrameKind::Leaf, committed.seq, committed.end)
        );
    }
    assert!(committed.last().unwrap().leaf.segment > 40);
    let nowhere = Position { offset: committed[0].leaf.offset + 8, ..committed[0].leaf };
    assert!(matches!(files.read(nowhere), Err(Error::Corrupt { .. })));
    assert!(files.read(Position::new(1, 0, 1 << 40)).is_err());
    assert!(files.read(Position::new(7, 0, 4096)).is_err());
}
