//! Append, read back, reopen.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use journal::FrameKind::{Leaf, Open, Part, Sealed};
use journal::{Error, Journal, Position, Reader, read_frame};
use support::{Dir, append, leaf_texts, part, record};

#[test]
fn what_is_appended_is_read_back() {
    let dir = Dir::new();
    let journal = dir.open();
    let early = append(&journal, part(b"piece")).unwrap();
    let first = append(&journal, record("a")).unwrap();
    let second = append(&journal, record("b")).unwrap();
    assert_eq!((early.seq, first.seq, second.seq), (0, 0, 1));
    assert_eq!(first.start, early.end);
    assert_eq!((first.ts_micros, second.ts_micros), (1_000_000, 1_000_001));

    let end = journal.committed().borrow().end;
    assert_eq!(end, second.end);
    let mut reader = Reader::open(dir.journal(), None).unwrap();
    let mut kinds = Vec::new();
    while let Some(frame) = reader.next(Some(end)).unwrap() {
        assert_eq!(read_frame(&dir.journal(), frame.at).unwrap(), frame);
        kinds.push(frame.kind);
    }
    assert_eq!(kinds, [Part, Open, Sealed, Leaf, Open, Sealed, Leaf]);
    assert_eq!(reader.position(), end);
    let leaf = read_frame(&dir.journal(), second.leaf).unwrap();
    assert_eq!(leaf.payload, b"1 1 1000001 b");
    assert_eq!((leaf.seq, leaf.ts_micros), (1, 1_000_001));
}

#[test]
fn files_are_for_their_owner_and_a_new_journal_misses_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let (journal, recovered) = Journal::open(dir.options()).unwrap();
    assert!(!recovered.watermark_missing);
    drop(journal);
    let entries: Vec<_> = std::fs::read_dir(dir.journal()).unwrap().map(Result::unwrap).collect();
    assert!(entries.len() >= 4);
    for entry in entries {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[test]
fn a_reopened_journal_goes_on() {
    let dir = Dir::new();
    let journal = dir.open();
    append(&journal, record("a")).unwrap();
    let meta = journal.meta().clone();
    let end = journal.committed().borrow().end;
    journal.close().unwrap();

    let (journal, recovered) = Journal::open(dir.options()).unwrap();
    assert_eq!((recovered.next_seq, recovered.end), (1, end));
    assert_eq!((recovered.torn_bytes, recovered.watermark_missing), (0, false));
    assert_eq!(*journal.meta(), meta);
    let next = append(&journal, record("b")).unwrap();
    assert_eq!((next.seq, next.start, next.ts_micros), (1, end, 1_000_001));
    assert_eq!(leaf_texts(&dir.read_all().unwrap()), ["a", "b"]);
}

#[test]
fn segments_roll_over_and_read_as_one() {
    let dir = Dir::new();
    let journal = dir.open();
    let texts: Vec<String> = (0..600).map(|i| format!("{i} {}", "x".repeat(300))).collect();
    for text in &texts {
        append(&journal, record(text)).unwrap();
    }
    let end = journal.committed().borrow().end;
    assert!(end.segment > 3, "{end}");
    journal.close().unwrap();
    assert_eq!(leaf_texts(&dir.read_all().unwrap()), texts);
    let (journal, recovered) = Journal::open(dir.options()).unwrap();
    assert_eq!((recovered.next_seq, recovered.end), (600, end));
    drop(journal);
}

#[test]
fn positions_print_and_parse() {
    let position = Position::new(1, 2, 4096);
    assert_eq!(position.to_string(), "1:2:4096");
    assert_eq!("1:2:4096".parse(), Ok(position));
    for bad in ["", "1:2", "1:2:3:4", "a:2:3", "+1:2:3", "1:2:99999999999999999999"] {
        assert!(bad.parse::<Position>().is_err(), "{bad}");
    }
}

#[test]
fn a_second_open_names_the_process() {
    let dir = Dir::new();
    let journal = dir.open();
    let error = Journal::open(dir.options()).unwrap_err();
    assert!(matches!(error, Error::Locked { pid } if pid == Some(std::process::id())), "{error}");
    drop(journal);
    dir.open();
}
