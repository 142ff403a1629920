//! Opening a journal that was written before: telling a torn tail (beyond what was acknowledged;
//! it is removed) from damage (refused), and finding where writing goes on.

use crate::disk::{Disk, DiskFile, OpenMode, read_all, read_full, write_full, write_zeros};
use crate::format::{
    BadHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentEnd, SegmentHeader, Watermark, decode_frame,
    segment_name,
};
use crate::layout::{SEGMENT_FILE_BYTES_MAX, corrupt, list_segments, segment_path};
use crate::scan::{Walk, find_frame, last_nonzero, proves_earlier, walk};
use crate::{Error, Position};
use std::path::Path;
use std::sync::Arc;

/// What `Journal::open` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Number of the next leaf.
    pub next_seq: u64,
    /// Where writing goes on.
    pub end: Position,
    /// Time of the last leaf; 0 in a new journal.
    pub last_ts_micros: i64,
    /// Bytes of a batch that was never acknowledged, removed from the end.
    pub torn_bytes: u64,
    /// True where the watermark of an old journal was missing or damaged, so that a damaged
    /// last batch could not have been told from a torn one.
    pub watermark_missing: bool,
}

/// The end of the journal, ready to be written on.
pub(crate) struct Tail {
    pub file: Arc<dyn DiskFile>,
    pub end: Position,
    /// Zeros are on disk from `end` to here.
    pub zeroed_to: u64,
    pub next_seq: u64,
    pub last_ts_micros: i64,
    pub totals: SegmentEnd,
    /// The closing frame, where the segment is closed and the next is not begun.
    pub closed: Option<(u64, u32)>,
    /// The next segment was prepared and holds only zeros, up to here.
    pub prepared_to: Option<u64>,
}

/// A journal directory that is being opened.
pub(crate) struct Recovery<'a> {
    pub disk: &'a dyn Disk,
    pub dir: &'a Path,
    pub epoch: u32,
    pub watermark: Option<Watermark>,
    /// Segments further than this from the end are checked only at their seams.
    pub check_bytes_max: u64,
}

/// A segment file in memory.
struct Loaded {
    place: Position,
    bytes: Vec<u8>,
}

// === impl Recovery ===

impl Recovery<'_> {
    /// Checks the epoch's segments and repairs a torn tail.
    pub fn run(&self) -> Result<(Tail, Recovered), Error> {
        let places = self.places()?;
        let mut loaded = Loaded { place: self.place(0), bytes: Vec::new() };
        let (last, prepared_to) = self.find_last(&places, &mut loaded)?;
        let header = decode_header(&loaded.bytes, loaded.place)?;
        if self.watermark.is_some_and(|w| w.end.segment > last) {
            return Err(corrupt(self.place(last + 1), "the segment file is missing or empty"));
        }
        let found = walk(&loaded.bytes, &header);
        judge(&loaded.bytes, &header, &found, self.watermark)?;
        self.check_earlier(last, loaded.bytes.len() as u64, &header)?;
        let (tail, torn_bytes) = self.repair(&loaded, &found, prepared_to)?;
        let recovered = Recovered {
            next_seq: tail.next_seq,
            end: tail.end,
            last_ts_micros: tail.last_ts_micros,
            torn_bytes,
            watermark_missing: self.watermark.is_none(),
        };
        Ok((tail, recovered))
    }

    fn place(&self, segment: u32) -> Position {
        Position::new(self.epoch, segment, 0)
    }

    /// The epoch's segments, which must be complete.
    fn places(&self) -> Result<Vec<Position>, Error> {
        let mut places = list_segments(self.disk, self.dir)?;
        for later in places.iter().filter(|p| p.epoch > self.epoch) {
            let bytes = self.load(*later)?;
            // An epoch that was being started when the process ended holds no frame yet.
            if find_frame(&bytes, *later, 0, |_| true).is_some() {
                let what = "it belongs to a later epoch than meta.json names";
                return Err(corrupt(*later, what));
            }
        }
        places.retain(|p| p.epoch == self.epoch);
        if self.watermark.is_some_and(|w| w.end.epoch > self.epoch) {
            return Err(corrupt(self.place(0), "the watermark is of a later epoch"));
        }
        for number in 0..=places.last().map_or(0, |p| p.segment) {
            if places.get(number as usize).is_none_or(|p| p.segment != number) {
                return Err(corrupt(self.place(number), "the segment file is missing"));
            }
        }
        Ok(places)
    }

    /// Loads the last segment that was begun; returns its number, and whether a prepared one
    /// follows.
    fn find_last(
        &self,
        places: &[Position],
        loaded: &mut Loaded,
    ) -> Result<(u32, Option<u64>), Error> {
        let last = places.last().map_or(0, |p| p.segment);
        loaded.place = self.place(last);
        loaded.bytes = self.load(loaded.place)?;
        let begun = match SegmentHeader::decode(&loaded.bytes, loaded.place) {
            Ok(_) | Err(BadHeader::Newer | BadHeader::Older) => true,
            // The header is durable before the first frame is written.
            Err(BadHeader::Empty | BadHeader::Damaged(_)) => {
                let acknowledged = self
                    .watermark
                    .is_some_and(|w| (w.end.epoch, w.end.segment) == (self.epoch, last));
                last == 0
                    || acknowledged
                    || find_frame(&loaded.bytes, loaded.place, 0, |_| true).is_some()
            }
        };
        if begun {
            return Ok((last, None));
        }
        // A header that was never finished is overwritten when the segment is made again.
        let zeros = last_nonzero(&loaded.bytes, 0).is_none();
        let prepared_to = if zeros { loaded.bytes.len() as u64 } else { 0 };
        loaded.place = self.place(last - 1);
        loaded.bytes = self.load(loaded.place)?;
        Ok((last - 1, Some(prepared_to)))
    }

    fn load(&self, place: Position) -> Result<Vec<u8>, Error> {
        let path = segment_path(self.dir, place);
        let file =
            self.disk.open(&path, OpenMode::Read).map_err(|e| Error::io("open", &path, e))?;
        let mut bytes = Vec::new();
        read_all(&*file, SEGMENT_FILE_BYTES_MAX, &mut bytes)
            .map_err(|e| Error::io("read", &path, e))?;
        Ok(bytes)
    }

    /// Checks every segment before the last; those near the end in full.
    fn check_earlier(
        &self,
        last: u32,
        last_bytes: u64,
        last_header: &SegmentHeader,
    ) -> Result<(), Error> {
        let mut next = *last_header;
        let mut checked_bytes = last_bytes;
        for number in (0..last).rev() {
            let place = self.place(number);
            next = if checked_bytes < self.check_bytes_max {
                let bytes = self.load(place)?;
                checked_bytes += bytes.len() as u64;
                check_closed(&bytes, place, &next)?
            } else {
                self.check_seam(place, &next)?
            };
        }
        if next.first_seq != 0 || next.prev_end != 0 || next.prev_crc != 0 {
            return Err(corrupt(self.place(0), "the first segment does not start at 0"));
        }
        Ok(())
    }

    /// Checks only header and closing frame of a segment.
    fn check_seam(&self, place: Position, next: &SegmentHeader) -> Result<SegmentHeader, Error> {
        let path = segment_path(self.dir, place);
        let file =
            self.disk.open(&path, OpenMode::Read).map_err(|e| Error::io("open", &path, e))?;
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
        let read = |bytes: &mut Vec<u8>, offset| {
            let n = read_full(&*file, bytes, offset).map_err(|e| Error::io("read", &path, e))?;
            bytes.truncate(n);
            Ok(())
        };
        read(&mut bytes, 0)?;
        let header = decode_header(&bytes, place)?;
        bytes.resize(crate::format::SEGMENT_END_FRAME_BYTES as usize, 0);
        read(&mut bytes, next.prev_end)?;
        let at = place.at(next.prev_end);
        let frame = decode_frame(&bytes, at).map_err(|bad| corrupt(at, bad.what()))?;
        let follows = frame.fields.kind == FrameKind::SegmentEnd
            && frame.header_crc == next.prev_crc
            && SegmentEnd::decode(frame.payload)
                .is_some_and(|end| end.next_first_seq == next.first_seq);
        if !follows {
            return Err(corrupt(at, "the next segment does not follow"));
        }
        Ok(header)
    }

    /// Removes a torn tail and makes what is kept durable.
    fn repair(
        &self,
        loaded: &Loaded,
        found: &Walk,
        prepared_to: Option<u64>,
    ) -> Result<(Tail, u64), Error> {
        let path = segment_path(self.dir, loaded.place);
        let file =
            self.disk.open(&path, OpenMode::Write).map_err(|e| Error::io("open", &path, e))?;
        let failed = |e| Error::io("repair", &path, e);
        let end = found.whole_to;
        let torn_to = last_nonzero(&loaded.bytes, end).unwrap_or(end);
        write_zeros(&*file, end, torn_to).1.map_err(failed)?;
        // After a failed sync the system may hold bytes that it will never write. The batch
        // that was under way is therefore written again before it counts.
        let acknowledged = self
            .watermark
            .filter(|w| (w.end.epoch, w.end.segment) == (self.epoch, loaded.place.segment))
            .map_or(0, |w| w.end.offset);
        let from = found.last_batch_at.max(acknowledged).min(end);
        let again = loaded.bytes.get(from as usize..end as usize).unwrap_or_default();
        write_full(&*file, again, from).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        let tail = Tail {
            file,
            end: loaded.place.at(end),
            zeroed_to: loaded.bytes.len() as u64,
            next_seq: found.next_seq,
            last_ts_micros: found.last_ts_micros,
            totals: found.totals,
            closed: found.closed,
            prepared_to,
        };
        Ok((tail, torn_to - end))
    }
}

// === functions ===

/// The header of the segment at `place`.
pub(crate) fn decode_header(bytes: &[u8], place: Position) -> Result<SegmentHeader, Error> {
    SegmentHeader::decode(bytes, place).map_err(|bad| match bad {
        BadHeader::Newer => Error::NewerFormat { file: segment_name(place.epoch, place.segment) },
        BadHeader::Older => Error::OlderFormat { file: segment_name(place.epoch, place.segment) },
        BadHeader::Empty => corrupt(place, "zeros where the segment header must be"),
        BadHeader::Damaged(what) => corrupt(place, what),
    })
}

/// Decides whether what follows the last whole append is clean, torn or damaged.
pub(crate) fn judge(
    bytes: &[u8],
    header: &SegmentHeader,
    found: &Walk,
    watermark: Option<Watermark>,
) -> Result<(), Error> {
    let place = Position::new(header.epoch, header.segment, found.stopped_at);
    let Some(bad) = found.stopped_by else {
        return match last_nonzero(bytes, found.stopped_at) {
            Some(_) => Err(corrupt(place, "bytes behind the end of the segment")),
            None => Ok(()),
        };
    };
    let here = (header.epoch, header.segment);
    let acknowledged = watermark.is_some_and(|w| {
        let there = (w.end.epoch, w.end.segment);
        there > here || (there == here && w.end.offset > found.whole_to)
    });
    if acknowledged || find_frame(bytes, place, found.stopped_at, proves_earlier).is_some() {
        return Err(corrupt(place, bad.what()));
    }
    Ok(())
}

/// Checks a segment that another follows, in full.
fn check_closed(
    bytes: &[u8],
    place: Position,
    next: &SegmentHeader,
) -> Result<SegmentHeader, Error> {
    let header = decode_header(bytes, place)?;
    let found = walk(bytes, &header);
    if let Some(bad) = found.stopped_by {
        return Err(corrupt(place.at(found.stopped_at), bad.what()));
    }
    judge(bytes, &header, &found, None)?;
    let follows = found.closed == Some((next.prev_end, next.prev_crc))
        && found.next_seq == next.first_seq
        && found.last_ts_micros == next.last_ts_micros;
    if !follows {
        let next_place = Position::new(next.epoch, next.segment, 0);
        return Err(corrupt(next_place, "the segment does not follow the one before it"));
    }
    Ok(header)
}
