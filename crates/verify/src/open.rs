//! Opening what is sealed, where keys are at hand: the proof that it can be read back.

use crate::record::place;
use crate::report::{FaultKind, Report};
use crate::walk::{Block, FoundFrame, Item};
use event::{Event, EventData, Leaf, OpenData};
use journal::Position;
use journal::format::FrameKind;
use record::{PartHeader, SealedGroup, read_groups, read_key_sets};
use seal::{Codec, KeyId, KeyRing, RecordKey};
use serde_json::value::RawValue;
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
    key: Option<(Uuid, Vec<u8>, Option<RecordKey>)>,
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
        Self { opening, share, sink, state: State::default(), key: None }
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
            FrameKind::Part => self.part(keys, payload, report),
            FrameKind::Open if ours => {
                self.state.begin(at, payload);
                Ok(())
            }
            FrameKind::Sealed if ours => {
                self.state.seal(keys, payload);
                Ok(())
            }
            FrameKind::Leaf if ours => self.leaf(payload, report),
            FrameKind::Open | FrameKind::Sealed | FrameKind::Leaf | FrameKind::SegmentEnd => Ok(()),
        };
        if let Err(what) = done {
            report.fault(FaultKind::Opening, place(at).seq(frame.fields.seq), what);
        }
    }

    fn part(&mut self, keys: &[u8], payload: &[u8], report: &mut Report) -> Result<(), String> {
        let Some(ring) = self.opening.keys else { return Ok(()) };
        // Malformed headers and lists are reported where they are needed.
        let Some((header, sealed)) = PartHeader::read(payload) else { return Ok(()) };
        let id = header.record_id;
        // The last byte of an id is random.
        if !self.share.takes(u64::from(id.as_bytes()[15])) {
            return Ok(());
        }
        let cached = matches!(&self.key, Some((of, set, _)) if *of == id && set == keys);
        if !cached {
            let Some(set) = read_key_sets(keys).and_then(|mut sets| sets.pop()) else {
                return Ok(());
            };
            self.key = Some((id, keys.to_vec(), derive(ring, id, &set)?));
        }
        let Some((_, _, Some(key))) = &self.key else {
            report.erased += 1;
            return Ok(());
        };
        open_part(key, self.opening.tenant, &header, sealed)?;
        report.opened += 1;
        Ok(())
    }

    fn leaf(&mut self, payload: &[u8], report: &mut Report) -> Result<(), String> {
        let state = std::mem::take(&mut self.state);
        let done = self.record(&state, payload, report);
        // Its memory serves the next one.
        self.state = State { at: None, ..state };
        done
    }

    fn record(&mut self, state: &State, payload: &[u8], report: &mut Report) -> Result<(), String> {
        // Both are reported elsewhere, and so is a leaf that is not canonical.
        let (Some(begun), Ok(leaf)) = (state.at, serde_json::from_slice::<Leaf>(payload)) else {
            return Ok(());
        };
        let mut keys = Vec::new();
        let mut groups = Vec::new();
        if state.has_sealed {
            let (Some(sets), Some(found)) =
                (read_key_sets(&state.key_sets), read_groups(&state.sealed))
            else {
                return Ok(());
            };
            for set in sets {
                let key = match self.opening.keys {
                    Some(ring) => derive(ring, leaf.record_id, &set)?,
                    None => None,
                };
                keys.push(key);
            }
            groups = found;
        }
        let opened = open_record(self.opening.tenant, leaf, &state.open, &groups, &keys)?;
        report.opened += (groups.len() - opened.closed_groups) as u64;
        if self.opening.keys.is_some() {
            report.erased += opened.closed_groups as u64;
        }
        if let Some(sink) = &mut self.sink {
            sink(OpenedRecord { at: begun, ..opened }, report);
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

/// Opens the groups whose keys are there, and joins their fields with the open ones.
pub(crate) fn open_record(
    tenant: &str,
    leaf: Leaf,
    open: &[u8],
    groups: &[SealedGroup<'_>],
    keys: &[Option<RecordKey>],
) -> Result<OpenedRecord, String> {
    let data =
        OpenData::read(open).map_err(|error| format!("the open part is not readable: {error}"))?;
    if data.events.len() != leaf.events.len() {
        return Err("the open part has another number of events than the leaf".to_owned());
    }
    let mut plains = Vec::new();
    let mut closed_groups = 0;
    for (number, group) in groups.iter().enumerate() {
        let Some(key) = keys.get(number).and_then(Option::as_ref) else {
            closed_groups += 1;
            continue;
        };
        if key.commitment() != *group.commitment {
            return Err(format!("sealed group {number} is committed to another key"));
        }
        let aad = seal::aad(tenant, leaf.record_id.as_bytes(), 0, number as u8, 0);
        let plain = key.open(&aad, group.sealed).map_err(|error| error.to_string())?;
        plains.push((number, plain));
    }
    let mut fields = Vec::with_capacity(plains.len());
    for (number, plain) in &plains {
        let group = OpenData::read_sealed(plain)
            .map_err(|error| format!("sealed group {number} is not readable: {error}"))?;
        if group.len() != leaf.events.len() {
            return Err(format!(
                "sealed group {number} has another number of events than the leaf"
            ));
        }
        fields.push(group);
    }
    let events = join(&leaf, &data, &fields)?;
    Ok(OpenedRecord {
        at: Position { epoch: 0, segment: 0, offset: 0 },
        leaf,
        trace_id: data.trace_id,
        request_id: data.request_id,
        events,
        closed_groups,
    })
}

fn join(leaf: &Leaf, data: &OpenData<'_>, fields: &[Vec<&RawValue>]) -> Result<Vec<Event>, String> {
    let mut events = Vec::with_capacity(leaf.events.len());
    for (index, (stated, open)) in leaf.events.iter().zip(&data.events).enumerate() {
        let data: EventData = data
            .join(index, stated.event_type, fields)
            .map_err(|error| format!("event {} is not readable: {error}", stated.event_id))?;
        events.push(Event {
            event_id: stated.event_id,
            component: stated.component,
            timestamp: open.timestamp,
            data,
        });
    }
    Ok(events)
}
