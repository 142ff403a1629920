//! Bodies on their way into the journal: cut into pieces, compressed, sealed; long ones are
//! written while they still stream.

use crate::error::{BODY_BYTES_MAX, RecordError};
use crate::pace::{Pace, TOGETHER_BYTES_MAX};
use journal::{Append, Committed, Frame, FrameKind, Journal};
use ledger::Hash;
use record::{PART_HEADER_BYTES, PIECE_BYTES_MAX, PartHeader, Place, Role, write_key_sets};
use seal::{Codec, RecordKey, SEALED_OVERHEAD_BYTES, SubjectKey};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Collects one body of a record.
pub struct BodyWriter {
    journal: Arc<Journal>,
    tenant: Arc<str>,
    key: Arc<RecordKey>,
    header: PartHeader,
    key_sets: Vec<u8>,
    codec: Codec,
    plain: Vec<u8>,
    bytes: u64,
    hashes: Vec<Hash>,
    stored_bytes: u64,
    /// Pieces that are not written yet, and how many plain bytes they hold.
    sealed: VecDeque<(Vec<u8>, usize)>,
    sealed_plain: usize,
    early: Vec<Place>,
    written: Vec<oneshot::Receiver<Result<Committed, journal::Error>>>,
    pace: Pace,
    failed: Option<RecordError>,
}

/// A body whose every byte is sealed; what was not written yet goes with its record.
pub(crate) struct ClosedBody {
    pub role: Role,
    pub attempt: u8,
    pub key_sets: Vec<u8>,
    pub hashes: Vec<Hash>,
    pub stored_bytes: u64,
    pub early: Vec<Place>,
    pub frames: Vec<Vec<u8>>,
}

impl std::fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyWriter").field("header", &self.header).finish_non_exhaustive()
    }
}

impl BodyWriter {
    pub(crate) fn new(
        journal: Arc<Journal>,
        tenant: Arc<str>,
        keys: &[Arc<SubjectKey>],
        key: Arc<RecordKey>,
        record_id: Uuid,
        role: Role,
        attempt: u8,
    ) -> Self {
        let ids: Vec<[u8; 16]> = keys.iter().map(|key| *key.id().as_bytes()).collect();
        Self {
            journal,
            tenant,
            key,
            header: PartHeader { record_id, role, attempt, number: 0, last: false },
            key_sets: write_key_sets(&[ids]),
            codec: Codec::default(),
            plain: Vec::new(),
            bytes: 0,
            hashes: Vec::new(),
            stored_bytes: 0,
            sealed: VecDeque::new(),
            sealed_plain: 0,
            early: Vec::new(),
            written: Vec::new(),
            pace: Pace::new(Instant::now()),
            failed: None,
        }
    }

    /// Bytes taken in so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Plain bytes of pieces that are sealed and not written yet.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.sealed_plain
    }

    /// Takes in bytes of a body that is whole already: nothing is written before the record.
    pub fn push(&mut self, bytes: &[u8]) {
        self.take(bytes, None);
    }

    /// Takes in bytes of a body that streams: pieces go to the journal when they are full, or a
    /// second old, without being waited for; less often as the stream grows old.
    pub fn push_streamed(&mut self, bytes: &[u8]) {
        self.push_streamed_at(bytes, Instant::now());
    }

    pub(crate) fn push_streamed_at(&mut self, bytes: &[u8], now: Instant) {
        self.take(bytes, Some(now));
        if self.pace.is_old(now) && !(self.plain.is_empty() && self.sealed.is_empty()) {
            if !self.plain.is_empty() {
                self.seal_piece(false);
            }
            self.write_early(now);
        }
    }

    fn take(&mut self, mut bytes: &[u8], streamed_at: Option<Instant>) {
        self.bytes += bytes.len() as u64;
        if self.bytes > BODY_BYTES_MAX {
            self.failed.get_or_insert(RecordError::BodyTooLong);
        }
        if self.failed.is_some() {
            return;
        }
        while !bytes.is_empty() {
            let room = PIECE_BYTES_MAX - self.plain.len();
            let (fitting, later) = bytes.split_at(room.min(bytes.len()));
            self.plain.extend_from_slice(fitting);
            bytes = later;
            // A full piece waits for one more byte, since only the last piece may end the body.
            if self.plain.len() == PIECE_BYTES_MAX && !bytes.is_empty() {
                self.seal_piece(false);
                if self.failed.is_some() {
                    return;
                }
                if let Some(now) = streamed_at
                    && self.pace.is_much(self.sealed_plain, now)
                {
                    self.write_early(now);
                }
            }
        }
    }

    fn seal_piece(&mut self, last: bool) {
        if self.failed.is_some() {
            return;
        }
        self.header.last = last;
        let header = self.header;
        let aad = seal::aad(
            &self.tenant,
            header.record_id.as_bytes(),
            header.role as u8,
            header.attempt,
            header.number,
        );
        let sealed = self.codec.compress(&self.plain).and_then(|packed| {
            let bytes = PART_HEADER_BYTES + packed.len() + SEALED_OVERHEAD_BYTES;
            let mut payload = Vec::with_capacity(bytes);
            header.write(&mut payload);
            self.key.seal_into(&aad, &packed, &mut payload)?;
            Ok(payload)
        });
        let payload = match sealed {
            Ok(payload) => payload,
            Err(error) => {
                self.failed = Some(error.into());
                return;
            }
        };
        let plain = self.plain.len();
        self.plain.clear();
        self.header.number += 1;
        self.stored_bytes += payload.len() as u64;
        self.hashes.push(ledger::leaf_hash(&payload));
        self.sealed_plain += plain;
        self.sealed.push_back((payload, plain));
    }

    /// Writes what waits, without waiting for it. A full queue is no failure: the pieces are
    /// kept, and go with a later write or with the record.
    fn write_early(&mut self, now: Instant) {
        let Some((count, plain)) = self.together().filter(|_| self.failed.is_none()) else {
            return;
        };
        match self.journal.append_nowait(self.append(count)) {
            Ok(receipt) => {
                self.sealed.drain(..count);
                self.sealed_plain -= plain;
                self.written.push(receipt);
                self.pace.written(now);
            }
            Err(journal::Error::Busy) => self.pace.put_off(now),
            Err(error) => self.failed = Some(error.into()),
        }
    }

    /// Waits until no more than can go with the record is kept here. Whoever streams calls this
    /// between pieces, so that memory stays bounded however busy the journal is.
    pub async fn make_room(&mut self) {
        while self.failed.is_none() && self.waiting_bytes() > TOGETHER_BYTES_MAX {
            if let Err(error) = self.write_waiting().await {
                self.failed = Some(error);
            }
        }
    }

    async fn write_waiting(&mut self) -> Result<(), RecordError> {
        let Some((count, plain)) = self.together() else { return Ok(()) };
        let committed = self.journal.append(self.append(count)).await?;
        self.sealed.drain(..count);
        self.sealed_plain -= plain;
        self.early.push(place(&committed));
        self.pace.written(Instant::now());
        Ok(())
    }

    /// How many of the oldest pieces to write together, and how many plain bytes they hold; none
    /// where nothing waits.
    fn together(&self) -> Option<(usize, usize)> {
        let (mut count, mut bytes) = (0, 0);
        for (_, plain) in &self.sealed {
            if count > 0 && bytes + plain > TOGETHER_BYTES_MAX {
                break;
            }
            count += 1;
            bytes += plain;
        }
        (count > 0).then_some((count, bytes))
    }

    /// The oldest pieces, copied: an append that is refused is not given back.
    fn append(&self, count: usize) -> Append {
        let frame = |(payload, _): &(Vec<u8>, usize)| Frame {
            kind: FrameKind::Part,
            keys: self.key_sets.clone(),
            payload: payload.clone(),
        };
        Append { frames: self.sealed.iter().take(count).map(frame).collect(), leaf: None }
    }

    /// Ends the body and waits for what was written early.
    pub(crate) async fn close(mut self) -> Result<ClosedBody, RecordError> {
        self.seal_piece(true);
        self.make_room().await;
        for receipt in std::mem::take(&mut self.written) {
            let committed = receipt.await.map_err(|_| journal::Error::Closed)??;
            self.early.push(place(&committed));
        }
        self.closed()
    }

    /// Ends a body that was whole from the beginning and is small enough to go with its record.
    pub(crate) fn close_whole(mut self) -> Result<ClosedBody, RecordError> {
        self.seal_piece(true);
        self.closed()
    }

    fn closed(self) -> Result<ClosedBody, RecordError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        Ok(ClosedBody {
            role: self.header.role,
            attempt: self.header.attempt,
            key_sets: self.key_sets,
            hashes: self.hashes,
            stored_bytes: self.stored_bytes,
            early: self.early,
            frames: self.sealed.into_iter().map(|(payload, _)| payload).collect(),
        })
    }
}

const fn place(committed: &Committed) -> Place {
    let start = committed.start;
    Place { epoch: start.epoch, segment: start.segment, offset: start.offset }
}
