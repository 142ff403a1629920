//! Torn tails are removed; damage is refused with its place, and salvage finds the rest.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use journal::format::{SEGMENT_HEADER_BYTES, WATERMARK_NAME};
use journal::{Committed, Error, FrameKind, Journal, Position, Reader, Salvage, Salvaged};
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use support::memdisk::MemDisk;
use support::{Dir, append, frame, leaf_texts, part, record};

/// A closed journal on a disk in memory.
struct Written {
    dir: Dir,
    disk: Arc<MemDisk>,
    /// Every frame's place and end, closing frames included.
    frames: Vec<(Position, u64)>,
}

impl Written {
    fn open(&self) -> Result<u64, Error> {
        let (journal, recovered) = Journal::open_on(self.disk.clone(), self.dir.options())?;
        journal.close().unwrap();
        Ok(recovered.next_seq)
    }

    fn texts(&self) -> Result<Vec<String>, Error> {
        let mut reader = Reader::open_on(self.disk.clone(), self.dir.journal(), None)?;
        let mut frames = Vec::new();
        while let Some(frame) = reader.next(None)? {
            frames.push(frame);
        }
        Ok(leaf_texts(&frames))
    }

    fn salvage(&self) -> (Vec<Position>, Vec<(Position, Position)>) {
        let (mut frames, mut damage) = (Vec::new(), Vec::new());
        for item in Salvage::open_on(self.disk.clone(), self.dir.journal()).unwrap() {
            match item.unwrap() {
                Salvaged::Frame(frame) => frames.push(frame.at),
                Salvaged::Damage { from, to, .. } => damage.push((from, to)),
                _ => panic!(),
            }
        }
        (frames, damage)
    }

    fn edit(&self, segment: u32, edit: impl FnOnce(&mut Vec<u8>)) {
        self.disk.edit(&self.dir.segment(segment), edit);
    }

    fn bytes(&self, segment: u32) -> Vec<u8> {
        self.disk.bytes(&self.dir.segment(segment))
    }
}

/// Records of the given sizes, one batch each.
fn written(sizes: &[usize]) -> Written {
    let (dir, disk) = (Dir::new(), MemDisk::new());
    let (journal, _) = Journal::open_on(disk.clone(), dir.options()).unwrap();
    for (i, size) in sizes.iter().enumerate() {
        append(&journal, part(&vec![3; *size])).unwrap();
        append(&journal, record(&i.to_string())).unwrap();
    }
    journal.close().unwrap();
    let mut reader = Reader::open_on(disk.clone(), dir.journal(), None).unwrap();
    let mut frames: Vec<(Position, u64)> = Vec::new();
    while let Some(frame) = reader.next(None).unwrap() {
        if let Some((before, end)) = frames.last().filter(|(p, _)| p.segment < frame.at.segment) {
            frames.push((Position { offset: *end, ..*before }, end + 80));
        }
        frames.push((frame.at, frame.next.offset));
    }
    Written { dir, disk, frames }
}

/// Flips one bit of every byte in the range, and expects the open to name `place`.
fn flip_each(written: &Written, range: Range<u64>, step: usize, place: Position) {
    let intact = written.bytes(place.segment);
    for at in range.step_by(step) {
        written.edit(place.segment, |bytes| bytes[at as usize] ^= 1 << (at % 8));
        match written.open() {
            Err(Error::Corrupt { segment, offset, .. }) => {
                let name = journal::format::segment_name(1, place.segment);
                assert_eq!((segment, offset), (name, place.offset), "byte {at}");
            }
            other => panic!("byte {at} of segment {}: {other:?}", place.segment),
        }
        assert!(written.texts().is_err(), "byte {at}: the reader noticed nothing");
        written.edit(place.segment, |bytes| bytes[at as usize] = intact[at as usize]);
    }
}

#[test]
fn a_flipped_bit_in_any_acknowledged_byte_is_refused_with_its_place() {
    let written = written(&[5, 0, 9]);
    flip_each(&written, 0..SEGMENT_HEADER_BYTES, 1, Position::new(1, 0, 0));
    for (at, end) in &written.frames {
        flip_each(&written, at.offset..*end, 1, *at);
    }
    assert_eq!(written.open().unwrap(), 3);
}

#[test]
fn a_flipped_bit_in_closed_segments_is_refused_with_its_place() {
    let written = written(&[25_000, 30_000, 50_000, 40_000, 10]);
    let segments = written.frames.last().unwrap().0.segment;
    assert!(segments >= 2);
    for segment in 0..=segments {
        flip_each(&written, 0..SEGMENT_HEADER_BYTES, 101, Position::new(1, segment, 0));
    }
    for (at, end) in &written.frames {
        let step = ((end - at.offset) / 60).max(1) as usize;
        flip_each(&written, at.offset..*end, step, *at);
    }
    // Zeros behind a closed segment stay zeros, too.
    let (end, _) = written.frames.iter().rfind(|(at, _)| at.segment == 0).unwrap();
    flip_each(&written, end.offset + 80..end.offset + 81, 1, end_of(end));
    assert_eq!(written.open().unwrap(), 5);
}

fn end_of(closing: &Position) -> Position {
    Position { offset: closing.offset + 80, ..*closing }
}

#[test]
fn salvage_finds_every_frame_but_the_damaged_one() {
    let written = written(&[5, 50_000, 50_000, 9, 50_000]);
    let all: Vec<Position> = written.salvage().0;
    assert_eq!(all.len(), 20);
    assert_eq!(written.salvage().1, []);
    for (n, at) in all.iter().enumerate() {
        written.edit(at.segment, |bytes| bytes[at.offset as usize + 50] ^= 4);
        let (frames, damage) = written.salvage();
        let mut expected = all.clone();
        expected.remove(n);
        assert_eq!(frames, expected);
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].0, *at);
        written.edit(at.segment, |bytes| bytes[at.offset as usize + 50] ^= 4);
    }
    written.edit(1, |bytes| bytes[9] ^= 1);
    assert_eq!(written.salvage().0, all);
    assert_eq!(written.salvage().1, [(Position::new(1, 1, 0), Position::new(1, 1, 4096))]);
    written.disk.remove(&written.dir.segment(1));
    let (frames, damage) = written.salvage();
    assert!(frames.len() < all.len() && frames.iter().any(|at| at.segment > 1));
    assert_eq!(damage, [(Position::new(1, 1, 0), Position::new(1, 2, 0))]);
}

#[test]
fn a_damaged_last_batch_is_torn_only_without_the_watermark() {
    let written = written(&[5, 9]);
    let (last, _) = *written.frames.last().unwrap();
    written.edit(0, |bytes| bytes[last.offset as usize + 60] ^= 1);
    assert!(matches!(written.open(), Err(Error::Corrupt { .. })));
    // A damaged watermark is as good as none.
    written.disk.edit(&written.dir.journal().join(WATERMARK_NAME), |bytes| bytes[20] ^= 1);
    let (journal, recovered) =
        Journal::open_on(written.disk.clone(), written.dir.options()).unwrap();
    assert_eq!((recovered.next_seq, recovered.watermark_missing), (1, true));
    // The record goes as a whole: its open and sealed data, too.
    assert_eq!(recovered.end.offset, written.frames[written.frames.len() - 3].0.offset);
    assert!(recovered.torn_bytes > 100);
    drop(journal);
    let bytes = written.bytes(0);
    assert!(bytes[recovered.end.offset as usize..].iter().all(|b| *b == 0));
}

#[test]
fn damage_before_the_last_batch_is_refused_without_the_watermark() {
    let written = written(&[5, 9]);
    let watermark = written.dir.journal().join(WATERMARK_NAME);
    written.disk.remove(&watermark);
    // Each append was a batch: a part, then a record.
    let last_batch = written.frames.len() - 3;
    for (at, _) in &written.frames[..last_batch] {
        let byte = at.offset as usize + 49;
        written.edit(0, |bytes| bytes[byte] ^= 1);
        match written.open() {
            Err(Error::Corrupt { offset, .. }) => assert_eq!(offset, at.offset),
            other => panic!("{at}: {other:?}"),
        }
        assert!(written.texts().is_err(), "{at}: the reader noticed nothing");
        written.edit(0, |bytes| bytes[byte] ^= 1);
    }
}

#[test]
fn lost_and_cut_segments_are_refused() {
    let build = || written(&[40_000, 40_000, 40_000, 10]);
    let refused = |written: &Written, segment: u32, offset: Option<u64>| {
        let name = journal::format::segment_name(1, segment);
        for error in [written.open().unwrap_err(), written.texts().unwrap_err()] {
            let Error::Corrupt { segment, offset: at, .. } = &error else { panic!("{error}") };
            assert_eq!(*segment, name);
            assert!(offset.is_none_or(|offset| offset == *at), "{error}");
        }
    };
    let last = build().frames.last().unwrap().0.segment;
    assert!(last >= 2);
    for segment in 0..=last {
        let written = build();
        written.disk.remove(&written.dir.segment(segment));
        refused(&written, segment, Some(0));
        let written = build();
        written.edit(segment, |bytes| bytes.truncate(0));
        refused(&written, segment, Some(0));
        let written = build();
        written.edit(segment, |bytes| bytes.fill(0));
        refused(&written, segment, Some(0));
        let written = build();
        let at = written.frames.iter().find(|(at, _)| at.segment == segment).unwrap().0;
        written.edit(segment, |bytes| bytes.truncate(at.offset as usize + 100));
        refused(&written, segment, Some(at.offset));
        let written = build();
        let from = at.offset as usize;
        written.edit(segment, |bytes| bytes[from..].fill(0));
        refused(&written, segment, Some(at.offset));
    }
    // Two segments change places.
    let written = build();
    let (a, b) = (written.bytes(0), written.bytes(1));
    written.edit(0, |bytes| *bytes = b);
    written.edit(1, |bytes| *bytes = a);
    assert!(matches!(written.open(), Err(Error::Corrupt { offset: 0, .. })));
    assert!(matches!(written.texts(), Err(Error::Corrupt { offset: 0, .. })));
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    // As many records, of other sizes: only the seam differs.
    let ours = written(&[30_000, 20_000, 40_000]);
    let other = written(&[20_000, 30_100, 40_000]);
    assert_eq!(ours.frames.last().unwrap().0.segment, 1);
    ours.edit(0, |bytes| *bytes = other.bytes(0));
    assert!(matches!(ours.open(), Err(Error::Corrupt { .. })));
    assert!(matches!(ours.texts(), Err(Error::Corrupt { .. })));
}

#[test]
fn far_segments_are_checked_at_their_seams_only() {
    let written = written(&[40_000, 40_000, 40_000, 10]);
    let open = || {
        let mut options = written.dir.options();
        options.check_bytes_max = 0;
        Journal::open_on(written.disk.clone(), options).map(|(_, recovered)| recovered.next_seq)
    };
    assert_eq!(open().unwrap(), 4);
    let flip = |segment, at: u64| written.edit(segment, |bytes| bytes[at as usize] ^= 1);
    let in_segment = |segment| written.frames.iter().filter(move |f| f.0.segment == segment);
    for segment in 0..2 {
        let (first, closing) =
            (in_segment(segment).next().unwrap().0, in_segment(segment).next_back().unwrap().0);
        for at in [100, closing.offset, closing.offset + 79] {
            flip(segment, at);
            assert!(matches!(open(), Err(Error::Corrupt { .. })), "{at}");
            flip(segment, at);
        }
        // Inside, damage is for the reader to find.
        flip(segment, first.offset + 60);
        assert_eq!(open().unwrap(), 4);
        assert!(matches!(written.texts(), Err(Error::Corrupt { offset: 4096, .. })));
        flip(segment, first.offset + 60);
    }
    // The last segment is always checked in full.
    let last = written.frames.last().unwrap().0;
    flip(last.segment, last.offset + 50);
    assert!(matches!(open(), Err(Error::Corrupt { .. })));
}

#[test]
fn a_newer_format_is_not_called_damage() {
    let written = written(&[1]);
    let version = |digit: u8| {
        written.edit(0, |bytes| {
            bytes[7] = digit;
            let crc = crc32c::crc32c(&bytes[..4092]);
            bytes[4092..4096].copy_from_slice(&crc.to_le_bytes());
        });
    };
    version(b'2');
    assert!(matches!(written.open(), Err(Error::NewerFormat { .. })));
    assert!(matches!(written.texts(), Err(Error::NewerFormat { .. })));
    version(b'0');
    assert!(matches!(written.open(), Err(Error::OlderFormat { .. })));
    assert!(matches!(written.texts(), Err(Error::OlderFormat { .. })));
    let meta = written.dir.journal().join("meta.json");
    let text = r#"{"format":"audit-layer/journal/2","new":true}"#;
    written.disk.edit(&meta, |bytes| *bytes = text.into());
    assert!(matches!(written.open(), Err(Error::NewerFormat { .. })));
    let text = r#"{"format":"audit-layer/journal/0"}"#;
    written.disk.edit(&meta, |bytes| *bytes = text.into());
    let error = written.open().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("start with an empty one"), "{error}");
}

/// A journal of three acknowledged records; then the batch that was under way, several appends
/// long, as its bytes.
fn interrupted() -> (Written, Vec<u8>, Vec<Committed>) {
    let (dir, disk) = (Dir::new(), MemDisk::new());
    let mut options = dir.options();
    options.zero_ahead_bytes = options.segment_bytes;
    let (journal, _) = Journal::open_on(disk.clone(), options).unwrap();
    for text in ["0", "1"] {
        append(&journal, record(text)).unwrap();
    }
    disk.hold_syncs();
    let first = journal.append_nowait(record("2")).unwrap();
    disk.wait_for_sync();
    // These gather while the sync before them runs.
    let rest: Vec<_> = ["3", "4", "5"]
        .into_iter()
        .map(|text| {
            let mut append = record(text);
            append.frames.insert(0, frame(FrameKind::Part, &[b'p'; 700]));
            journal.append_nowait(append).unwrap()
        })
        .collect();
    disk.release();
    support::wait(first).unwrap().unwrap();
    let before = disk.copy();
    let acked: Vec<Committed> =
        rest.into_iter().map(|answer| support::wait(answer).unwrap().unwrap()).collect();
    let batch = disk.bytes(&dir.segment(0));
    let batch = batch[acked[0].start.offset as usize..acked[2].end.offset as usize].to_vec();
    drop(journal);
    // The copy may have been taken when the batch was written already: it is removed.
    let from = acked[0].start.offset as usize;
    before.edit(&dir.segment(0), |bytes| bytes[from..].fill(0));
    let watermark = journal::format::Watermark { end: acked[0].start, next_seq: 3 };
    before.edit(&dir.journal().join(WATERMARK_NAME), |bytes| *bytes = watermark.encode().into());
    (Written { dir, disk: before, frames: Vec::new() }, batch, acked)
}

/// Opens with some state of the interrupted batch; returns the records found.
fn reopen(written: &Written, edit: impl FnOnce(&mut Vec<u8>)) -> usize {
    let disk = written.disk.copy();
    disk.edit(&written.dir.segment(0), edit);
    let (journal, recovered) = Journal::open_on(disk.clone(), written.dir.options()).unwrap();
    let committed = append(&journal, record("next")).unwrap();
    assert_eq!(committed.seq, recovered.next_seq);
    // In a new segment, where the file was cut off and has no zeros left.
    assert!(committed.start >= recovered.end);
    journal.close().unwrap();
    let mut reader = Reader::open_on(disk, written.dir.journal(), None).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| reader.next(None).unwrap()).collect();
    let texts = leaf_texts(&frames);
    let found = texts.len() - 1;
    let all = ["0", "1", "2", "3", "4", "5"];
    assert!(found >= 3, "an acknowledged record is lost");
    assert_eq!(texts[..found], all[..found]);
    assert_eq!(texts[found], "next");
    found
}

#[test]
fn a_batch_torn_at_any_byte_leaves_whole_records() {
    let (written, batch, acked) = interrupted();
    let from = acked[0].start.offset as usize;
    for cut in (0..=batch.len()).filter(|cut| cut % 4 < 2) {
        let expected = 3 + acked.iter().filter(|c| c.end.offset as usize <= from + cut).count();
        let found = reopen(&written, |bytes| {
            bytes[from..from + cut].copy_from_slice(&batch[..cut]);
        });
        // Padding is zero anyway.
        assert!(found == expected || found == expected + 1, "{cut}: {found}");
        if cut % 7 == 0 {
            let found = reopen(&written, |bytes| {
                bytes.truncate(from + cut);
                bytes[from..].copy_from_slice(&batch[..cut]);
            });
            assert_eq!(found, expected, "{cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Blocks of the batch reach the disk in any order, or hold something else.
    #[test]
    fn a_batch_torn_into_blocks_is_not_called_damage(
        kept in prop::collection::vec(0_u8..4, 8),
        noise in any::<u8>(),
    ) {
        let (written, batch, acked) = interrupted();
        let from = acked[0].start.offset as usize;
        reopen(&written, |bytes| {
            for (i, (block, kept)) in batch.chunks(512).zip(kept).enumerate() {
                let at = from + i * 512;
                match kept {
                    0 => {}
                    1 => bytes[at..at + block.len()].fill(noise),
                    _ => bytes[at..at + block.len()].copy_from_slice(block),
                }
            }
        });
    }
}

#[test]
fn stale_bytes_behind_the_end_are_removed() {
    let written = written(&[5, 9]);
    let end = written.frames.last().unwrap().1 as usize;
    // An earlier frame, copied behind the end: valid there it is not.
    let (from, to) = (written.frames[4].0.offset as usize, written.frames[4].1 as usize);
    written.edit(0, |bytes| {
        let frame = bytes[from..to].to_vec();
        bytes[end..end + frame.len()].copy_from_slice(&frame);
        bytes[end + 1000] = 1;
    });
    let (journal, recovered) =
        Journal::open_on(written.disk.clone(), written.dir.options()).unwrap();
    assert_eq!((recovered.next_seq, recovered.torn_bytes), (2, 1001));
    drop(journal);
    assert!(written.bytes(0)[end..].iter().all(|b| *b == 0));
}
