//! Reading records back: from frames to leaves, events and bodies.

use crate::error::ReadError;
use event::{Event, EventData, Leaf, OpenData};
use journal::{FrameKind, Position, Reader, StoredFrame};
use record::{PartHeader, Pieces, Role, read_groups, read_key_sets, read_places};
use seal::{Codec, KeyId, KeyRing, RecordKey};
use std::path::Path;
use uuid::Uuid;

/// A frame's keys and payload.
pub type KeyedPayload = (Vec<u8>, Vec<u8>);

/// One record as stored: verbatim bytes, nothing opened.
#[derive(Debug)]
pub struct StoredRecord {
    /// The leaf, parsed.
    pub leaf: Leaf,
    /// The leaf, verbatim.
    pub leaf_bytes: Vec<u8>,
    /// The open part, verbatim.
    pub open: Vec<u8>,
    /// Places of parts that were written before the record.
    pub early_parts: Vec<Position>,
    /// The sealed frame's keys and payload, where there is one.
    pub sealed: Option<KeyedPayload>,
    /// Keys and payloads of the parts that stand in front of the record, where they were kept.
    pub parts: Vec<KeyedPayload>,
    /// Where the record's first frame stands.
    pub at: Position,
    /// Where the next record can begin.
    pub next: Position,
}

/// A record opened as far as keys allow.
#[derive(Debug)]
pub struct OpenedRecord {
    /// The trace.
    pub trace_id: Uuid,
    /// The request's id.
    pub request_id: String,
    /// The events, open and sealed fields joined.
    pub events: Vec<Event>,
    /// How many sealed groups could not be opened because their key was erased.
    pub erased_groups: usize,
}

/// A body read back.
#[derive(Debug)]
pub struct StoredBody {
    /// What it is.
    pub role: Role,
    /// Number of the attempt.
    pub attempt: u8,
    /// The bytes; none where a key was erased.
    pub bytes: Option<Vec<u8>>,
}

/// Reads records one after the other.
pub struct RecordReader {
    frames: Reader,
    keep_parts: bool,
}

impl std::fmt::Debug for RecordReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordReader").field("at", &self.frames.position()).finish_non_exhaustive()
    }
}

impl RecordReader {
    /// Reads from a position on (the start of a record or of its parts), or from the beginning.
    ///
    /// # Errors
    /// Where the journal cannot be opened.
    pub fn open(
        journal: &Path,
        from: Option<Position>,
        keep_parts: bool,
    ) -> Result<Self, ReadError> {
        Ok(Self { frames: Reader::open(journal, from)?, keep_parts })
    }

    /// The next whole record before `until`.
    ///
    /// # Errors
    /// Where frames are damaged or do not make up a record.
    pub fn next(&mut self, until: Option<Position>) -> Result<Option<StoredRecord>, ReadError> {
        let mut starts: Vec<(Position, Uuid)> = Vec::new();
        let mut parts = Vec::new();
        while let Some(frame) = self.frames.next(until)? {
            match frame.kind {
                FrameKind::Part => {
                    let (header, _) = PartHeader::read(&frame.payload)
                        .ok_or_else(|| damaged(frame.at, "a part's header"))?;
                    if starts.last().is_none_or(|(_, record)| *record != header.record_id) {
                        starts.push((frame.at, header.record_id));
                    }
                    if self.keep_parts {
                        parts.push((frame.keys, frame.payload));
                    }
                }
                FrameKind::Open => {
                    return self.rest(&starts, frame, parts, until).map(Some);
                }
                FrameKind::SegmentEnd => {}
                FrameKind::Sealed | FrameKind::Leaf => {
                    return Err(damaged(frame.at, "a frame stands without its record"));
                }
            }
        }
        Ok(None)
    }

    fn rest(
        &mut self,
        starts: &[(Position, Uuid)],
        open: StoredFrame,
        mut parts: Vec<KeyedPayload>,
        until: Option<Position>,
    ) -> Result<StoredRecord, ReadError> {
        let mut sealed = None;
        let mut frame = self.expect(open.at, until)?;
        if frame.kind == FrameKind::Sealed {
            sealed = Some((frame.keys, frame.payload));
            frame = self.expect(open.at, until)?;
        }
        if frame.kind != FrameKind::Leaf {
            return Err(damaged(frame.at, "a record lacks its leaf"));
        }
        let leaf = Leaf::read(&frame.payload).map_err(|error| damaged(frame.at, error))?;
        // Parts of this record directly in front of it belong to the same append.
        let at = starts
            .last()
            .filter(|(_, record)| *record == leaf.record_id)
            .map_or(open.at, |(at, _)| *at);
        parts.retain(|(_, payload)| {
            PartHeader::read(payload).is_some_and(|(header, _)| header.record_id == leaf.record_id)
        });
        let early_parts = read_places(&open.keys)
            .ok_or_else(|| damaged(open.at, "the list of early parts is malformed"))?
            .into_iter()
            .map(|place| Position {
                epoch: place.epoch,
                segment: place.segment,
                offset: place.offset,
            })
            .collect();
        Ok(StoredRecord {
            leaf,
            leaf_bytes: frame.payload,
            open: open.payload,
            early_parts,
            sealed,
            parts,
            at,
            next: frame.next,
        })
    }

    fn expect(&mut self, at: Position, until: Option<Position>) -> Result<StoredFrame, ReadError> {
        self.frames.next(until)?.ok_or_else(|| damaged(at, "the record is not complete"))
    }
}

pub(crate) fn damaged(at: Position, what: impl std::fmt::Display) -> ReadError {
    ReadError::Damaged { at, what: format!("{what}") }
}

impl StoredRecord {
    /// Opens what can be opened and joins it with the open part.
    ///
    /// # Errors
    /// Where bytes are damaged or the key store is not this journal's.
    pub fn opened(&self, tenant: &str, keys: &KeyRing) -> Result<OpenedRecord, ReadError> {
        let open = OpenData::read(&self.open).map_err(|error| damaged(self.at, error))?;
        let mut erased_groups = 0;
        let mut plains = Vec::new();
        for (number, key) in self.group_keys(keys)?.into_iter().enumerate() {
            let Some(key) = key else {
                erased_groups += 1;
                continue;
            };
            let (_, payload) = self.sealed.as_ref().ok_or_else(|| damaged(self.at, "no groups"))?;
            let sealed = read_groups(payload)
                .and_then(|groups| groups.get(number).map(|group| group.sealed))
                .ok_or_else(|| damaged(self.at, "a sealed group is missing"))?;
            let aad = seal::aad(tenant, self.leaf.record_id.as_bytes(), 0, number as u8, 0);
            plains.push(key.open(&aad, sealed)?);
        }
        let groups = plains.iter().map(|plain| OpenData::read_sealed(plain));
        let groups: Vec<_> =
            groups.collect::<Result<_, _>>().map_err(|error| damaged(self.at, error))?;
        let mut events = Vec::with_capacity(self.leaf.events.len());
        for (index, stated) in self.leaf.events.iter().enumerate() {
            let data: EventData = open
                .join(index, stated.event_type, &groups)
                .map_err(|error| damaged(self.at, error))?;
            let timestamp = open
                .events
                .get(index)
                .map(|event| event.timestamp)
                .ok_or_else(|| damaged(self.at, "the open part lacks an event"))?;
            events.push(Event {
                event_id: stated.event_id,
                component: stated.component,
                timestamp,
                data,
            });
        }
        Ok(OpenedRecord {
            trace_id: open.trace_id,
            request_id: open.request_id,
            events,
            erased_groups,
        })
    }

    /// The key of each sealed group; none where one of its persons was erased.
    ///
    /// # Errors
    /// Where the frame is damaged or the key store is not this journal's.
    pub fn group_keys(&self, keys: &KeyRing) -> Result<Vec<Option<RecordKey>>, ReadError> {
        let Some((key_sets, payload)) = &self.sealed else {
            return Ok(Vec::new());
        };
        let sets = read_key_sets(key_sets).ok_or_else(|| damaged(self.at, "keys"))?;
        let groups = read_groups(payload).ok_or_else(|| damaged(self.at, "sealed groups"))?;
        if sets.len() != groups.len() {
            return Err(damaged(self.at, "sealed groups and keys differ in number"));
        }
        let mut out = Vec::with_capacity(sets.len());
        for (set, group) in sets.iter().zip(&groups) {
            let key = derive(keys, self.leaf.record_id, set)?;
            if key.as_ref().is_some_and(|key| key.commitment() != *group.commitment) {
                return Err(damaged(self.at, "a key does not fit its commitment"));
            }
            out.push(key);
        }
        Ok(out)
    }

    /// All part payloads of the record, in the order of `parts_root`, with their keys.
    ///
    /// # Errors
    /// Where a part is missing or damaged.
    pub fn all_parts(&self, journal: &Path) -> Result<Vec<KeyedPayload>, ReadError> {
        let mut parts = Vec::with_capacity(self.early_parts.len() + self.parts.len());
        let mut places = self.early_parts.clone();
        places.sort_unstable();
        let mut read_to = None;
        for place in places {
            // Early writes often stand side by side: one run reads through several of them.
            if read_to.is_none_or(|read_to| read_to <= place) {
                read_to = self.read_early(journal, place, &mut parts)?;
            }
        }
        parts.extend(self.parts.iter().cloned());
        parts.sort_by_key(|(_, payload)| PartHeader::read(payload).map(|(header, _)| header));
        parts.dedup_by(|a, b| a.1 == b.1);
        let is_whole = |parts: &[KeyedPayload]| {
            let stored: u64 = parts.iter().map(|(_, payload)| payload.len() as u64).sum();
            stored == self.leaf.parts_bytes
        };
        if !is_whole(&parts) {
            let mut pieces = Pieces::default();
            parts.retain(|(_, payload)| {
                PartHeader::read(payload).is_some_and(|(header, _)| pieces.takes(&header))
            });
        }
        if !is_whole(&parts) {
            return Err(damaged(self.at, "parts are missing"));
        }
        Ok(parts)
    }

    /// One early append can hold several parts of this record, side by side. Returns where the
    /// last of them ends.
    fn read_early(
        &self,
        journal: &Path,
        place: Position,
        parts: &mut Vec<KeyedPayload>,
    ) -> Result<Option<Position>, ReadError> {
        let mut frames = Reader::open(journal, Some(place))?;
        let mut end = None;
        while let Some(frame) = frames.next(Some(self.next))? {
            let ours = frame.kind == FrameKind::Part
                && PartHeader::read(&frame.payload)
                    .is_some_and(|(header, _)| header.record_id == self.leaf.record_id);
            if !ours {
                break;
            }
            end = Some(frame.next);
            parts.push((frame.keys, frame.payload));
        }
        Ok(end)
    }

    /// The bodies, opened.
    ///
    /// # Errors
    /// Where a part is missing or damaged, or the key store is not this journal's.
    pub fn bodies(
        &self,
        journal: &Path,
        tenant: &str,
        keys: &KeyRing,
    ) -> Result<Vec<StoredBody>, ReadError> {
        let mut bodies: Vec<StoredBody> = Vec::new();
        let mut codec = Codec::default();
        for (key_sets, payload) in self.all_parts(journal)? {
            let (header, sealed) =
                PartHeader::read(&payload).ok_or_else(|| damaged(self.at, "a part's header"))?;
            let set = read_key_sets(&key_sets)
                .and_then(|mut sets| sets.pop())
                .ok_or_else(|| damaged(self.at, "a part's keys"))?;
            let same =
                |body: &StoredBody| body.role == header.role && body.attempt == header.attempt;
            if !bodies.last().is_some_and(same) {
                bodies.push(StoredBody {
                    role: header.role,
                    attempt: header.attempt,
                    bytes: Some(Vec::new()),
                });
            }
            let Some(body) = bodies.last_mut() else { continue };
            let Some(key) = derive(keys, self.leaf.record_id, &set)? else {
                body.bytes = None;
                continue;
            };
            let aad = seal::aad(
                tenant,
                header.record_id.as_bytes(),
                header.role as u8,
                header.attempt,
                header.number,
            );
            let piece = codec.decompress(&key.open(&aad, sealed)?)?;
            if let Some(bytes) = &mut body.bytes {
                bytes.extend_from_slice(&piece);
            }
        }
        Ok(bodies)
    }
}

/// The key of a set, or none where one of its persons was erased.
pub(crate) fn derive(
    keys: &KeyRing,
    record_id: Uuid,
    set: &[[u8; 16]],
) -> Result<Option<RecordKey>, ReadError> {
    let mut found = Vec::with_capacity(set.len());
    for id in set {
        match keys.by_id(KeyId::from(*id)) {
            Ok(key) => found.push(key),
            Err(seal::Error::Erased { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(RecordKey::derive(record_id.as_bytes(), &found)))
}
