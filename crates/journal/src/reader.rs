//! Reading a journal from front to back.

use crate::disk::{Disk, DiskFile, OpenMode, RealDisk, read_all, read_full};
use crate::format::{
    BadFrame, BadHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, Watermark, decode_frame,
};
use crate::layout::{
    Meta, SEGMENT_FILE_BYTES_MAX, corrupt, list_segments, read_watermark, segment_path,
};
use crate::recovery::decode_header;
use crate::scan::{find_frame, proves_earlier};
use crate::stored::StoredFrame;
use crate::{Error, Position};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// Reads a journal frame by frame, across segments and epochs, whether it is being written or
/// not. Closing frames are checked and passed over.
///
/// Of a journal that is being written, read only what was acknowledged: pass
/// `Progress::end` (or, from another process, the watermark) as `until`. What lies behind may
/// be half written; at the end of an epoch, frames of a record without a leaf may appear that
/// a start of the journal would remove.
pub struct Reader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    at: Position,
    file: Option<(Position, Arc<dyn DiskFile>)>,
    window: Vec<u8>,
    window_at: u64,
    next_seq: Option<u64>,
    /// Offset and header CRC of the closing frame that was just passed.
    closed: Option<(u64, u32)>,
}

/// What lies at the reader's place, if no frame does.
enum Gap {
    /// The epoch ends here.
    End,
    /// A frame is here by now.
    Again,
}

// === impl Reader ===

impl Reader {
    /// Starts at `from`, which must be where a frame or segment starts; at the first record if
    /// `None`.
    pub fn open(dir: impl Into<PathBuf>, from: Option<Position>) -> Result<Self, Error> {
        Self::open_on(Arc::new(RealDisk), dir, from)
    }

    /// Like `open`, on another file system.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        dir: impl Into<PathBuf>,
        from: Option<Position>,
    ) -> Result<Self, Error> {
        let dir = dir.into();
        // Refuses newer formats.
        let meta = Meta::read(&*disk, &dir)?;
        let at = match from {
            Some(from) => from,
            None => match list_segments(&*disk, &dir)?.first() {
                Some(first) => Position::new(first.epoch, 0, 0),
                None => Position::new(meta.map_or(1, |meta| meta.epoch), 0, 0),
            },
        };
        Ok(Self {
            disk,
            dir,
            at,
            file: None,
            window: Vec::new(),
            window_at: 0,
            next_seq: None,
            closed: None,
        })
    }

    /// Where the next frame is expected.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The next frame; `None` at `until`, or at the end of what is there.
    pub fn next(&mut self, until: Option<Position>) -> Result<Option<StoredFrame>, Error> {
        loop {
            if until.is_some_and(|until| self.at >= until) {
                return Ok(None);
            }
            if self.at.offset < SEGMENT_HEADER_BYTES {
                if self.enter(until)? || self.next_epoch()? {
                    continue;
                }
                return Ok(None);
            }
            let (frame, header_crc) = match self.frame(until)? {
                Ok(found) => found,
                Err(bad) => match self.gap(bad, until)? {
                    Gap::Again => continue,
                    Gap::End if self.next_epoch()? => continue,
                    Gap::End => return Ok(None),
                },
            };
            if self.next_seq.is_some_and(|seq| seq != frame.seq) {
                return Err(corrupt(self.at, "sequence numbers do not follow each other"));
            }
            self.next_seq = Some(frame.seq + u64::from(frame.kind == FrameKind::Leaf));
            if frame.kind == FrameKind::SegmentEnd {
                self.check_rest(frame.next)?;
                self.closed = Some((self.at.offset, header_crc));
                self.go(Position::new(self.at.epoch, self.at.segment + 1, 0));
                continue;
            }
            self.at = frame.next;
            return Ok(Some(frame));
        }
    }

    /// Reads the header of the segment that is entered; false where none was begun.
    fn enter(&mut self, until: Option<Position>) -> Result<bool, Error> {
        let place = self.at.at(0);
        if !self.open_file()? {
            return self.unbegun(until, "the segment file is missing");
        }
        self.fill(0, SEGMENT_HEADER_BYTES as usize, u64::MAX)?;
        let header = match SegmentHeader::decode(&self.window, place) {
            Err(BadHeader::Empty | BadHeader::Damaged(_)) if !self.begun(place)? => {
                return self.unbegun(until, "the segment is empty");
            }
            _ => decode_header(&self.window, place)?,
        };
        let follows = self.next_seq.is_none_or(|seq| seq == header.first_seq)
            && self.closed.take().is_none_or(|end| end == (header.prev_end, header.prev_crc));
        if !follows {
            return Err(corrupt(place, "the segment does not follow the one before it"));
        }
        self.next_seq = Some(header.first_seq);
        self.at.offset = SEGMENT_HEADER_BYTES;
        Ok(true)
    }

    /// A segment that is not there, or only prepared, ends its epoch: nothing may be behind it.
    fn unbegun(&self, until: Option<Position>, what: &'static str) -> Result<bool, Error> {
        let place = self.at.at(0);
        let behind = until.is_some_and(|until| {
            until.epoch == place.epoch && until > place.at(SEGMENT_HEADER_BYTES)
        }) || self.acknowledged(place)?
            || list_segments(&*self.disk, &self.dir)?
                .iter()
                .any(|other| other.epoch == place.epoch && *other > place);
        if behind { Err(corrupt(place, what)) } else { Ok(false) }
    }

    fn go(&mut self, to: Position) {
        self.at = to;
        self.file = None;
        self.window.clear();
    }

    /// Goes to the start of the next epoch, if there is one.
    fn next_epoch(&mut self) -> Result<bool, Error> {
        let places = list_segments(&*self.disk, &self.dir)?;
        let Some(next) = places.iter().find(|p| p.epoch > self.at.epoch) else {
            return Ok(false);
        };
        self.next_seq = None;
        self.closed = None;
        self.go(Position::new(next.epoch, 0, 0));
        Ok(true)
    }

    /// Behind a closing frame there are only zeros.
    fn check_rest(&mut self, from: Position) -> Result<(), Error> {
        let mut offset = from.offset;
        loop {
            self.fill(offset, WINDOW_BYTES, u64::MAX)?;
            if self.window.is_empty() {
                return Ok(());
            }
            if self.window.iter().any(|b| *b != 0) {
                return Err(corrupt(from, "bytes behind the end of the segment"));
            }
            offset += self.window.len() as u64;
        }
    }

    /// Opens the file of the current segment; false if there is none.
    fn open_file(&mut self) -> Result<bool, Error> {
        let place = self.at.at(0);
        if self.file.as_ref().is_some_and(|(open, _)| *open == place) {
            return Ok(true);
        }
        self.window.clear();
        let path = segment_path(&self.dir, place);
        match self.disk.open(&path, OpenMode::Read) {
            Ok(file) => {
                self.file = Some((place, file));
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("open", &path, e)),
        }
    }

    /// The frame at the current place, or why there is none.
    fn frame(
        &mut self,
        until: Option<Position>,
    ) -> Result<Result<(StoredFrame, u32), BadFrame>, Error> {
        if !self.open_file()? {
            return Err(corrupt(self.at.at(0), "the segment file is missing"));
        }
        // What lies behind `until` may change yet, so it is not read.
        let limit = until
            .filter(|until| until.at(0) == self.at.at(0))
            .map_or(u64::MAX, |until| until.offset);
        let mut wanted = WINDOW_BYTES;
        let mut fresh = false;
        loop {
            let skip = self.at.offset.saturating_sub(self.window_at) as usize;
            let known = self.at.offset >= self.window_at;
            let bytes = self.window.get(skip..).filter(|_| known).unwrap_or_default();
            let bad = match decode_frame(bytes, self.at) {
                Ok(frame) => return Ok(Ok((StoredFrame::new(&frame, self.at), frame.header_crc))),
                Err(bad) => bad,
            };
            match bad {
                BadFrame::Short(more) if more > wanted => wanted = more,
                _ if fresh => return Ok(Err(bad)),
                _ => {}
            }
            let had = if fresh { bytes.len() } else { 0 };
            self.fill(self.at.offset, wanted, limit)?;
            if fresh && self.window.len() <= had {
                return Ok(Err(bad));
            }
            fresh = true;
        }
    }

    /// Reads `wanted` bytes at `from`, fewer at the end of the file or at `limit`.
    fn fill(&mut self, from: u64, wanted: usize, limit: u64) -> Result<(), Error> {
        let Some((place, file)) = &self.file else { return Ok(()) };
        let failed = |e| Error::io("read", &segment_path(&self.dir, *place), e);
        let end = file.size().map_err(failed)?.min(limit);
        let wanted = wanted.min(usize::try_from(end.saturating_sub(from)).unwrap_or(wanted));
        self.window.resize(wanted, 0);
        let n = read_full(&**file, &mut self.window, from).map_err(failed)?;
        self.window.truncate(n);
        self.window_at = from;
        Ok(())
    }

    /// Tells the end of an epoch from damage.
    fn gap(&mut self, bad: BadFrame, until: Option<Position>) -> Result<Gap, Error> {
        let inside = until.is_some_and(|until| until.epoch == self.at.epoch);
        if inside || self.continues()? {
            // A writer may have come past here since the frame was looked for.
            self.window.clear();
            return match self.frame(until)? {
                Ok(_) => Ok(Gap::Again),
                Err(_) => Err(corrupt(self.at, bad.what())),
            };
        }
        Ok(Gap::End)
    }

    /// True if anything proves that acknowledged bytes lie behind the current place.
    fn continues(&self) -> Result<bool, Error> {
        if self.acknowledged(self.at)? {
            return Ok(true);
        }
        let next = Position::new(self.at.epoch, self.at.segment + 1, 0);
        if self.begun(next)? {
            return Ok(true);
        }
        let bytes = self.load(self.at)?;
        Ok(find_frame(&bytes, self.at, self.at.offset, proves_earlier).is_some())
    }

    /// True if the watermark of this epoch lies behind `place`.
    fn acknowledged(&self, place: Position) -> Result<bool, Error> {
        let watermark = read_watermark(&*self.disk, &self.dir)?;
        let behind = |w: Watermark| w.end.epoch == place.epoch && w.end > place;
        Ok(watermark.is_some_and(behind))
    }

    /// True if the segment holds a header or frames.
    fn begun(&self, place: Position) -> Result<bool, Error> {
        let bytes = self.load(place)?;
        let header = bytes.get(..SEGMENT_HEADER_BYTES as usize).unwrap_or(&bytes);
        Ok(SegmentHeader::decode(header, place).is_ok()
            || find_frame(&bytes, place, 0, |_| true).is_some())
    }

    /// The whole segment; nothing if there is none.
    fn load(&self, place: Position) -> Result<Vec<u8>, Error> {
        load_segment(&*self.disk, &self.dir, place)
    }
}

// === functions ===

/// A segment's bytes; nothing if there is no such file.
pub(crate) fn load_segment(disk: &dyn Disk, dir: &Path, place: Position) -> Result<Vec<u8>, Error> {
    let path = segment_path(dir, place);
    let mut bytes = Vec::new();
    match disk.open(&path, OpenMode::Read) {
        Ok(file) => read_all(&*file, SEGMENT_FILE_BYTES_MAX, &mut bytes)
            .map_err(|e| Error::io("read", &path, e))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::io("open", &path, e)),
    }
    Ok(bytes)
}

/// The watermark of the journal in `dir`: up to where another process acknowledged. `None` if
/// the file is missing or damaged.
pub fn read_watermark_of(dir: &Path) -> Result<Option<Watermark>, Error> {
    read_watermark(&RealDisk, dir)
}
