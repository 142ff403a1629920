//! What is appended, and what comes of it.

use crate::error::check_size;
use crate::format::{APPEND_BYTES_MAX, FrameKind, KEYS_BYTES_MAX, LEAF_BYTES_MAX, frame_bytes};
use crate::{Error, Position};
use std::fmt;

/// A frame to append: `Part`, `Open` or `Sealed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: FrameKind,
    /// Key ids, opaque here.
    pub keys: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Writes a leaf once its number and time are known. Runs on the committer's thread, so it
/// must be quick. It may run for an append that then fails.
pub trait LeafSource: Send {
    /// Appends the leaf's bytes to `out`.
    fn finish(&mut self, epoch: u64, seq: u64, ts_micros: i64, out: &mut Vec<u8>);
}

/// Frames that are kept together or not at all: parts, then, where a record is completed,
/// `Open` and `Sealed` frames and the leaf.
#[derive(Default)]
pub struct Append {
    /// In this order.
    pub frames: Vec<Frame>,
    /// `None`: only parts, ahead of their record.
    pub leaf: Option<Box<dyn LeafSource>>,
}

/// Where an append went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The leaf's number; without a leaf, that of the next one.
    pub seq: u64,
    /// The leaf's time.
    pub ts_micros: i64,
    /// The append's first frame.
    pub start: Position,
    /// The leaf's frame; without a leaf, the end.
    pub leaf: Position,
    /// Behind the append's last frame.
    pub end: Position,
}

// === impl Append ===

impl Append {
    /// Bytes of the frames, without the leaf; refuses what no reader could make sense of.
    pub(crate) fn check(&self) -> Result<u64, Error> {
        let invalid = |what| Err(Error::Invalid { what });
        if self.frames.is_empty() && self.leaf.is_none() {
            return invalid("it is empty");
        }
        let mut bytes = 0;
        let mut in_record = false;
        for frame in &self.frames {
            match frame.kind {
                FrameKind::Part if in_record => return invalid("a part follows the open data"),
                FrameKind::Part => {}
                FrameKind::Open | FrameKind::Sealed => in_record = true,
                FrameKind::Leaf | FrameKind::SegmentEnd => {
                    return invalid("the journal itself writes leaves and ends");
                }
            }
            check_size(frame.keys.len() as u64, KEYS_BYTES_MAX as u64)?;
            check_size(frame.payload.len() as u64, APPEND_BYTES_MAX)?;
            bytes += frame_bytes(frame.keys.len(), frame.payload.len()) as u64;
        }
        if in_record && self.leaf.is_none() {
            return invalid("a record has no leaf");
        }
        let leaf = if self.leaf.is_some() { frame_bytes(0, LEAF_BYTES_MAX) as u64 } else { 0 };
        check_size(bytes, APPEND_BYTES_MAX - leaf)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Append {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads are not for logs.
        f.debug_struct("Append").field("frames", &self.frames.len()).finish_non_exhaustive()
    }
}
