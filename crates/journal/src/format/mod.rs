//! The bytes on disk: everything that a reader or verifier needs, without a journal.
//!
//! All integers are little endian. A checksum is CRC-32C, seeded with the place of what it
//! covers, so that a frame that was copied or written elsewhere is not valid there.

mod frame;
mod segment;
mod watermark;

pub use frame::{
    BadFrame, FLAG_FIRST_OF_BATCH, FLAG_SYNCED, FRAME_ALIGN_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC,
    FrameFields, FrameHead, FrameKind, FrameRef, KEYS_BYTES_MAX, PAYLOAD_BYTES_MAX, decode_frame,
    decode_head, encode_frame, frame_bytes,
};
pub use segment::{
    BadHeader, SEGMENT_END_FRAME_BYTES, SEGMENT_HEADER_BYTES, SegmentEnd, SegmentHeader,
    parse_segment_name, segment_name,
};
pub use watermark::{WATERMARK_BYTES, WATERMARK_NAME, Watermark};

/// Name and version of the format, as `meta.json` holds it.
pub const FORMAT: &str = "audit-layer/journal/1";
/// The leaf's size is limited by C2SP tlog-tiles, which gives entry lengths 16 bits.
pub const LEAF_BYTES_MAX: usize = 65_535;
/// One append, all frames and headers together.
pub const APPEND_BYTES_MAX: u64 = 64 << 20;

/// Reads an integer; `None` past the end.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    array(bytes, at).map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    array(bytes, at).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    array(bytes, at).map_or(0, u64::from_le_bytes)
}
