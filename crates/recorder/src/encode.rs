//! From events and bodies to frames: sealing, hashing, the leaf's draft.

use crate::body::ClosedBody;
use crate::error::{EVENTS_MAX, RecordError};
use crate::persons::Persons;
use aws_lc_rs::digest::{Context, SHA256, digest};
use event::{Class, Event, LeafDraft, LeafFields, OpenData, Origin, Timestamp};
use journal::{Append, Frame, FrameKind, LeafSource};
use record::{EARLY_PARTS_MAX, write_group, write_key_sets, write_places};
use seal::{RecordKey, SubjectKey};
use std::sync::Arc;
use uuid::Uuid;

/// What is the same in every record of a writer.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub tenant: String,
    pub name: String,
    pub epoch: u64,
}

/// Everything about one record but its bodies, number and time.
pub(crate) struct RecordDraft<'a> {
    pub record_id: Uuid,
    pub decision_id: Uuid,
    pub trace_id: Uuid,
    pub request_id: &'a str,
    pub origin: Origin,
    pub events: &'a [Event],
    pub persons: Option<&'a Persons>,
    /// The key of the persons' content, where it is derived already.
    pub content_key: Option<&'a Arc<RecordKey>>,
    pub staff: &'a Arc<SubjectKey>,
}

struct Leaf(LeafDraft);

impl LeafSource for Leaf {
    fn finish(&mut self, _epoch: u64, seq: u64, ts_micros: i64, out: &mut Vec<u8>) {
        self.0.finish(seq, Timestamp::from_micros(ts_micros), out);
    }
}

/// One set of keys with the fields that it seals.
struct Group<'a> {
    keys: Vec<Arc<SubjectKey>>,
    derived: Option<&'a Arc<RecordKey>>,
    plain: Vec<u8>,
}

/// Seals and packs a record.
pub(crate) fn encode(
    writer: &Writer,
    draft: &RecordDraft<'_>,
    bodies: Vec<ClosedBody>,
) -> Result<Append, RecordError> {
    if draft.events.is_empty() || draft.events.len() > EVENTS_MAX {
        return Err(RecordError::Events(draft.events.len()));
    }
    let mut frames = Vec::with_capacity(4);
    let parts = gather_parts(bodies, &mut frames);
    let open = OpenData::write(seal::random16(), draft.trace_id, draft.request_id, draft.events);
    let open_sha256 = hash(&open);
    frames.push(Frame { kind: FrameKind::Open, keys: write_places(&parts.early), payload: open });
    let mut commitments = Context::new(&SHA256);
    let sealed_sha256 = match seal_groups(writer, draft, &mut commitments)? {
        Some(frame) => {
            let sha256 = hash(&frame.payload);
            frames.push(frame);
            sha256
        }
        None => hash(&[]),
    };
    let mut key_commit = [0; 32];
    key_commit.copy_from_slice(commitments.finish().as_ref());
    let leaf = LeafDraft::new(&LeafFields {
        decision_id: draft.decision_id,
        record_id: draft.record_id,
        epoch: writer.epoch,
        origin: draft.origin,
        tenant: &writer.tenant,
        writer: &writer.name,
        events: draft.events,
        key_commit,
        open_sha256,
        sealed_sha256,
        parts_root: parts.root,
        parts_bytes: parts.bytes,
    });
    Ok(Append { frames, leaf: Some(Box::new(Leaf(leaf))) })
}

struct Parts {
    root: [u8; 32],
    bytes: u64,
    early: Vec<record::Place>,
}

/// Takes the parts of all bodies: those not yet written become frames of this record.
fn gather_parts(mut bodies: Vec<ClosedBody>, frames: &mut Vec<Frame>) -> Parts {
    bodies.sort_by_key(|body| (body.role, body.attempt));
    let mut hashes = Vec::new();
    let mut parts = Parts { root: [0; 32], bytes: 0, early: Vec::new() };
    for body in bodies {
        hashes.extend_from_slice(&body.hashes);
        parts.bytes += body.stored_bytes;
        parts.early.extend_from_slice(&body.early);
        for payload in body.frames {
            frames.push(Frame { kind: FrameKind::Part, keys: body.key_sets.clone(), payload });
        }
    }
    parts.early.truncate(EARLY_PARTS_MAX);
    parts.root = ledger::tree_hash(&hashes).into();
    parts
}

/// Seals each group of fields under its own keys; none where no event has sealed fields.
fn seal_groups(
    writer: &Writer,
    draft: &RecordDraft<'_>,
    commitments: &mut Context,
) -> Result<Option<Frame>, RecordError> {
    let groups = group_fields(draft);
    if groups.is_empty() {
        return Ok(None);
    }
    let record_id = draft.record_id.as_bytes();
    let mut payload = Vec::with_capacity(128 + groups.iter().map(|g| g.plain.len()).sum::<usize>());
    let mut sets: Vec<Vec<[u8; 16]>> = Vec::with_capacity(groups.len());
    for (number, group) in groups.iter().enumerate() {
        let key = match group.derived {
            Some(key) => key.clone(),
            None => Arc::new(RecordKey::derive(record_id, &group.keys)),
        };
        let aad = seal::aad(&writer.tenant, record_id, 0, number as u8, 0);
        let commitment = key.commitment();
        write_group(&commitment, &key.seal(&aad, &group.plain)?, &mut payload);
        commitments.update(&commitment);
        sets.push(group.keys.iter().map(|key| *key.id().as_bytes()).collect());
    }
    Ok(Some(Frame { kind: FrameKind::Sealed, keys: write_key_sets(&sets), payload }))
}

fn group_fields<'a>(draft: &RecordDraft<'a>) -> Vec<Group<'a>> {
    let mut groups = Vec::with_capacity(2);
    let mut add = |keys: Vec<Arc<SubjectKey>>, derived, classes: &[Class]| {
        if let Some(plain) = OpenData::write_sealed(draft.events, classes) {
            groups.push(Group { keys, derived, plain });
        }
    };
    if let Some(persons) = draft.persons {
        let user = std::slice::from_ref(persons.user());
        if persons.subjects().is_empty() {
            add(user.to_vec(), draft.content_key, &[Class::User, Class::Content]);
        } else {
            add(user.to_vec(), None, &[Class::User]);
            add(persons.content().to_vec(), draft.content_key, &[Class::Content]);
        }
    }
    add(vec![draft.staff.clone()], None, &[Class::Staff]);
    for (name, key) in draft.persons.map(Persons::subjects).unwrap_or_default() {
        if draft.events.iter().any(|event| event.data.subjects().contains(name)) {
            groups.push(Group {
                keys: vec![key.clone()],
                derived: None,
                plain: subject_fields(draft.events, name),
            });
        }
    }
    groups
}

/// The sealed fields that name one subject, alone under that subject's key.
fn subject_fields(events: &[Event], name: &str) -> Vec<u8> {
    let fields: Vec<serde_json::Value> = events
        .iter()
        .map(|event| {
            if event.data.subjects().iter().any(|subject| subject == name) {
                serde_json::json!({ "subjects": [name] })
            } else {
                serde_json::json!({})
            }
        })
        .collect();
    serde_json::Value::from(fields).to_string().into_bytes()
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
