//! Opening what is sealed, where keys are at hand: the proof that it can be read back.

use crate::leaf::read_leaf;
use crate::record::place;
use crate::report::{FaultKind, Report};
use crate::walk::{Block, FoundFrame, Item};
use event::{Event, Leaf, LeafEvent, OpenData};
use journal::Position;
use journal::format::FrameKind;
use record::{PartHeader, SealedGroup, read_groups, read_key_sets};
use seal::{Codec, KeyId, KeyRing, RecordKey};
use serde_json::value::RawValue;
use std::borrow::Borrow;
use std::sync::Arc;
use uuid::Uuid;

/// A record as keys open it.
#[derive(Debug)]
pub struct OpenedRecord {
    /// Where its first frame that is no part stands.
    pub at: Position,
    /// Its leaf.
    pub leaf: Leaf,
    /// The trace.
    pub trace_id: Uuid,
    /// The request's id.
    pub request_id: String,
    /// Its events: open fields, joined with those of the sealed groups that could be opened.
    pub events: Vec<Event>,
    /// Sealed groups that could not be opened, because their key was erased or none was given.
    pub closed_groups: usize,
}

/// Takes records as they are opened.
pub(crate) type Sink<'s> = &'s mut (dyn FnMut(OpenedRecord, &mut Report) + 's);

/// Opens records as their frames come.
pub(crate) struct Opener<'k, 's> {
    opening: Opening<'k>,
    share: Share,
    sink: Option<Sink<'s>>,
    state: State,
    last: Option<Derived>,
}

/// The key of one set of persons for one record; bodies and fields mostly share it.
struct Derived {
    record_id: Uuid,
    set: Vec<[u8; 16]>,
    /// None where a person was erased.
    key: Option<Arc<RecordKey>>,
}

/// A record's sealed fields, and what they are held against.
pub(crate) struct Fields<'a, K> {
    pub tenant: &'a str,
    pub record_id: Uuid,
    pub events: &'a [LeafEvent],
    pub open: &'a [u8],
    pub groups: &'a [SealedGroup<'a>],
    /// The groups' keys, where they are at hand.
    pub keys: &'a [Option<K>],
}

/// What opening a record's fields gives.
pub(crate) struct Opened<E> {
    pub trace_id: Uuid,
    pub request_id: String,
    /// What was made of each event.
    pub events: Vec<E>,
    pub closed_groups: usize,
}

/// What records are opened with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'k> {
    pub keys: Option<&'k KeyRing>,
    pub tenant: &'k str,
}

/// Which records are opened, where several openers share the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// The opener, from 0 on.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// What of the record at hand was seen so far.
#[derive(Debug, Default)]
struct State {
    at: Option<Position>,
    open: Vec<u8>,
    has_sealed: bool,
    key_sets: Vec<u8>,
    sealed: Vec<u8>,
}

// === impl Share ===

impl Share {
    fn takes(self, number: u64) -> bool {
        number % self.of as u64 == self.number as u64
    }
}

// === impl Opener ===

impl<'k, 's> Opener<'k, 's> {
    pub(crate) fn new(opening: Opening<'k>, share: Share, sink: Option<Sink<'s>>) -> Self {
        Self { opening, share, sink, state: State::default(), last: None }
    }

    /// Opens what was found in part of a segment.
    pub(crate) fn block(&mut self, block: &Block, report: &mut Report) {
        for item in &block.items {
            if let Item::Frame(frame) = item {
                let at = Position { offset: frame.at, ..block.segment };
                self.frame(at, frame, &block.bytes, report);
            }
        }
    }

    /// Takes in the next frame.
    fn frame(&mut self, at: Position, frame: &FoundFrame, bytes: &[u8], report: &mut Report) {
        let (keys, payload) = (&bytes[frame.keys.clone()], &bytes[frame.payload.clone()]);
        let ours = self.share.takes(frame.fields.seq);
        let done = match frame.fields.kind {
            // A part that was written with its record has that record's number.
            FrameKind::Part if ours => self.part(keys, payload, report),
            FrameKind::Open if ours => {
                self.state.begin(at, payload);
                Ok(())
            }
            FrameKind::Sealed if ours => {
                self.state.seal(keys, payload);
                Ok(())
            }
            FrameKind::Leaf if ours => self.leaf(payload, report),
            _ => Ok(()),
        };
        if let Err(what) = done {
            report.fault(FaultKind::Opening, place(at).seq(frame.fields.seq), what);
        }
    }

    fn part(&mut self, keys: &[u8], payload: &[u8], report: &mut Report) -> Result<(), String> {
        if self.opening.keys.is_none() {
            return Ok(());
        }
        // Malformed headers and lists are reported where they are needed.
        let Some((header, sealed)) = PartHeader::read(payload) else { return Ok(()) };
        let Some(set) = read_key_sets(keys).and_then(|mut sets| sets.pop()) else {
            return Ok(());
        };
        let Some(key) = self.key(header.record_id, set)? else {
            report.erased += 1;
            return Ok(());
        };
        open_part(&key, self.opening.tenant, &header, sealed)?;
        report.opened += 1;
        Ok(())
    }

    /// The key of a set; none where one of its persons was erased, or no keys are given.
    fn key(
        &mut self,
        record_id: Uuid,
        set: Vec<[u8; 16]>,
    ) -> Result<Option<Arc<RecordKey>>, String> {
        let Some(ring) = self.opening.keys else { return Ok(None) };
        if let Some(last) = &self.last
            && last.record_id == record_id
            && last.set == set
        {
            return Ok(last.key.clone());
        }
        let key = derive(ring, record_id, &set)?.map(Arc::new);
        self.last = Some(Derived { record_id, set, key: key.clone() });
        Ok(key)
    }

    fn leaf(&mut self, payload: &[u8], report: &mut Report) -> Result<(), String> {
        let state = std::mem::take(&mut self.state);
        let done = self.record(&state, payload, report);
        // Its memory serves the next one.
        self.state = State { at: None, ..state };
        done
    }

    fn record(&mut self, state: &State, payload: &[u8], report: &mut Report) -> Result<(), String> {
        // Both are reported elsewhere.
        let (Some(begun), Ok(leaf)) = (state.at, read_leaf(payload, None)) else {
            return Ok(());
        };
        let record_id = Uuid::from_bytes(leaf.record_id);
        let mut keys = Vec::new();
        let mut groups = Vec::new();
        if state.has_sealed {
            let (Some(sets), Some(found)) =
                (read_key_sets(&state.key_sets), read_groups(&state.sealed))
            else {
                return Ok(());
            };
            for set in sets {
                keys.push(self.key(record_id, set)?);
            }
            groups = found;
        }
        let (events, groups) = (leaf.events.as_slice(), groups.as_slice());
        let tenant = self.opening.tenant;
        let fields = Fields { tenant, record_id, events, open: &state.open, groups, keys: &keys };
        let closed_groups = match &mut self.sink {
            None => fields.check()?,
            Some(sink) => {
                let opened = fields.join()?;
                let closed_groups = opened.closed_groups;
                // It was just read as one.
                let Ok(leaf) = Leaf::read(payload) else { return Ok(()) };
                sink(OpenedRecord::new(begun, leaf, opened), report);
                closed_groups
            }
        };
        report.opened += (groups.len() - closed_groups) as u64;
        if self.opening.keys.is_some() {
            report.erased += closed_groups as u64;
        }
        Ok(())
    }
}

// === impl State ===

impl State {
    fn begin(&mut self, at: Position, open: &[u8]) {
        self.at = Some(at);
        self.open.clear();
        self.open.extend_from_slice(open);
        self.has_sealed = false;
    }

    fn seal(&mut self, key_sets: &[u8], sealed: &[u8]) {
        self.has_sealed = true;
        self.key_sets.clear();
        self.key_sets.extend_from_slice(key_sets);
        self.sealed.clear();
        self.sealed.extend_from_slice(sealed);
    }
}

/// The key of a set; none where one of its persons was erased.
fn derive(ring: &KeyRing, record_id: Uuid, set: &[[u8; 16]]) -> Result<Option<RecordKey>, String> {
    let mut keys = Vec::with_capacity(set.len());
    for id in set {
        match ring.by_id(KeyId::from(*id)) {
            Ok(key) => keys.push(key),
            Err(seal::Error::Erased { .. }) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(Some(RecordKey::derive(record_id.as_bytes(), &keys)))
}

/// Opens and unpacks one piece of a body.
pub(crate) fn open_part(
    key: &RecordKey,
    tenant: &str,
    header: &PartHeader,
    sealed: &[u8],
) -> Result<Vec<u8>, String> {
    let aad = seal::aad(
        tenant,
        header.record_id.as_bytes(),
        header.role as u8,
        header.attempt,
        header.number,
    );
    let packed = key.open(&aad, sealed).map_err(|error| error.to_string())?;
    Codec::default().decompress(&packed).map_err(|error| error.to_string())
}

// === impl Fields ===

impl<K: Borrow<RecordKey>> Fields<'_, K> {
    /// Opens the groups whose keys are there, and joins their fields with the open ones.
    pub(crate) fn join(&self) -> Result<Opened<Event>, String> {
        self.each(|data, index, stated, fields| {
            Ok(Event {
                event_id: stated.event_id,
                component: stated.component,
                timestamp: data.timestamp(index),
                data: data.join(index, stated.event_type, fields)?,
            })
        })
    }

    /// Whether all could be joined; returns how many groups could not be opened.
    fn check(&self) -> Result<usize, String> {
        let opened =
            self.each(|data, index, stated, fields| data.check(index, stated.event_type, fields))?;
        Ok(opened.closed_groups)
    }

    /// Opens the groups whose keys are there, and does something with each event.
    fn each<E>(
        &self,
        make: impl Fn(&OpenData<'_>, usize, &LeafEvent, &[Vec<&RawValue>]) -> serde_json::Result<E>,
    ) -> Result<Opened<E>, String> {
        let data = OpenData::read(self.open)
            .map_err(|error| format!("the open part is not readable: {error}"))?;
        if data.events.len() != self.events.len() {
            return Err("the open part has another number of events than the leaf".to_owned());
        }
        let plains = self.plains()?;
        let mut fields = Vec::with_capacity(plains.len());
        for (number, plain) in &plains {
            let group = OpenData::read_sealed(plain)
                .map_err(|error| format!("sealed group {number} is not readable: {error}"))?;
            if group.len() != self.events.len() {
                return Err(format!(
                    "sealed group {number} has another number of events than the leaf"
                ));
            }
            fields.push(group);
        }
        let mut events = Vec::with_capacity(self.events.len());
        for (index, stated) in self.events.iter().enumerate() {
            events.push(
                make(&data, index, stated, &fields).map_err(|error| {
                    format!("event {} is not readable: {error}", stated.event_id)
                })?,
            );
        }
        let closed_groups = self.groups.len() - plains.len();
        Ok(Opened { trace_id: data.trace_id, request_id: data.request_id, events, closed_groups })
    }

    /// The groups that keys open, with their numbers.
    fn plains(&self) -> Result<Vec<(usize, Vec<u8>)>, String> {
        let mut plains = Vec::with_capacity(self.groups.len());
        for (number, group) in self.groups.iter().enumerate() {
            let Some(key) = self.keys.get(number).and_then(Option::as_ref) else { continue };
            let key = key.borrow();
            if key.commitment() != *group.commitment {
                return Err(format!("sealed group {number} is committed to another key"));
            }
            let aad = seal::aad(self.tenant, self.record_id.as_bytes(), 0, number as u8, 0);
            let plain = key.open(&aad, group.sealed).map_err(|error| error.to_string())?;
            plains.push((number, plain));
        }
        Ok(plains)
    }
}

// === impl OpenedRecord ===

impl OpenedRecord {
    fn new(at: Position, leaf: Leaf, opened: Opened<Event>) -> Self {
        let Opened { trace_id, request_id, events, closed_groups } = opened;
        Self { at, leaf, trace_id, request_id, events, closed_groups }
    }
}
