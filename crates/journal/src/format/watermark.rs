//! The watermark: up to where everything was acknowledged, as far as is known.

use super::{u32_at, u64_at};
use crate::Position;

/// Name of the file.
pub const WATERMARK_NAME: &str = "watermark";
/// Its size: within one sector, so that it is never half written.
pub const WATERMARK_BYTES: usize = 40;

const MAGIC: &[u8; 8] = b"ALJWMK01";
const CRC_AT: usize = WATERMARK_BYTES - 4;

/// Everything before `end` was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// End of the last acknowledged batch that the file knows of.
    pub end: Position,
    /// Number of the next leaf there.
    pub next_seq: u64,
}

// === impl Watermark ===

impl Watermark {
    /// The file's bytes.
    pub fn encode(&self) -> [u8; WATERMARK_BYTES] {
        let mut out = [0; WATERMARK_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&self.end.epoch.to_le_bytes());
        out[12..16].copy_from_slice(&self.end.segment.to_le_bytes());
        out[16..24].copy_from_slice(&self.end.offset.to_le_bytes());
        out[24..32].copy_from_slice(&self.next_seq.to_le_bytes());
        let crc = crc32c::crc32c(&out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the file's bytes; `None` where they are damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..WATERMARK_BYTES)?;
        if !head.starts_with(MAGIC) || crc32c::crc32c(&head[..CRC_AT]) != u32_at(head, CRC_AT) {
            return None;
        }
        Some(Self {
            end: Position::new(u32_at(head, 8), u32_at(head, 12), u64_at(head, 16)),
            next_seq: u64_at(head, 24),
        })
    }
}
