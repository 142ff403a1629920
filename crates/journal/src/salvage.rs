//! What can still be read of a damaged journal.

use crate::disk::{Disk, RealDisk};
use crate::format::{BadHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, decode_frame};
use crate::layout::list_segments;
use crate::reader::load_segment;
use crate::scan::{find_frame, last_nonzero};
use crate::stored::StoredFrame;
use crate::{Error, Position};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// A piece of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Salvaged {
    /// A valid frame. Frames of a record follow each other without `Damage` between them only
    /// if the record is whole.
    Frame(StoredFrame),
    /// Bytes that are no frames.
    Damage {
        /// Where they start.
        from: Position,
        /// Where the next valid frame, or the next segment, starts.
        to: Position,
        /// What is wrong at `from`.
        what: &'static str,
    },
}

/// Lists every valid frame of a journal, and every damaged place. Changes nothing.
pub struct Salvage {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: VecDeque<Position>,
    at: Position,
    bytes: Vec<u8>,
    found: VecDeque<Salvaged>,
}

// === impl Salvage ===

impl Salvage {
    /// Starts at the first segment.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::open_on(Arc::new(RealDisk), dir)
    }

    /// Like `open`, on another file system.
    pub fn open_on(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        let segments: VecDeque<_> = list_segments(&*disk, &dir)?.into();
        let start = Position::new(0, 0, 0);
        Ok(Self { disk, dir, segments, at: start, bytes: Vec::new(), found: VecDeque::new() })
    }

    /// Loads the next segment; false behind the last.
    fn enter(&mut self) -> Result<bool, Error> {
        let Some(place) = self.segments.pop_front() else { return Ok(false) };
        let expected = if place.epoch == self.at.epoch { self.at.segment + 1 } else { 0 };
        if place.segment != expected {
            self.found.push_back(Salvaged::Damage {
                from: Position::new(place.epoch, expected, 0),
                to: place,
                what: "the segment file is missing",
            });
        }
        self.at = place.at(SEGMENT_HEADER_BYTES);
        self.bytes.clear();
        self.bytes = load_segment(&*self.disk, &self.dir, place)?;
        let what = match SegmentHeader::decode(&self.bytes, place) {
            Ok(_) => return Ok(true),
            Err(BadHeader::Newer) => "written in a newer format",
            Err(BadHeader::Older) => "written before the formats were frozen",
            Err(BadHeader::Damaged(what)) => what,
            // A prepared segment.
            Err(BadHeader::Empty) if last_nonzero(&self.bytes, 0).is_none() => return Ok(true),
            Err(BadHeader::Empty) => "zeros where the segment header must be",
        };
        self.found.push_back(Salvaged::Damage { from: place, to: self.at, what });
        Ok(true)
    }

    /// Reads on; false where the segment ends.
    fn read(&mut self) -> bool {
        let at = self.at;
        let rest = self.bytes.get(at.offset as usize..).unwrap_or_default();
        let bad = match decode_frame(rest, at) {
            Ok(frame) => {
                self.at.offset += frame.bytes as u64;
                if frame.fields.kind != FrameKind::SegmentEnd {
                    self.found.push_back(Salvaged::Frame(StoredFrame::new(&frame, at)));
                }
                return true;
            }
            Err(bad) => bad,
        };
        let to = find_frame(&self.bytes, at, at.offset + 1, |_| true).map(|(to, _)| to);
        if to.is_some() || last_nonzero(&self.bytes, at.offset).is_some() {
            let to = at.at(to.unwrap_or(self.bytes.len() as u64));
            self.found.push_back(Salvaged::Damage { from: at, to, what: bad.what() });
        }
        self.at.offset = to.unwrap_or(self.bytes.len() as u64);
        to.is_some()
    }
}

impl Iterator for Salvage {
    type Item = Result<Salvaged, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(Ok(found));
            }
            if self.bytes.is_empty() || !self.read() {
                if let Some(found) = self.found.pop_front() {
                    self.bytes.clear();
                    return Some(Ok(found));
                }
                match self.enter() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
        }
    }
}
