//! What a crash, or a disk without room, left behind: calls that were started and never ended get
//! their end.

use crate::body::ClosedBody;
use crate::decision::DecisionIds;
use crate::encode::{RecordDraft, encode};
use crate::error::{ReadError, RecordError};
use crate::held::{HeldCall, HeldProgress, Hold};
use crate::open_calls::is_terminal;
use crate::read::damaged;
use crate::recorder::Recorder;
use event::{Component, Event, EventType, Leaf, OpenData, Origin, RequestFailed, Timestamp};
use journal::{FrameKind, Position, Reader};
use record::{PartHeader, Pieces, Place};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use uuid::Uuid;

/// Code of a call that a crash cut off.
const INTERRUPTED: &str = "interrupted";
/// Code of a call whose outcome could not be written when it ended.
const UNRECORDED: &str = "audit_unavailable";

/// A call without an end.
struct Unfinished {
    ids: DecisionIds,
    records: u32,
    /// Known from elsewhere than the journal, and how.
    held: Option<Hold>,
    ended: bool,
}

impl From<HeldCall> for Unfinished {
    fn from(call: HeldCall) -> Self {
        Self { ids: call.ids, records: call.records, held: Some(call.hold), ended: false }
    }
}

/// A part whose record was never written.
struct Orphan {
    at: Position,
    next: Position,
    header: PartHeader,
    keys: Vec<u8>,
    hash: ledger::Hash,
    bytes: u64,
}

/// Reads the journal from `from` on and records the end of every call that a crash cut off; those
/// that are held stay as they are. Returns how many were ended, and how far the held ones are.
///
/// # Errors
/// Where the journal is damaged or the records cannot be written.
pub(crate) async fn finish_interrupted(
    recorder: &Recorder,
    from: Option<Position>,
    held: Vec<HeldCall>,
) -> Result<(usize, Vec<HeldProgress>), InterruptedError> {
    let (calls, mut orphans) = scan(recorder.journal_dir(), from, None, Calls::all(held))?;
    let mut count = 0;
    let mut progress = Vec::new();
    for call in calls.into_values() {
        if call.held != Some(Hold::Waits) && !call.ended {
            let record_id = record::record_id(call.ids.decision_id, call.records);
            let parts = orphans.remove(&record_id).unwrap_or_default();
            finish(recorder, &call, INTERRUPTED, record_id, parts).await?;
            count += 1;
        }
        if call.held.is_some() {
            progress.push(HeldProgress {
                decision_id: call.ids.decision_id,
                records: call.records,
                ended: call.ended,
            });
        }
    }
    Ok((count, progress))
}

/// Records the end of these calls, of which nothing stands before `from`, unless they have one.
/// Returns how many had none.
///
/// # Errors
/// Where the journal is damaged or the records cannot be written.
pub(crate) async fn finish_given_up(
    recorder: &Recorder,
    from: Position,
    calls: Vec<HeldCall>,
) -> Result<usize, InterruptedError> {
    let until = recorder.journal().committed().borrow().end;
    let journal = recorder.journal_dir().to_owned();
    let scanned = tokio::task::spawn_blocking(move || {
        scan(&journal, Some(from), Some(until), Calls::only(calls))
    });
    // It is given up only with the process.
    let Ok(scanned) = scanned.await else { return Ok(0) };
    let (calls, mut orphans) = scanned?;
    let mut count = 0;
    for call in calls.into_values().filter(|call| !call.ended) {
        let record_id = record::record_id(call.ids.decision_id, call.records);
        let parts = orphans.remove(&record_id).unwrap_or_default();
        finish(recorder, &call, UNRECORDED, record_id, parts).await?;
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

/// The calls that a scan looks for.
struct Calls {
    unfinished: HashMap<Uuid, Unfinished>,
    /// Others count too, from their first record on.
    others: bool,
}

impl Calls {
    fn all(known: Vec<HeldCall>) -> Self {
        let known = known.into_iter().map(|call| (call.ids.decision_id, Unfinished::from(call)));
        Self { unfinished: known.collect(), others: true }
    }

    fn only(known: Vec<HeldCall>) -> Self {
        Self { others: false, ..Self::all(known) }
    }
}

type Scan = (HashMap<Uuid, Unfinished>, HashMap<Uuid, Vec<Orphan>>);

fn scan(
    journal: &Path,
    from: Option<Position>,
    until: Option<Position>,
    mut calls: Calls,
) -> Result<Scan, ReadError> {
    let mut frames = Reader::open(journal, from)?;
    let mut orphans: HashMap<Uuid, Vec<Orphan>> = HashMap::new();
    let mut open = Vec::new();
    let mut epoch = None;
    while let Some(frame) = frames.next(until)? {
        // No record names parts of an earlier epoch: its log has ended.
        if epoch.replace(frame.at.epoch) != Some(frame.at.epoch) {
            orphans.clear();
        }
        match frame.kind {
            FrameKind::Part => {
                let (header, _) = PartHeader::read(&frame.payload)
                    .ok_or_else(|| damaged(frame.at, "a part's header"))?;
                orphans.entry(header.record_id).or_default().push(Orphan {
                    at: frame.at,
                    next: frame.next,
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
                note(&leaf, &open, &mut calls).map_err(|error| damaged(frame.at, error))?;
            }
            FrameKind::Sealed | FrameKind::SegmentEnd => {}
        }
    }
    Ok((calls.unfinished, orphans))
}

fn note(leaf: &Leaf, open: &[u8], calls: &mut Calls) -> Result<(), serde_json::Error> {
    let unfinished = &mut calls.unfinished;
    if leaf.origin != Origin::Observed {
        return Ok(());
    }
    let ends = leaf.events.iter().any(|event| is_terminal(event.event_type));
    let opens = leaf.events.iter().any(|event| event.event_type == EventType::RequestReceived);
    if let Some(call) = unfinished.get_mut(&leaf.decision_id) {
        // Of a held call earlier records may be read again: only the next one counts.
        if leaf.record_id == record::record_id(leaf.decision_id, call.records) {
            call.records += 1;
            call.ended |= ends;
        }
        if call.ended && call.held.is_none() {
            unfinished.remove(&leaf.decision_id);
        }
    } else if opens && !ends && calls.others {
        let open = OpenData::read(open)?;
        let ids = DecisionIds {
            decision_id: leaf.decision_id,
            trace_id: open.trace_id,
            request_id: open.request_id,
        };
        let call = Unfinished { ids, records: 1, held: None, ended: false };
        unfinished.insert(leaf.decision_id, call);
    }
    Ok(())
}

async fn finish(
    recorder: &Recorder,
    call: &Unfinished,
    code: &str,
    record_id: Uuid,
    parts: Vec<Orphan>,
) -> Result<(), RecordError> {
    let event = Event::new(
        Component::Gateway,
        Timestamp::now(),
        RequestFailed {
            code: Some(code.to_owned()),
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
        },
        adopt(parts),
    )?;
    recorder.journal().append(append).await?;
    Ok(())
}

/// Parts that stand in the journal already, as closed bodies of the record that adopts them.
fn adopt(mut parts: Vec<Orphan>) -> Vec<ClosedBody> {
    // Parts that stand side by side need one place.
    let follows: HashSet<Position> = parts.iter().map(|part| part.next).collect();
    parts.sort_by_key(|part| (part.header, part.at));
    // An early write that was given up and repeated stands twice.
    parts.dedup_by(|a, b| a.header == b.header && a.hash == b.hash);
    let mut pieces = Pieces::default();
    parts.retain(|part| pieces.takes(&part.header));
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
            if !follows.contains(&part.at) {
                let Position { epoch, segment, offset } = part.at;
                body.early.push(Place { epoch, segment, offset });
            }
        }
    }
    bodies
}
