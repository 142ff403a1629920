//! A segment: 4096 bytes of header, frames, zeros.

use super::{array, u32_at, u64_at};
use crate::Position;

/// Fixed part of a segment file.
pub const SEGMENT_HEADER_BYTES: u64 = 4096;
/// The frame that closes a segment.
pub const SEGMENT_END_FRAME_BYTES: u64 = super::frame_bytes(0, SEGMENT_END_PAYLOAD_BYTES) as u64;

const MAGIC_FAMILY: &[u8; 6] = b"ALJSEG";
/// What was written before the formats were frozen.
const MAGIC_BEFORE: &[u8; 8] = b"ALJSEG00";
const MAGIC: &[u8; 8] = b"ALJSEG01";
const HEADER_BYTES: usize = SEGMENT_HEADER_BYTES as usize;
/// Every version of the format keeps the header's checksum here, so that a damaged version
/// number is told from a newer one.
const CRC_AT: usize = HEADER_BYTES - 4;
const SEGMENT_END_PAYLOAD_BYTES: usize = 32;

/// Header of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its epoch.
    pub epoch: u32,
    /// Its number within the epoch.
    pub segment: u32,
    /// Number of the first leaf in it (of the next leaf, where it holds none yet).
    pub first_seq: u64,
    /// Offset of the frame that closes the previous segment; 0 in the first.
    pub prev_end: u64,
    /// Header CRC of that frame.
    pub prev_crc: u32,
    /// When it was begun, in microseconds since 1970.
    pub created_micros: i64,
    /// Time of the last leaf before it, so that times keep rising when it holds none.
    pub last_ts_micros: i64,
}

/// Why bytes are no segment header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadHeader {
    /// Only zeros: the file was prepared but not begun.
    Empty,
    /// A later version of the format.
    Newer,
    /// A version from before the formats were frozen.
    Older,
    /// Anything else.
    Damaged(&'static str),
}

/// Payload of the frame that closes a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SegmentEnd {
    /// Frames before this one.
    pub frames: u64,
    /// Leaves among them.
    pub leaves: u64,
    /// Bytes of those frames.
    pub bytes: u64,
    /// `first_seq` of the next segment.
    pub next_first_seq: u64,
}

// === impl SegmentHeader ===

impl SegmentHeader {
    /// The header's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..16].copy_from_slice(&u64::from(self.epoch).to_le_bytes());
        out[16..24].copy_from_slice(&u64::from(self.segment).to_le_bytes());
        out[24..32].copy_from_slice(&self.first_seq.to_le_bytes());
        out[32..40].copy_from_slice(&self.prev_end.to_le_bytes());
        out[40..44].copy_from_slice(&self.prev_crc.to_le_bytes());
        out[48..56].copy_from_slice(&self.created_micros.to_le_bytes());
        out[56..64].copy_from_slice(&self.last_ts_micros.to_le_bytes());
        let crc = crc32c::crc32c(&out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the header at the start of `bytes`, which must be that of the segment at `place`.
    pub fn decode(bytes: &[u8], place: Position) -> Result<Self, BadHeader> {
        let head = bytes.get(..HEADER_BYTES).unwrap_or(bytes);
        if head.iter().all(|b| *b == 0) {
            return Err(BadHeader::Empty);
        }
        if head.len() < HEADER_BYTES {
            return Err(BadHeader::Damaged("the segment header is cut off"));
        }
        if crc32c::crc32c(&head[..CRC_AT]) != u32_at(head, CRC_AT) {
            return Err(BadHeader::Damaged("wrong checksum of the segment header"));
        }
        if !head.starts_with(MAGIC_FAMILY) {
            return Err(BadHeader::Damaged("not a segment header"));
        }
        if head.starts_with(MAGIC_BEFORE) {
            return Err(BadHeader::Older);
        }
        if !head.starts_with(MAGIC) {
            return Err(BadHeader::Newer);
        }
        if head[64..CRC_AT].iter().any(|b| *b != 0) || u32_at(head, 44) != 0 {
            return Err(BadHeader::Damaged("reserved bytes of the segment header are set"));
        }
        if u64_at(head, 8) != u64::from(place.epoch) || u64_at(head, 16) != u64::from(place.segment)
        {
            return Err(BadHeader::Damaged("the file holds another segment than it is named"));
        }
        Ok(Self {
            epoch: place.epoch,
            segment: place.segment,
            first_seq: u64_at(head, 24),
            prev_end: u64_at(head, 32),
            prev_crc: u32_at(head, 40),
            created_micros: u64_at(head, 48).cast_signed(),
            last_ts_micros: u64_at(head, 56).cast_signed(),
        })
    }
}

// === impl SegmentEnd ===

impl SegmentEnd {
    /// The payload's bytes.
    pub fn encode(&self) -> [u8; SEGMENT_END_PAYLOAD_BYTES] {
        let mut out = [0; SEGMENT_END_PAYLOAD_BYTES];
        let values = [self.frames, self.leaves, self.bytes, self.next_first_seq];
        for (slot, value) in out.chunks_exact_mut(8).zip(values) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        out
    }

    /// Reads a payload; `None` where it has another length.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let payload: [u8; SEGMENT_END_PAYLOAD_BYTES] =
            array(payload, 0).filter(|_| payload.len() == SEGMENT_END_PAYLOAD_BYTES)?;
        Some(Self {
            frames: u64_at(&payload, 0),
            leaves: u64_at(&payload, 8),
            bytes: u64_at(&payload, 16),
            next_first_seq: u64_at(&payload, 24),
        })
    }
}

// === functions ===

/// File name of a segment.
pub fn segment_name(epoch: u32, segment: u32) -> String {
    format!("{epoch:08}-{segment:08}.seg")
}

/// Epoch and segment of a file name that `segment_name` makes.
pub fn parse_segment_name(name: &str) -> Option<(u32, u32)> {
    let (epoch, segment) = name.strip_suffix(".seg")?.split_once('-')?;
    let (epoch, segment) = (epoch.parse().ok()?, segment.parse().ok()?);
    (segment_name(epoch, segment) == name).then_some((epoch, segment))
}
