//! Writes small data directories with nothing but the format crates, so that the verifier is
//! tested apart from the product's own writer.
#![allow(dead_code, clippy::unwrap_used, reason = "helpers of several tests; a panic is a failure")]

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use event::{
    Class, Component, Event, LeafDraft, LeafFields, OpenData, Origin, RequestCompleted,
    RequestReceived, Timestamp,
};
use journal::Position;
use journal::format::{
    FLAG_FIRST_OF_BATCH, FORMAT, FrameFields, FrameKind, SEGMENT_END_FRAME_BYTES,
    SEGMENT_HEADER_BYTES, SegmentEnd, SegmentHeader, WATERMARK_NAME, Watermark, encode_frame,
    segment_name,
};
use ledger::{Builder, Checkpoint, KeyKind, SignedCheckpoint, Signer, VerifierKey, leaf_hash};
use record::{PartHeader, Place, Role, write_group, write_key_sets, write_places};
use seal::{Codec, RecordKey, SubjectKey};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

pub const TENANT: &str = "default";
pub const WRITER: &str = "w-0a1b2c3d";
pub const ORIGIN: &str = "audit.example/default/w-0a1b2c3d/1";
const FIRST_TS_MICROS: i64 = 1_795_000_000_000_000;
const ZEROS_BEHIND: usize = 72;

/// Signs checkpoints.
pub struct Key(Ed25519KeyPair);

impl Key {
    pub fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    pub fn vkey(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, KeyKind::Ed25519, self.public()).unwrap()
    }
}

impl Signer for Key {
    fn name(&self) -> &str {
        ORIGIN
    }

    fn key_id(&self) -> u32 {
        self.vkey().key_id()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap()
    }
}

/// Frames that are written together.
#[derive(Clone)]
pub struct Item {
    pub frames: Vec<(FrameKind, Vec<u8>, Vec<u8>)>,
    pub leaf: Option<Vec<u8>>,
    pub seq: u64,
    pub ts_micros: i64,
    /// Items whose parts belong to this record.
    pub early: Vec<usize>,
}

/// How a record is to be made.
#[derive(Clone, Copy, Default)]
pub struct Shape {
    pub parts: u32,
    pub early_parts: u32,
    pub sealed: bool,
}

/// A journal before it is written.
#[derive(Clone, Default)]
pub struct Script {
    pub items: Vec<Item>,
    pub salt: u8,
    /// The subject under whose key everything is sealed; else a fixed key that no ring has.
    pub subject: Option<Arc<SubjectKey>>,
}

/// A data directory.
pub struct Deployment {
    pub dir: TempDir,
    pub key: Key,
    /// Start of each frame in each segment, and the end of the last.
    pub starts: Vec<Vec<u64>>,
    pub leaves: Vec<Vec<u8>>,
}

/// The key of every sealed group and part here.
pub fn secret() -> [u8; 32] {
    [0x5e; 32]
}

pub fn commitment() -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(b"audit-layer/record/1 commit\0");
    context.update(&secret());
    context.finish().as_ref().try_into().unwrap()
}

pub fn record_key() -> RecordKey {
    RecordKey::from_parts(secret(), commitment()).unwrap()
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

// === impl Script ===

impl Script {
    /// Records of all shapes, one after the other.
    pub fn mixed(records: u64) -> Self {
        let mut script = Self::default();
        for number in 0..records {
            script.push(match number % 4 {
                0 => Shape { sealed: true, ..Shape::default() },
                1 => Shape { parts: 2, sealed: true, ..Shape::default() },
                2 => Shape::default(),
                _ => Shape { parts: 1, early_parts: 2, sealed: true },
            });
        }
        script
    }

    /// The smallest records.
    pub fn plain(records: u64) -> Self {
        let mut script = Self::default();
        for _ in 0..records {
            script.push(Shape::default());
        }
        script
    }

    pub fn next_seq(&self) -> u64 {
        self.items.iter().filter(|item| item.leaf.is_some()).count() as u64
    }

    /// Adds a record, its early parts as items of their own in front of it.
    pub fn push(&mut self, shape: Shape) {
        let seq = self.next_seq();
        let ts_micros = FIRST_TS_MICROS + 1000 * seq as i64;
        let number = u128::from(seq) + (u128::from(self.salt) << 64);
        let decision_id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number);
        let record_id = record::record_id(decision_id, 0);
        let key = match &self.subject {
            Some(subject) => RecordKey::derive(record_id.as_bytes(), std::slice::from_ref(subject)),
            None => record_key(),
        };
        let key_id = self.subject.as_ref().map_or([7; 16], |subject| *subject.id().as_bytes());
        let mut early = Vec::new();
        let mut hashes = Vec::new();
        let mut parts_bytes = 0;
        let mut frames = Vec::new();
        let all = shape.early_parts + shape.parts;
        for piece in 0..all {
            let header = PartHeader {
                record_id,
                role: Role::ClientRequest,
                attempt: 0,
                number: piece,
                last: piece + 1 == all,
            };
            let payload = part(&key, &header, format!("body of {seq}, piece {piece}").as_bytes());
            hashes.push(leaf_hash(&payload));
            parts_bytes += payload.len() as u64;
            let frame = (FrameKind::Part, write_key_sets(&[[key_id]]), payload);
            if piece < shape.early_parts {
                early.push(self.items.len());
                self.items.push(Item {
                    frames: vec![frame],
                    leaf: None,
                    seq,
                    ts_micros: 0,
                    early: Vec::new(),
                });
            } else {
                frames.push(frame);
            }
        }
        let events = events(seq);
        let open = OpenData::write([self.salt; 16], decision_id, "request", &events);
        let sealed = if shape.sealed { sealed(&key, record_id, &events) } else { Vec::new() };
        let draft = LeafDraft::new(&LeafFields {
            decision_id,
            record_id,
            epoch: 1,
            origin: Origin::Observed,
            tenant: TENANT,
            writer: WRITER,
            events: &events,
            key_commit: if shape.sealed { sha256(&key.commitment()) } else { sha256(b"") },
            open_sha256: sha256(&open),
            sealed_sha256: sha256(&sealed),
            parts_root: ledger::tree_hash(&hashes).into(),
            parts_bytes,
        });
        let mut leaf = Vec::new();
        draft.finish(seq, Timestamp::from_micros(ts_micros), &mut leaf);
        frames.push((FrameKind::Open, Vec::new(), open));
        if shape.sealed {
            frames.push((FrameKind::Sealed, write_key_sets(&[[key_id]]), sealed));
        }
        self.items.push(Item { frames, leaf: Some(leaf), seq, ts_micros, early });
    }

    /// Gives the records new numbers and times, in their order, as a forger would.
    pub fn renumber(&mut self) {
        let mut seq = 0;
        for item in &mut self.items {
            item.seq = seq;
            let Some(bytes) = &mut item.leaf else { continue };
            item.ts_micros = FIRST_TS_MICROS + 1000 * seq as i64;
            let mut leaf = event::Leaf::read(bytes).unwrap();
            leaf.seq = seq;
            leaf.ts = Timestamp::from_micros(item.ts_micros);
            *bytes = leaf.to_bytes();
            seq += 1;
        }
    }
}

pub fn events(seq: u64) -> Vec<Event> {
    let at = Timestamp::from_micros(FIRST_TS_MICROS);
    let mut received = Event::new(
        Component::Gateway,
        at,
        RequestReceived {
            source: Some("finance-app".to_owned()),
            user_id: Some(format!("user-{seq}")),
            prompt_preview: Some("what is asked".to_owned()),
            ..RequestReceived::default()
        },
    );
    received.event_id = Uuid::from_u128(u128::from(seq) * 2);
    let mut completed = Event::new(
        Component::Gateway,
        at,
        RequestCompleted { status_code: Some(200), ..RequestCompleted::default() },
    );
    completed.event_id = Uuid::from_u128(u128::from(seq) * 2 + 1);
    vec![received, completed]
}

pub fn part(key: &RecordKey, header: &PartHeader, plain: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    header.write(&mut payload);
    let aad = seal::aad(
        TENANT,
        header.record_id.as_bytes(),
        header.role as u8,
        header.attempt,
        header.number,
    );
    let packed = Codec::default().compress(plain).unwrap();
    key.seal_into(&aad, &packed, &mut payload).unwrap();
    payload
}

pub fn sealed(key: &RecordKey, record_id: Uuid, events: &[Event]) -> Vec<u8> {
    let plain = OpenData::write_sealed(events, &[Class::User, Class::Content]).unwrap();
    let aad = seal::aad(TENANT, record_id.as_bytes(), 0, 0, 0);
    let mut payload = Vec::new();
    write_group(&key.commitment(), &key.seal(&aad, &plain).unwrap(), &mut payload);
    payload
}

// === impl Deployment ===

impl Deployment {
    /// Writes the script, and a ledger over all of it.
    pub fn new(script: &Script, segment_bytes: u64) -> Self {
        Self::signed_by(script, segment_bytes, Key::new(1))
    }

    pub fn signed_by(script: &Script, segment_bytes: u64, key: Key) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut deployment = Self { dir, key, starts: Vec::new(), leaves: Vec::new() };
        deployment.write_journal(script, segment_bytes);
        deployment.write_ledger(deployment.leaves.len() as u64);
        deployment
    }

    pub fn data(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.data().join(relative)
    }

    pub fn segment(&self, number: usize) -> PathBuf {
        self.path(&format!("journal/{}", segment_name(1, number as u32)))
    }

    /// Replaces the journal; the ledger stays as it is.
    pub fn write_journal(&mut self, script: &Script, segment_bytes: u64) {
        let journal = self.path("journal");
        let _ = fs::remove_dir_all(&journal);
        fs::create_dir_all(&journal).unwrap();
        let meta =
            format!(r#"{{"format":"{FORMAT}","writer":"{WRITER}","tenant":"{TENANT}","epoch":1}}"#);
        fs::write(journal.join("meta.json"), meta).unwrap();
        let written = write_segments(&journal, script, segment_bytes);
        self.starts = written.starts;
        self.leaves = written.leaves;
        let mark = Watermark { end: written.end, next_seq: script.next_seq() };
        fs::write(journal.join(WATERMARK_NAME), mark.encode()).unwrap();
    }

    /// Tiles, key and checkpoint of the first `size` leaves.
    pub fn write_ledger(&self, size: u64) {
        let dir = self.path("ledger/00000001");
        fs::create_dir_all(&dir).unwrap();
        let mut builder = Builder::new();
        for leaf in &self.leaves[..size as usize] {
            builder.append_leaf(leaf);
        }
        for tile in builder.take_tiles() {
            let path = dir.join(tile.path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &tile.bytes).unwrap();
        }
        fs::write(dir.join("vkey"), format!("{}\n", self.key.vkey())).unwrap();
        fs::write(dir.join("checkpoint"), self.checkpoint(size).to_string()).unwrap();
    }

    pub fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let root = ledger::root_of(self.leaves[..size as usize].iter().map(|leaf| leaf_hash(leaf)));
        Checkpoint::new(ORIGIN, size, root).unwrap().sign(&self.key).unwrap()
    }
}

struct Written {
    starts: Vec<Vec<u64>>,
    leaves: Vec<Vec<u8>>,
    end: Position,
}

const FIRST_HEADER: SegmentHeader = SegmentHeader {
    epoch: 1,
    segment: 0,
    first_seq: 0,
    prev_end: 0,
    prev_crc: 0,
    created_micros: FIRST_TS_MICROS,
    last_ts_micros: 0,
};

fn write_segments(journal: &Path, script: &Script, segment_bytes: u64) -> Written {
    let mut written = Written {
        starts: Vec::new(),
        leaves: Vec::new(),
        end: Position { epoch: 1, segment: 0, offset: 0 },
    };
    let mut header = FIRST_HEADER;
    let mut file = header.encode();
    let mut starts = Vec::new();
    let mut totals = SegmentEnd::default();
    let (mut next_seq, mut last_ts) = (0, 0);
    let mut places: Vec<Place> = Vec::new();
    for item in &script.items {
        let bytes: usize =
            item.frames.iter().map(|(_, keys, payload)| 64 + keys.len() + payload.len()).sum();
        if file.len() as u64 + (bytes + 2000) as u64 + SEGMENT_END_FRAME_BYTES > segment_bytes
            && totals.frames > 0
        {
            let at = Position { epoch: 1, segment: header.segment, offset: file.len() as u64 };
            starts.push(at.offset);
            totals.next_first_seq = next_seq;
            let crc = put_end(&mut file, at, &totals);
            save(journal, header.segment, &mut file, &mut starts, &mut written);
            header = SegmentHeader {
                segment: header.segment + 1,
                first_seq: next_seq,
                prev_end: at.offset,
                prev_crc: crc,
                last_ts_micros: last_ts,
                ..header
            };
            file = header.encode();
            totals = SegmentEnd::default();
        }
        places.push(Place { epoch: 1, segment: header.segment, offset: file.len() as u64 });
        let mut put = |kind, keys: &[u8], payload: &[u8], flags| {
            let at = Position { epoch: 1, segment: header.segment, offset: file.len() as u64 };
            starts.push(at.offset);
            let ts_micros = if kind == FrameKind::Leaf { item.ts_micros } else { 0 };
            encode_frame(
                &mut file,
                at,
                FrameFields { kind, flags, seq: item.seq, ts_micros },
                keys,
                payload,
            );
            totals.frames += 1;
            totals.bytes = file.len() as u64 - SEGMENT_HEADER_BYTES;
        };
        for (index, (kind, keys, payload)) in item.frames.iter().enumerate() {
            let early: Vec<Place> = item.early.iter().map(|item| places[*item]).collect();
            let flags = if index == 0 { FLAG_FIRST_OF_BATCH } else { 0 };
            match kind {
                FrameKind::Open => put(*kind, &write_places(&early), payload, flags),
                _ => put(*kind, keys, payload, flags),
            }
        }
        if let Some(leaf) = &item.leaf {
            put(FrameKind::Leaf, &[], leaf, 0);
            totals.leaves += 1;
            written.leaves.push(leaf.clone());
            next_seq = item.seq + 1;
            last_ts = item.ts_micros;
        }
    }
    written.end = Position { epoch: 1, segment: header.segment, offset: file.len() as u64 };
    save(journal, header.segment, &mut file, &mut starts, &mut written);
    written
}

/// Closes a segment; gives the frame's check sum, which the next segment repeats.
fn put_end(file: &mut Vec<u8>, at: Position, totals: &SegmentEnd) -> u32 {
    let seq = totals.next_first_seq;
    let fields = FrameFields { kind: FrameKind::SegmentEnd, flags: 0, seq, ts_micros: 0 };
    encode_frame(file, at, fields, &[], &totals.encode())
}

fn save(
    journal: &Path,
    number: u32,
    file: &mut Vec<u8>,
    starts: &mut Vec<u64>,
    written: &mut Written,
) {
    starts.push(file.len() as u64);
    written.starts.push(std::mem::take(starts));
    file.resize(file.len() + ZEROS_BEHIND, 0);
    fs::write(journal.join(segment_name(1, number)), &*file).unwrap();
}
