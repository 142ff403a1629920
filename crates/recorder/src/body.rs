//! Bodies on their way into the journal: cut into pieces, compressed, sealed; long ones are
//! written while they still stream.

use crate::error::{BODY_BYTES_MAX, RecordError};
use journal::{Append, Committed, Frame, FrameKind, Journal};
use ledger::Hash;
use record::{PIECE_BYTES_MAX, PartHeader, Place, Role, write_key_sets};
use seal::{Codec, RecordKey, SubjectKey};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use uuid::Uuid;

/// A stream's bytes reach the journal after this time at the latest (with the next piece).
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

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
    sealed: Vec<Vec<u8>>,
    written: Vec<oneshot::Receiver<Result<Committed, journal::Error>>>,
    flushed: Instant,
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
            sealed: Vec::new(),
            written: Vec::new(),
            flushed: Instant::now(),
            failed: None,
        }
    }

    /// Bytes taken in so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes in bytes of a body that is whole already: nothing is written before the record.
    pub fn push(&mut self, bytes: &[u8]) {
        self.take(bytes, false);
    }

    /// Takes in bytes of a body that streams: pieces go to the journal when they are full, or a
    /// second old, without being waited for.
    pub fn push_streamed(&mut self, bytes: &[u8]) {
        self.take(bytes, true);
        if self.flushed.elapsed() >= FLUSH_INTERVAL && !self.plain.is_empty() {
            self.seal_piece(false);
            self.write_early();
        }
    }

    fn take(&mut self, mut bytes: &[u8], streamed: bool) {
        self.bytes += bytes.len() as u64;
        if self.bytes > BODY_BYTES_MAX {
            self.failed.get_or_insert(RecordError::BodyTooLong);
            return;
        }
        while !bytes.is_empty() {
            let room = PIECE_BYTES_MAX - self.plain.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.plain.extend_from_slice(now);
            bytes = later;
            // A full piece waits for one more byte, since only the last piece may end the body.
            if self.plain.len() == PIECE_BYTES_MAX && !bytes.is_empty() {
                self.seal_piece(false);
                if streamed {
                    self.write_early();
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
        let mut payload = Vec::with_capacity(self.plain.len() / 2 + 128);
        header.write(&mut payload);
        let aad = seal::aad(
            &self.tenant,
            header.record_id.as_bytes(),
            header.role as u8,
            header.attempt,
            header.number,
        );
        let sealed = self
            .codec
            .compress(&self.plain)
            .and_then(|packed| self.key.seal_into(&aad, &packed, &mut payload));
        if let Err(error) = sealed {
            self.failed = Some(error.into());
            return;
        }
        self.plain.clear();
        self.header.number += 1;
        self.stored_bytes += payload.len() as u64;
        self.hashes.push(ledger::leaf_hash(&payload));
        self.sealed.push(payload);
    }

    fn write_early(&mut self) {
        self.flushed = Instant::now();
        let frames = self
            .sealed
            .drain(..)
            .map(|payload| Frame { kind: FrameKind::Part, keys: self.key_sets.clone(), payload })
            .collect::<Vec<_>>();
        if frames.is_empty() || self.failed.is_some() {
            return;
        }
        match self.journal.append_nowait(Append { frames, leaf: None }) {
            Ok(receipt) => self.written.push(receipt),
            Err(error) => self.failed = Some(error.into()),
        }
    }

    /// Ends the body and waits for what was written early.
    pub(crate) async fn close(mut self) -> Result<ClosedBody, RecordError> {
        self.seal_piece(true);
        let mut early = Vec::with_capacity(self.written.len());
        for receipt in std::mem::take(&mut self.written) {
            let committed = receipt.await.map_err(|_| journal::Error::Closed)??;
            early.push(Place {
                epoch: committed.start.epoch,
                segment: committed.start.segment,
                offset: committed.start.offset,
            });
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        Ok(ClosedBody {
            role: self.header.role,
            attempt: self.header.attempt,
            key_sets: self.key_sets,
            hashes: self.hashes,
            stored_bytes: self.stored_bytes,
            early,
            frames: self.sealed,
        })
    }
}
