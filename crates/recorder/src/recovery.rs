//! What a crash left behind: calls that were started and never ended get their end.

use crate::body::ClosedBody;
use crate::decision::DecisionIds;
use crate::encode::{RecordDraft, encode};
use crate::error::{ReadError, RecordError};
use crate::open_calls::is_terminal;
use crate::read::damaged;
use crate::recorder::Recorder;
use event::{Component, Event, EventType, Leaf, OpenData, Origin, RequestFailed, Timestamp};
use journal::{FrameKind, Position, Reader};
use record::{PartHeader, Place};
use std::collections::HashMap;
use std::path::Path;
use uuid::Uuid;

/// A call without an end.
struct Unfinished {
    ids: DecisionIds,
    records: u32,
    held: bool,
}

/// A part whose record was never written.
struct Orphan {
    at: Position,
    header: PartHeader,
    keys: Vec<u8>,
    hash: ledger::Hash,
    bytes: u64,
}

/// Reads the journal from `from` on and records the end of every call that a crash cut off.
/// Returns how many there were.
///
/// # Errors
/// Where the journal is damaged or the records cannot be written.
pub(crate) async fn finish_interrupted(
    recorder: &Recorder,
    from: Option<Position>,
) -> Result<usize, InterruptedError> {
    let (unfinished, mut orphans) = scan(recorder.journal_dir(), from)?;
    let mut count = 0;
    for call in unfinished.into_values().filter(|call| !call.held) {
        let record_id = record::record_id(call.ids.decision_id, call.records);
        let parts = orphans.remove(&record_id).unwrap_or_default();
        finish(recorder, &call, record_id, parts).await?;
        count += 1;
    }
    Ok(count)
}

/// Why interrupted calls could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum InterruptedError {
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The end could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

type Scan = (HashMap<Uuid, Unfinished>, HashMap<Uuid, Vec<Orphan>>);

fn scan(journal: &Path, from: Option<Position>) -> Result<Scan, ReadError> {
    let mut frames = Reader::open(journal, from)?;
    let mut unfinished: HashMap<Uuid, Unfinished> = HashMap::new();
    let mut orphans: HashMap<Uuid, Vec<Orphan>> = HashMap::new();
    let mut open = Vec::new();
    while let Some(frame) = frames.next(None)? {
        match frame.kind {
            FrameKind::Part => {
                let (header, _) = PartHeader::read(&frame.payload)
                    .ok_or_else(|| damaged(frame.at, "a part's header"))?;
                orphans.entry(header.record_id).or_default().push(Orphan {
                    at: frame.at,
                    header,
                    keys: frame.keys,
                    hash: ledger::leaf_hash(&frame.payload),
                    bytes: frame.payload.len() as u64,
                });
            }
            FrameKind::Open => open = frame.payload,
            FrameKind::Leaf => {
                let leaf = Leaf::read(&frame.payload).map_err(|error| damaged(frame.at, error))?;
                orphans.remove(&leaf.record_id);
                note(&leaf, &open, &mut unfinished).map_err(|error| damaged(frame.at, error))?;
            }
            FrameKind::Sealed | FrameKind::SegmentEnd => {}
        }
    }
    Ok((unfinished, orphans))
}

fn note(
    leaf: &Leaf,
    open: &[u8],
    unfinished: &mut HashMap<Uuid, Unfinished>,
) -> Result<(), serde_json::Error> {
    if leaf.origin != Origin::Observed {
        return Ok(());
    }
    let has = |wanted: EventType| leaf.events.iter().any(|event| event.event_type == wanted);
    if leaf.events.iter().any(|event| is_terminal(event.event_type)) {
        unfinished.remove(&leaf.decision_id);
    } else if has(EventType::RequestReceived) {
        let open: OpenData = serde_json::from_slice(open)?;
        let ids = DecisionIds {
            decision_id: leaf.decision_id,
            trace_id: open.trace_id,
            request_id: open.request_id,
        };
        let held = has(EventType::ReviewCreated);
        unfinished.insert(leaf.decision_id, Unfinished { ids, records: 1, held });
    } else if let Some(call) = unfinished.get_mut(&leaf.decision_id) {
        call.records += 1;
        call.held = has(EventType::ReviewCreated);
    }
    Ok(())
}

async fn finish(
    recorder: &Recorder,
    call: &Unfinished,
    record_id: Uuid,
    parts: Vec<Orphan>,
) -> Result<(), RecordError> {
    let event = Event::new(
        Component::Gateway,
        Timestamp::now(),
        RequestFailed {
            code: Some("interrupted".to_owned()),
            response_bytes: None,
            ..RequestFailed::default()
        },
    );
    let append = encode(
        recorder.writer(),
        &RecordDraft {
            record_id,
            decision_id: call.ids.decision_id,
            trace_id: call.ids.trace_id,
            request_id: &call.ids.request_id,
            origin: Origin::Observed,
            events: &[event],
            persons: None,
            content_key: None,
            staff: recorder.staff(),
            bodies: adopt(parts),
        },
    )?;
    recorder.journal().append(append).await?;
    Ok(())
}

/// Parts that stand in the journal already, as closed bodies of the record that adopts them.
fn adopt(mut parts: Vec<Orphan>) -> Vec<ClosedBody> {
    parts.sort_by_key(|part| part.header);
    let mut bodies: Vec<ClosedBody> = Vec::new();
    for part in parts {
        let same = |body: &ClosedBody| {
            body.role == part.header.role && body.attempt == part.header.attempt
        };
        if !bodies.last().is_some_and(same) {
            bodies.push(ClosedBody {
                role: part.header.role,
                attempt: part.header.attempt,
                key_sets: part.keys.clone(),
                hashes: Vec::new(),
                stored_bytes: 0,
                early: Vec::new(),
                frames: Vec::new(),
            });
        }
        if let Some(body) = bodies.last_mut() {
            body.hashes.push(part.hash);
            body.stored_bytes += part.bytes;
            body.early.push(Place {
                epoch: part.at.epoch,
                segment: part.at.segment,
                offset: part.at.offset,
            });
        }
    }
    bodies
}
