//! Walking over the bytes of one whole segment.

use crate::Position;
use crate::format::{
    BadFrame, FLAG_FIRST_OF_BATCH, FRAME_ALIGN_BYTES, FRAME_MAGIC, FrameKind, FrameRef,
    SEGMENT_HEADER_BYTES, SegmentEnd, SegmentHeader, decode_frame,
};

/// What a walk over a segment's frames found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    /// Where the walk stopped: the first byte that belongs to no frame.
    pub stopped_at: u64,
    /// Why it stopped there; `None` behind the closing frame.
    pub stopped_by: Option<BadFrame>,
    /// End of the last whole append; before `stopped_at` where a record lacks its leaf.
    pub whole_to: u64,
    /// Start of the last frame with `FLAG_FIRST_OF_BATCH`: what lies before it is durable.
    pub last_batch_at: u64,
    /// Number of the next leaf at `whole_to`.
    pub next_seq: u64,
    /// Time of the last leaf at or before `whole_to`.
    pub last_ts_micros: i64,
    /// Frames and leaves up to `whole_to`.
    pub totals: SegmentEnd,
    /// The closing frame's offset and header CRC.
    pub closed: Option<(u64, u32)>,
}

/// Walks all frames of a segment. `bytes` is the whole file.
pub(crate) fn walk(bytes: &[u8], header: &SegmentHeader) -> Walk {
    let place = Position::new(header.epoch, header.segment, 0);
    let mut walk = Walk {
        stopped_at: SEGMENT_HEADER_BYTES,
        stopped_by: None,
        whole_to: SEGMENT_HEADER_BYTES,
        last_batch_at: SEGMENT_HEADER_BYTES,
        next_seq: header.first_seq,
        last_ts_micros: header.last_ts_micros,
        totals: SegmentEnd { next_first_seq: header.first_seq, ..SegmentEnd::default() },
        closed: None,
    };
    let mut open_frames = 0;
    loop {
        let at = walk.stopped_at;
        let rest = bytes.get(at as usize..).unwrap_or_default();
        let frame = match decode_frame(rest, place.at(at)) {
            Ok(frame) => frame,
            Err(bad) => {
                walk.stopped_by = Some(bad);
                return walk;
            }
        };
        if let Some(what) = walk.misplaced(&frame, open_frames > 0) {
            walk.stopped_by = Some(BadFrame::Damaged(what));
            return walk;
        }
        if frame.fields.flags & FLAG_FIRST_OF_BATCH != 0 {
            walk.last_batch_at = at;
        }
        walk.stopped_at = at + frame.bytes as u64;
        match frame.fields.kind {
            FrameKind::Open | FrameKind::Sealed => {
                open_frames += 1;
                continue;
            }
            FrameKind::Leaf => {
                walk.next_seq += 1;
                walk.last_ts_micros = frame.fields.ts_micros;
                walk.totals.leaves += 1;
            }
            FrameKind::SegmentEnd => {
                walk.closed = Some((at, frame.header_crc));
                walk.whole_to = walk.stopped_at;
                return walk;
            }
            FrameKind::Part => {}
        }
        walk.totals.frames += 1 + open_frames;
        open_frames = 0;
        walk.whole_to = walk.stopped_at;
        walk.totals.bytes = walk.whole_to - SEGMENT_HEADER_BYTES;
        walk.totals.next_first_seq = walk.next_seq;
    }
}

// === impl Walk ===

impl Walk {
    /// Why a valid frame cannot stand where it stands.
    fn misplaced(&self, frame: &FrameRef<'_>, in_record: bool) -> Option<&'static str> {
        let fields = frame.fields;
        if fields.seq != self.next_seq {
            return Some("sequence numbers do not follow each other");
        }
        match fields.kind {
            FrameKind::Leaf if fields.ts_micros <= self.last_ts_micros => Some("times do not rise"),
            FrameKind::Part | FrameKind::SegmentEnd if in_record => Some("a record lacks its leaf"),
            FrameKind::SegmentEnd if SegmentEnd::decode(frame.payload) != Some(self.totals) => {
                Some("the segment's totals differ from its frames")
            }
            _ => None,
        }
    }
}

// === functions ===

/// The first valid frame after `from` that `wanted` accepts, and its offset.
pub(crate) fn find_frame<'a>(
    bytes: &'a [u8],
    place: Position,
    from: u64,
    wanted: impl Fn(&FrameRef<'a>) -> bool,
) -> Option<(u64, FrameRef<'a>)> {
    let mut at = (from as usize).max(SEGMENT_HEADER_BYTES as usize);
    at = at.next_multiple_of(FRAME_ALIGN_BYTES);
    while let Some(rest) = bytes.get(at..) {
        if rest.len() < FRAME_ALIGN_BYTES {
            return None;
        }
        if rest.starts_with(&FRAME_MAGIC)
            && let Ok(frame) = decode_frame(rest, place.at(at as u64))
            && wanted(&frame)
        {
            return Some((at as u64, frame));
        }
        at += FRAME_ALIGN_BYTES;
    }
    None
}

/// True for a frame that proves that everything before it was durable.
pub(crate) fn proves_earlier(frame: &FrameRef<'_>) -> bool {
    frame.fields.flags & FLAG_FIRST_OF_BATCH != 0
}

/// End of the last byte that is not zero, at or after `from`.
pub(crate) fn last_nonzero(bytes: &[u8], from: u64) -> Option<u64> {
    let rest = bytes.get(from as usize..)?;
    rest.iter().rposition(|b| *b != 0).map(|i| from + i as u64 + 1)
}
