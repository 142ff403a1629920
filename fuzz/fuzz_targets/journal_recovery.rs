//! Any bytes as a segment file: opening, reading and salvaging end, without a panic, and an
//! opened journal takes records.
#![no_main]

use journal::format::{FrameFields, SegmentHeader, Watermark, decode_frame, encode_frame};
use journal::{Append, Frame, FrameKind, Journal, Options, Position, Reader, Salvage};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::Path;

const META: &str =
    r#"{"format":"audit-layer/journal/1","writer":"w-00000001","tenant":"default","epoch":1}"#;

/// A bound that no sound reader reaches: frames have at least 48 bytes.
fn bound(data: &[u8]) -> usize {
    data.len() / 48 + 16
}

fn read(dir: &Path, data: &[u8]) {
    if let Ok(mut reader) = Reader::open(dir, None) {
        let mut frames = 0;
        while let Ok(Some(_)) = reader.next(None) {
            frames += 1;
            assert!(frames < bound(data), "the reader does not end");
        }
    }
    if let Ok(salvage) = Salvage::open(dir) {
        assert!(salvage.take(2 * bound(data)).count() < 2 * bound(data));
    }
}

/// Frames with right checksums, in an order and with values that the input chooses; then one
/// byte of the whole is changed, perhaps.
fn write_frames(segment: &mut Vec<u8>, rest: &[u8]) {
    let (mut seq, mut ts) = (0, 0);
    let (edit, frames) = rest.split_at(rest.len().min(4));
    for chunk in frames.chunks(5) {
        let [kind, flags, seq_step, keys, payload] = *chunk else { break };
        let Some(kind) = FrameKind::from_number(kind % 6) else { continue };
        let leaf = kind == FrameKind::Leaf;
        ts += i64::from(leaf);
        let fields = FrameFields {
            kind,
            flags: flags % 4,
            // Mostly right, sometimes not.
            seq: seq + u64::from(seq_step == 255),
            ts_micros: if leaf { ts } else { 0 },
        };
        let at = Position::new(1, 0, segment.len() as u64);
        let (keys, payload) = (vec![1; usize::from(keys)], vec![2; usize::from(payload)]);
        encode_frame(segment, at, fields, &keys, &payload);
        seq += u64::from(leaf);
    }
    if let [low, high, bit, 1] = *edit {
        let at = usize::from(u16::from_le_bytes([low, high]));
        if let Some(byte) = segment.get_mut(at) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let place = Position::new(1, 0, 4096);
    if let Ok(frame) = decode_frame(data, place) {
        assert!(frame.bytes <= data.len());
    }
    let _ = SegmentHeader::decode(data, place);
    let _ = Watermark::decode(data);

    let Ok(data_dir) = tempfile::tempdir() else { return };
    let dir = data_dir.path().join("journal");
    // The first byte chooses how much of the file the input is.
    let (choice, rest) = data.split_first().unwrap_or((&0, data));
    let mut segment = Vec::new();
    if choice & 1 == 1 {
        let header = SegmentHeader {
            epoch: 1,
            segment: 0,
            first_seq: 0,
            prev_end: 0,
            prev_crc: 0,
            created_micros: 0,
            last_ts_micros: 0,
        };
        segment = header.encode();
    }
    if choice & 2 == 2 {
        write_frames(&mut segment, rest);
    } else {
        segment.extend_from_slice(rest);
    }
    let written = fs::create_dir(&dir)
        .and_then(|()| fs::write(dir.join("meta.json"), META))
        .and_then(|()| fs::write(dir.join("00000001-00000000.seg"), &segment));
    if written.is_err() {
        return;
    }
    read(&dir, &segment);
    let mut options = Options::new(&dir);
    options.segment_bytes = 64 << 10;
    options.zero_ahead_bytes = 4096;
    let Ok((journal, recovered)) = Journal::open(options) else { return };
    let part = Frame { kind: FrameKind::Part, keys: vec![1], payload: vec![2; 100] };
    let append = Append { frames: vec![part], leaf: None };
    if let Ok(answer) = journal.append_nowait(append) {
        let committed = answer.blocking_recv().expect("an answer").expect("room");
        assert!(committed.start >= recovered.end);
    }
    journal.close().expect("closes");
    read(&dir, &segment);
});
