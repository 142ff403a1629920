//! Room for the next append: zeros ahead of it, and the next segment where this one is full.

use super::{Asked, Committer};
use crate::ahead::Active;
use crate::disk::write_full;
use crate::format::{
    FrameKind, SEGMENT_END_FRAME_BYTES, SEGMENT_HEADER_BYTES, SegmentEnd, SegmentHeader,
};
use crate::{Error, Position};
use std::sync::Arc;

// === impl Committer ===

impl Committer {
    /// Makes sure that `bytes` more fit behind the batch, over zeros that are on disk.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), Error> {
        if self.closed.is_some() {
            self.begin_segment()?;
        }
        // The closing frame must always find room.
        let needed = bytes + SEGMENT_END_FRAME_BYTES;
        let at = self.position().offset;
        // A segment ends where its zeros end: one that grows while it is written is synced with
        // its metadata, and every record waits for that.
        if at > SEGMENT_HEADER_BYTES && at + needed > self.zeroed_to {
            self.roll_over()?;
        }
        let to = self.position().offset + needed;
        if to > self.zeroed_to {
            self.zeroed_to = self.ahead.wait_zeros(to)?;
        }
        self.look_ahead(to);
        Ok(())
    }

    /// Lets the helper work before its work is needed.
    fn look_ahead(&mut self, to: u64) {
        let asked = match to {
            _ if to > self.zeroed_to / 2 => Asked::Hurry,
            _ if to > self.zeroed_to / 4 => Asked::Early,
            _ => Asked::Not,
        };
        if asked > self.asked {
            self.asked = asked;
            self.ahead.want_next(asked == Asked::Hurry);
        }
    }

    /// Closes the segment behind the batch and begins the next.
    fn roll_over(&mut self) -> Result<(), Error> {
        if self.prepared.is_none() {
            self.prepared = Some(self.ahead.take_next()?);
        }
        let at = self.position().offset;
        let totals = self.counted.totals.encode();
        let crc = self.encode(FrameKind::SegmentEnd, 0, &[], &totals);
        self.commit(true)?;
        self.closed = Some((at, crc));
        self.begin_segment()
    }

    /// Begins the segment after the one that is closed.
    fn begin_segment(&mut self) -> Result<(), Error> {
        let Some((prev_end, prev_crc)) = self.closed else { return Ok(()) };
        let prepared = match self.prepared.take() {
            Some(prepared) => prepared,
            None => self.ahead.take_next()?,
        };
        let place = Position::new(self.end.epoch, self.end.segment + 1, SEGMENT_HEADER_BYTES);
        let header = SegmentHeader {
            epoch: place.epoch,
            segment: place.segment,
            first_seq: self.counted.next_seq,
            prev_end,
            prev_crc,
            created_micros: self.now_micros,
            last_ts_micros: self.counted.last_ts_micros,
        };
        if let Err(e) = write_full(&*prepared.file, &header.encode(), 0) {
            let error = Error::io("begin", &prepared.path, e);
            self.prepared = Some(prepared);
            let full = matches!(error, Error::DiskFull);
            return Err(if full { error } else { self.shared.poison(error) });
        }
        prepared
            .file
            .sync_data()
            .map_err(|e| self.shared.poison(Error::io("sync", &prepared.path, e)))?;
        self.closed = None;
        self.asked = Asked::Not;
        self.end = place;
        self.batch.follow(place.offset);
        self.zeroed_to = prepared.zeroed_to;
        self.file = Arc::clone(&prepared.file);
        self.path.clone_from(&prepared.path);
        self.counted.totals =
            SegmentEnd { next_first_seq: self.counted.next_seq, ..SegmentEnd::default() };
        self.before = self.counted;
        // From here on a damaged header is told from one that was never finished.
        let watermark = &self.shared.watermark;
        watermark
            .advance(self.watermark())
            .and_then(|()| watermark.sync())
            .map_err(|e| self.shared.poison(e))?;
        self.ahead.switch(Active {
            file: prepared.file,
            path: prepared.path,
            zeroed_to: prepared.zeroed_to,
            next: Position::new(place.epoch, place.segment + 1, 0),
            next_from: 0,
        });
        Ok(())
    }
}
