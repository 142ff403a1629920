//! A frame: 48 bytes of header, keys, payload, zeros up to a multiple of 8.

use super::{APPEND_BYTES_MAX, u16_at, u32_at, u64_at};
use crate::Position;

/// First bytes of every frame.
pub const FRAME_MAGIC: [u8; 4] = *b"ALF1";
/// Fixed part of a frame.
pub const FRAME_HEADER_BYTES: usize = 48;
/// Frames start at multiples of this.
pub const FRAME_ALIGN_BYTES: usize = 8;
/// Key ids of one frame.
pub const KEYS_BYTES_MAX: usize = u16::MAX as usize;
/// Payload of one frame.
pub const PAYLOAD_BYTES_MAX: u64 = APPEND_BYTES_MAX;
/// Everything before this frame was durable before this frame was written. A reader that finds
/// one behind a damaged frame knows that acknowledged bytes were damaged.
pub const FLAG_FIRST_OF_BATCH: u8 = 1;
/// The frame's batch is acknowledged only after a sync.
pub const FLAG_SYNCED: u8 = 2;

const FLAGS_KNOWN: u8 = FLAG_FIRST_OF_BATCH | FLAG_SYNCED;
const HEADER_CRC_AT: usize = FRAME_HEADER_BYTES - 4;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// A piece of a body; its payload starts with the record's id.
    Part = 1,
    /// A record's open data.
    Open = 2,
    /// A record's sealed data.
    Sealed = 3,
    /// A record's leaf; it completes the record.
    Leaf = 4,
    /// Closes a segment that another follows.
    SegmentEnd = 5,
}

/// The header's values that a writer chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFields {
    /// What it holds.
    pub kind: FrameKind,
    /// `FLAG_…`.
    pub flags: u8,
    /// A leaf: its number. Any other frame: the number of the next leaf.
    pub seq: u64,
    /// A leaf: its time in microseconds since 1970. Any other frame: 0.
    pub ts_micros: i64,
}

/// A valid frame within the bytes that it was decoded from.
#[derive(Debug, Clone, Copy)]
pub struct FrameRef<'a> {
    /// The header's values.
    pub fields: FrameFields,
    /// Key ids, opaque here.
    pub keys: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
    /// Bytes of the whole frame, padding included.
    pub bytes: usize,
    /// CRC over header and keys: names the frame's exact content.
    pub header_crc: u32,
}

/// A valid header with its keys; nothing is known of the payload.
#[derive(Debug, Clone, Copy)]
pub struct FrameHead<'a> {
    /// The header's values.
    pub fields: FrameFields,
    /// Key ids, opaque here.
    pub keys: &'a [u8],
    /// Bytes of the payload.
    pub payload_len: usize,
    /// Bytes of the whole frame, padding included.
    pub bytes: usize,
    /// CRC over header and keys.
    pub header_crc: u32,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadFrame {
    /// Only zeros where a header would be: nothing was written here.
    Empty,
    /// The frame needs this many bytes from its start.
    Short(usize),
    /// Anything else.
    Damaged(&'static str),
}

// === impl FrameKind ===

impl FrameKind {
    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Part),
            2 => Some(Self::Open),
            3 => Some(Self::Sealed),
            4 => Some(Self::Leaf),
            5 => Some(Self::SegmentEnd),
            _ => None,
        }
    }
}

// === impl BadFrame ===

impl BadFrame {
    /// In words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Empty => "zeros where a frame must be",
            Self::Short(_) => "the frame reaches past the end of the file",
            Self::Damaged(what) => what,
        }
    }
}

// === functions ===

/// Bytes of a frame with keys and payload of these lengths.
pub const fn frame_bytes(keys: usize, payload: usize) -> usize {
    (FRAME_HEADER_BYTES + keys + payload).next_multiple_of(FRAME_ALIGN_BYTES)
}

/// Where a checksum starts from: the place of the frame.
fn seed(at: Position) -> u32 {
    let mut place = [0; 16];
    place[..4].copy_from_slice(&at.epoch.to_le_bytes());
    place[4..8].copy_from_slice(&at.segment.to_le_bytes());
    place[8..].copy_from_slice(&at.offset.to_le_bytes());
    crc32c::crc32c(&place)
}

/// Appends a frame that will lie at `at`, and returns its header CRC. The caller has checked
/// the lengths against `KEYS_BYTES_MAX` and `PAYLOAD_BYTES_MAX`.
pub fn encode_frame(
    out: &mut Vec<u8>,
    at: Position,
    fields: FrameFields,
    keys: &[u8],
    payload: &[u8],
) -> u32 {
    debug_assert!(keys.len() <= KEYS_BYTES_MAX && payload.len() as u64 <= PAYLOAD_BYTES_MAX);
    let seed = seed(at);
    let mut header = [0; FRAME_HEADER_BYTES];
    header[..4].copy_from_slice(&FRAME_MAGIC);
    header[4] = fields.kind as u8;
    header[5] = fields.flags;
    header[6..8].copy_from_slice(&(keys.len() as u16).to_le_bytes());
    header[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[12..16].copy_from_slice(&at.epoch.to_le_bytes());
    header[16..20].copy_from_slice(&at.segment.to_le_bytes());
    header[24..32].copy_from_slice(&fields.seq.to_le_bytes());
    header[32..40].copy_from_slice(&fields.ts_micros.to_le_bytes());
    header[40..44].copy_from_slice(&crc32c::crc32c_append(seed, payload).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(seed, &header[..HEADER_CRC_AT]), keys);
    header[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    let bytes = frame_bytes(keys.len(), payload.len());
    let end = out.len() + bytes;
    out.reserve(bytes);
    out.extend_from_slice(&header);
    out.extend_from_slice(keys);
    out.extend_from_slice(payload);
    out.resize(end, 0);
    crc
}

/// Reads the header and keys of the frame that starts `bytes`, which lie at `at`, and checks
/// everything but payload and padding. `bytes` need not reach further than the keys.
pub fn decode_head(bytes: &[u8], at: Position) -> Result<FrameHead<'_>, BadFrame> {
    let head = bytes.get(..FRAME_HEADER_BYTES).unwrap_or(bytes);
    if head.iter().all(|b| *b == 0) {
        return Err(BadFrame::Empty);
    }
    if !head.starts_with(&FRAME_MAGIC) {
        return Err(BadFrame::Damaged("no frame starts here"));
    }
    if head.len() < FRAME_HEADER_BYTES {
        return Err(BadFrame::Short(FRAME_HEADER_BYTES));
    }
    let keys_len = usize::from(u16_at(head, 6));
    let payload_len = u32_at(head, 8);
    if u64::from(payload_len) > PAYLOAD_BYTES_MAX {
        return Err(BadFrame::Damaged("impossible payload length"));
    }
    let payload_len = payload_len as usize;
    let total = frame_bytes(keys_len, payload_len);
    // The header is checked before its lengths are believed, as far as the bytes at hand allow.
    let Some(keys) = bytes.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + keys_len) else {
        return Err(BadFrame::Short(total));
    };
    let seed = seed(at);
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(seed, &head[..HEADER_CRC_AT]), keys);
    let header_crc = u32_at(head, HEADER_CRC_AT);
    if crc != header_crc {
        return Err(BadFrame::Damaged("wrong checksum of a frame's header"));
    }
    let fields = decode_fields(head, at)?;
    Ok(FrameHead { fields, keys, payload_len, bytes: total, header_crc })
}

/// Reads the frame that starts `bytes`, which lie at `at`. Checks everything: magic, lengths,
/// both checksums, place, kind, flags, and that unused bytes are zero.
pub fn decode_frame(bytes: &[u8], at: Position) -> Result<FrameRef<'_>, BadFrame> {
    let FrameHead { fields, keys, payload_len, bytes: total, header_crc } = decode_head(bytes, at)?;
    let Some(rest) = bytes.get(FRAME_HEADER_BYTES + keys.len()..total) else {
        return Err(BadFrame::Short(total));
    };
    let (payload, padding) = rest.split_at(payload_len);
    if crc32c::crc32c_append(seed(at), payload) != u32_at(bytes, 40) {
        return Err(BadFrame::Damaged("wrong checksum of a frame's payload"));
    }
    if padding.iter().any(|b| *b != 0) {
        return Err(BadFrame::Damaged("padding is not zero"));
    }
    Ok(FrameRef { fields, keys, payload, bytes: total, header_crc })
}

/// The fixed fields of a header whose checksum is right.
fn decode_fields(head: &[u8], at: Position) -> Result<FrameFields, BadFrame> {
    let Some(kind) = FrameKind::from_number(head[4]) else {
        return Err(BadFrame::Damaged("unknown kind of frame"));
    };
    let flags = head[5];
    if flags & !FLAGS_KNOWN != 0 || u32_at(head, 20) != 0 {
        return Err(BadFrame::Damaged("reserved bits are set"));
    }
    if u32_at(head, 12) != at.epoch || u32_at(head, 16) != at.segment {
        return Err(BadFrame::Damaged("the frame belongs to another segment"));
    }
    let ts_micros = u64_at(head, 32).cast_signed();
    if kind != FrameKind::Leaf && ts_micros != 0 {
        return Err(BadFrame::Damaged("reserved bits are set"));
    }
    Ok(FrameFields { kind, flags, seq: u64_at(head, 24), ts_micros })
}
