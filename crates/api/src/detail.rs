//! One decision in full: what the journal holds of it, opened and checked.

use crate::ledger_files::Log;
use crate::redact::Veil;
use crate::schemas::{Body, Integrity, Message, RecordPlace};
use crate::state::Shared;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use event::{EventData, Headers, Leaf};
use index::{EventRow, RecordPointer};
use ledger::leaf_hash;
use recorder::{ReadError, RecordReader, Role, StoredBody, StoredRecord, position_of};
use serde_json::{Map, Value};
use std::collections::HashMap;
use uuid::Uuid;

/// Bytes of one body that are shown; the proof has the rest.
const BODY_BYTES_SHOWN_MAX: usize = 8 * 1024 * 1024;

/// What the journal says of a decision.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub request: Message,
    pub response: Message,
    pub integrity: Integrity,
    /// The events' own fields, those too that the index leaves out.
    fields: HashMap<Uuid, Map<String, Value>>,
}

// === impl Stored ===

impl Stored {
    /// Completes an event of the index by what its record says.
    pub fn complete(&mut self, event: &mut EventRow) -> Result<(), serde_json::Error> {
        let Some(own) = self.fields.remove(&event.event_id) else { return Ok(()) };
        let mut all: Map<String, Value> = serde_json::from_str(event.event_data.get())?;
        all.extend(own);
        event.event_data = serde_json::value::to_raw_value(&all)?;
        Ok(())
    }
}

/// Reads the records at these places; bodies and headers as they are only where they are revealed.
pub(crate) fn read(shared: &Shared, pointers: &[RecordPointer], reveal: bool) -> Stored {
    let mut veil = (!reveal).then(|| Veil::new(&shared.parts.detectors));
    let mut stored = Stored::default();
    let mut logs = Logs { shared, logs: Vec::new() };
    let newest = pointers.last().map_or_else(|| shared.epoch(), |pointer| pointer.at.epoch);
    let (log, size) =
        logs.of(newest).map_or((None, 0), |log| (log.files.vkey().ok().flatten(), log.size));
    stored.integrity = Integrity {
        state: "pending",
        log: log.and_then(|vkey| vkey.split('+').next().map(str::to_owned)),
        checkpoint_size: size,
        records: Vec::with_capacity(pointers.len()),
        faults: Vec::new(),
    };
    for pointer in pointers {
        let size = logs.of(pointer.at.epoch).map_or(0, |log| log.size);
        if let Err(error) = read_one(shared, pointer, size, &mut veil, &mut stored) {
            // A damaged record hides nothing of the others, and is said.
            tracing::error!(%error, seq = pointer.seq, "a stored record could not be read");
            stored.integrity.faults.push(error.to_string());
        }
    }
    let integrity = &mut stored.integrity;
    let is_sealed = !integrity.records.is_empty() && integrity.records.iter().all(|r| r.sealed);
    integrity.state = match (integrity.faults.is_empty(), is_sealed) {
        (false, _) => "damaged",
        (true, true) => "sealed",
        (true, false) => "pending",
    };
    place_bodies(&mut stored);
    if let Some(veil) = &mut veil {
        veil.head(&mut stored.request);
        veil.head(&mut stored.response);
    }
    stored
}

/// The logs of the epochs that a decision has records in.
struct Logs<'a> {
    shared: &'a Shared,
    logs: Vec<(u32, Option<Log>)>,
}

impl Logs<'_> {
    /// The log of an epoch; none where it has no checkpoint.
    fn of(&mut self, epoch: u32) -> Option<&Log> {
        let known = self.logs.iter().position(|(known, _)| *known == epoch);
        let at = known.unwrap_or_else(|| {
            self.logs.push((epoch, Log::of_epoch(self.shared, epoch).ok()));
            self.logs.len() - 1
        });
        self.logs[at].1.as_ref()
    }
}

fn read_one(
    shared: &Shared,
    pointer: &RecordPointer,
    size: u64,
    veil: &mut Option<Veil<'_>>,
    stored: &mut Stored,
) -> Result<(), ReadError> {
    let recorder = &shared.parts.recorder;
    let (journal, keys) = (recorder.journal_dir(), recorder.keys());
    let tenant = recorder.tenant();
    let at = position_of(&pointer.at);
    let record = RecordReader::open(journal, Some(at), true)?.next(None)?;
    let Some(record) = record.filter(|record| record.leaf.record_id == pointer.record_id) else {
        stored.integrity.faults.push(format!("the index points to another record at {at}"));
        return Ok(());
    };
    stored.integrity.records.push(RecordPlace {
        record_id: record.leaf.record_id,
        seq: record.leaf.seq,
        epoch: record.leaf.epoch,
        writer: record.leaf.writer.clone(),
        position: at.to_string(),
        timestamp: record.leaf.ts,
        leaf_hash: hex::encode(leaf_hash(&record.leaf_bytes).as_bytes()),
        sealed: record.leaf.seq < size,
    });
    stored.integrity.faults.extend(differences(&record));
    let parts = record.all_parts(journal)?;
    let hashes: Vec<_> = parts.iter().map(|(_, payload)| leaf_hash(payload)).collect();
    if hex::encode(ledger::tree_hash(&hashes).as_bytes()) != record.leaf.parts_root {
        stored.integrity.faults.push(fault(&record.leaf, "its bodies"));
    }
    for event in record.opened(&tenant, keys)?.events {
        if let Ok(Value::Object(mut own)) = event.data.to_json() {
            if let Some(veil) = veil {
                veil.fields(&mut own);
            }
            stored.fields.insert(event.event_id, own);
        }
        take_event(event.data, stored);
    }
    for body in record.bodies(journal, &tenant, keys)? {
        take_body(body, veil.as_mut(), stored);
    }
    Ok(())
}

/// What of a record is not what its leaf says.
fn differences(record: &StoredRecord) -> Vec<String> {
    let sealed = record.sealed.as_ref().map_or(&[][..], |(_, payload)| payload);
    let differs = |bytes: &[u8], stated: &str| sha256_hex(bytes) != stated;
    let mut faults = Vec::new();
    if differs(&record.open, &record.leaf.open_sha256) {
        faults.push(fault(&record.leaf, "its open part"));
    }
    if differs(sealed, &record.leaf.sealed_sha256) {
        faults.push(fault(&record.leaf, "its sealed part"));
    }
    faults
}

fn fault(leaf: &Leaf, what: &str) -> String {
    format!("record {} (leaf {}): {what} is not what the leaf says", leaf.record_id, leaf.seq)
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

fn pairs(headers: Option<Headers>) -> Vec<(String, String)> {
    let headers = headers.unwrap_or_default();
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn take_event(data: EventData, stored: &mut Stored) {
    match data {
        EventData::RequestReceived(received) => {
            let request = &mut stored.request;
            request.method = received.method;
            request.path = received.path;
            request.query = received.query;
            request.headers = pairs(received.headers);
        }
        EventData::RequestCompleted(completed) => {
            let response = &mut stored.response;
            response.status_code = completed.status_code;
            response.headers = pairs(completed.headers);
        }
        EventData::RequestFailed(failed) => stored.response.status_code = failed.status_code,
        EventData::RequestRejected(rejected) => stored.response.status_code = rejected.status_code,
        EventData::RequestBlocked(blocked) => stored.response.status_code = blocked.status_code,
        EventData::ResponseBlocked(blocked) => stored.response.status_code = blocked.status_code,
        _ => {}
    }
}

fn take_body(body: StoredBody, veil: Option<&mut Veil<'_>>, stored: &mut Stored) {
    let role = body.role;
    let shown = show(body, veil);
    match role {
        Role::ClientRequest => stored.request.body = Some(shown),
        Role::ClientResponse => stored.response.body = Some(shown),
        Role::UpstreamRequest => stored.request.upstream.push(shown),
        Role::UpstreamResponse => stored.response.upstream.push(shown),
    }
}

/// Where the client got what the provider sent, that body is the answer's.
fn place_bodies(stored: &mut Stored) {
    let response = &mut stored.response;
    if response.body.is_none() {
        response.body = response.upstream.pop();
    }
}

fn show(body: StoredBody, veil: Option<&mut Veil<'_>>) -> Body {
    let mut shown = Body {
        attempt: body.attempt,
        bytes: None,
        encoding: None,
        data: None,
        truncated: false,
        erased: body.bytes.is_none(),
        redacted: false,
    };
    let Some(mut bytes) = body.bytes else { return shown };
    shown.bytes = Some(bytes.len() as u64);
    if let Some(veil) = veil {
        let Some(redacted) = veil.body(&bytes) else {
            shown.redacted = true;
            return shown;
        };
        shown.redacted = redacted != bytes;
        bytes = redacted;
    }
    shown.truncated = bytes.len() > BODY_BYTES_SHOWN_MAX;
    if shown.truncated {
        cut_at_char(&mut bytes, BODY_BYTES_SHOWN_MAX);
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            shown.encoding = Some("utf-8".to_owned());
            shown.data = Some(text);
        }
        Err(error) => {
            shown.encoding = Some("base64".to_owned());
            shown.data = Some(STANDARD.encode(error.as_bytes()));
        }
    }
    shown
}

/// Cuts without splitting a character, where the bytes are text.
fn cut_at_char(bytes: &mut Vec<u8>, bytes_max: usize) {
    let mut end = bytes_max;
    while end > bytes_max - 4 && bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    bytes.truncate(end);
}
