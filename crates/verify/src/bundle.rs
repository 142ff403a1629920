//! Verifying the proof of a decision, with nothing at hand but the bundle and the log's key.

use crate::open::{Fields, open_part};
use crate::record::{key_commit, sha256};
use event::{Event, Leaf};
use ledger::{Checkpoint, EMPTY_ROOT, Hash, KeyKind, SignedCheckpoint, TlogProof, TrustedKeys};
use ledger::{VerifierKey, leaf_hash, tree_hash};
use record::{BUNDLE_VERSION, Base64, PartHeader, ProofBundle, ProvenRecord, Role, SealedGroup};
use record::{NOTES_FROM, read_groups, record_id};
use seal::RecordKey;
use serde::Serialize;
use uuid::Uuid;

/// Records of one decision at most.
pub const BUNDLE_RECORDS_MAX: usize = 1_024;

/// What a bundle shows.
#[derive(Debug, Default, Serialize)]
pub struct BundleReport {
    /// The decision.
    pub decision_id: Uuid,
    /// The log of the last record, where a trusted key signed its checkpoint.
    pub origin: Option<String>,
    /// Size of the tree that the checkpoint signs.
    pub checkpoint_size: Option<u64>,
    /// Root of that tree, in base64.
    pub root: Option<String>,
    /// The keys that signed and verified, as vkeys.
    pub signed_by: Vec<String>,
    /// The logs of earlier epochs in which the decision has records, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier_logs: Vec<LogProven>,
    /// The records, as far as they are proven.
    pub records: Vec<RecordReport>,
    /// What is wrong. Where this is not empty, nothing here is proven.
    pub faults: Vec<BundleFault>,
}

/// The log of an earlier epoch, whose checkpoint a trusted key signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogProven {
    /// Its origin.
    pub origin: String,
    /// Size of the tree that the checkpoint signs.
    pub checkpoint_size: u64,
    /// Root of that tree, in base64.
    pub root: String,
}

/// Something wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleFault {
    /// Which of its records, from 0; none where it concerns the whole.
    pub record: Option<usize>,
    /// What, in a sentence.
    pub message: String,
}

/// One proven record.
#[derive(Debug, Serialize)]
pub struct RecordReport {
    /// Its id.
    pub record_id: Uuid,
    /// The epoch of its log.
    pub epoch: u64,
    /// Its number in the log.
    pub seq: u64,
    /// When it was written.
    pub ts: event::Timestamp,
    /// Its events: open fields, and those of sealed groups whose keys are in the bundle.
    #[serde(serialize_with = "events_as_json")]
    pub events: Vec<Event>,
    /// Sealed groups whose keys are not in the bundle (left out, or erased).
    pub closed_groups: usize,
    /// The bodies.
    pub bodies: Vec<BodyReport>,
    /// Whether the record itself commits to the key that opened the bodies. Where it does not,
    /// the bodies are those that were recorded, and that this key reads them rightly is the
    /// word of who made the bundle.
    pub bodies_committed: bool,
}

/// One body of a record.
#[derive(Debug, Serialize)]
pub struct BodyReport {
    /// What it is (`client_request`, …).
    pub role: &'static str,
    /// Number of the attempt at a provider.
    pub attempt: u8,
    /// Whether its last piece is there (a crash can cut a body off).
    pub complete: bool,
    /// Its bytes; none where the key is not in the bundle.
    #[serde(skip)]
    pub bytes: Option<Vec<u8>>,
    /// How many bytes it has, where it could be opened.
    pub length: Option<u64>,
    /// SHA-256 of its bytes in hexadecimal, where it could be opened.
    pub sha256: Option<String>,
}

// === impl BundleReport ===

impl BundleReport {
    /// Whether everything in the bundle is proven.
    pub fn ok(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, record: impl Into<Option<usize>>, message: impl Into<String>) {
        self.faults.push(BundleFault { record: record.into(), message: message.into() });
    }
}

/// Verifies a bundle under keys that are trusted already: the log's (several while it is being
/// replaced) and those of witnesses.
///
/// The disclosed keys in a bundle (`group_keys`, `parts_key`) are the 32-byte AEAD keys of that
/// record, as `seal::RecordKey::export` gives them. A group's key is only believed where its
/// commitment is the one in the sealed part, and that is the one in the leaf.
pub fn verify_bundle(bundle: &ProofBundle, keys: &[VerifierKey]) -> BundleReport {
    let mut report = BundleReport { decision_id: bundle.decision_id, ..BundleReport::default() };
    if bundle.v != BUNDLE_VERSION {
        report.fault(
            None,
            format!(
                "the bundle has format {:?}, this program reads {BUNDLE_VERSION:?}: \
                 use the version that made it, or a newer one",
                bundle.v,
            ),
        );
        return report;
    }
    let (witnesses, log) =
        keys.iter().cloned().partition(|key| key.kind() == KeyKind::CosignatureV1);
    let keys = TrustedKeys { log, witnesses, witnesses_min: 0 };
    let Some(checkpoints) = verify_checkpoints(bundle, &keys, &mut report) else { return report };
    if bundle.records.is_empty() || bundle.records.len() > BUNDLE_RECORDS_MAX {
        report.fault(None, format!("a bundle has 1 to {BUNDLE_RECORDS_MAX} records"));
        return report;
    }
    let mut previous = None;
    let mut next = Next { course: 0, note: NOTES_FROM };
    for (number, record) in bundle.records.iter().enumerate() {
        let proof = Proof { bundle, checkpoints: &checkpoints, keys: &keys, next, record };
        let proven = proof.verify();
        let id = proven.as_ref().ok().map(|proven| proven.record_id);
        if id == Some(record_id(bundle.decision_id, next.note)) {
            next.note += 1;
        } else {
            next.course += 1;
        }
        match proven {
            Ok(proven) => {
                let place = (proven.epoch, proven.seq);
                if previous.is_some_and(|before| before >= place) {
                    report.fault(number, "the records are not in the order of the log");
                }
                previous = Some(place);
                report.records.push(proven);
            }
            Err(message) => report.fault(number, message),
        }
    }
    report
}

/// The bundle's checkpoints: those of earlier epochs, then the last one's.
fn verify_checkpoints(
    bundle: &ProofBundle,
    keys: &TrustedKeys,
    report: &mut BundleReport,
) -> Option<Vec<Signed>> {
    if bundle.earlier_checkpoints.len() >= BUNDLE_RECORDS_MAX {
        report.fault(None, format!("a bundle has up to {BUNDLE_RECORDS_MAX} checkpoints"));
        return None;
    }
    let mut all = Vec::with_capacity(1 + bundle.earlier_checkpoints.len());
    for text in &bundle.earlier_checkpoints {
        let checkpoint = verify_checkpoint(text, keys, report)?;
        report.earlier_logs.push(LogProven {
            origin: checkpoint.origin.clone(),
            checkpoint_size: checkpoint.size,
            root: checkpoint.root.to_base64(),
        });
        all.push(Signed { text: text.clone(), checkpoint });
    }
    let checkpoint = verify_checkpoint(&bundle.checkpoint, keys, report)?;
    report.origin = Some(checkpoint.origin.clone());
    report.checkpoint_size = Some(checkpoint.size);
    report.root = Some(checkpoint.root.to_base64());
    all.push(Signed { text: bundle.checkpoint.clone(), checkpoint });
    Some(all)
}

fn verify_checkpoint(
    text: &str,
    keys: &TrustedKeys,
    report: &mut BundleReport,
) -> Option<Checkpoint> {
    let verified = SignedCheckpoint::parse(text.as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|signed| {
            let signatures = signed.verify(keys).map_err(|error| error.to_string())?;
            report.signed_by.extend(signatures.iter().map(|by| by.key.to_string()));
            Ok(signed.checkpoint().clone())
        });
    verified.map_err(|message| report.fault(None, message)).ok()
}

/// A checkpoint that a trusted key signed.
struct Signed {
    text: String,
    checkpoint: Checkpoint,
}

/// One record's proof, while it is verified.
struct Proof<'a> {
    bundle: &'a ProofBundle,
    checkpoints: &'a [Signed],
    keys: &'a TrustedKeys,
    next: Next,
    record: &'a ProvenRecord,
}

/// Numbers of the records that can come next: of the decision's course, and of what is said of it
/// afterwards.
#[derive(Clone, Copy)]
struct Next {
    course: u32,
    note: u32,
}

// === impl Proof ===

impl Proof<'_> {
    fn verify(&self) -> Result<RecordReport, String> {
        let (leaf, checkpoint) = self.included()?;
        self.is_of_the_decision(&leaf, checkpoint)?;
        let record = self.record;
        holds(&leaf.open_sha256, sha256(record.open.as_bytes()), "the open part")?;
        holds(&leaf.sealed_sha256, sha256(&record.sealed), "the sealed part")?;
        let groups = self.groups(&leaf)?;
        let keys = group_keys(&groups, &record.group_keys)?;
        let headers = self.parts(&leaf)?;
        let (bodies, bodies_committed) = self.bodies(&leaf.tenant, &headers, &groups)?;
        let fields = Fields {
            tenant: &leaf.tenant,
            record_id: leaf.record_id,
            events: &leaf.events,
            open: record.open.as_bytes(),
            groups: &groups,
            keys: &keys,
        };
        let opened = fields.join()?;
        Ok(RecordReport {
            record_id: leaf.record_id,
            epoch: leaf.epoch,
            seq: leaf.seq,
            ts: leaf.ts,
            events: opened.events,
            closed_groups: opened.closed_groups,
            bodies,
            bodies_committed,
        })
    }

    /// The leaf is in the tree of one of the bundle's checkpoints, at the number that it states.
    fn included(&self) -> Result<(Leaf, &Checkpoint), String> {
        let bytes = self.record.leaf.as_bytes();
        let leaf = Leaf::read(bytes).map_err(|error| error.to_string())?;
        let proof = TlogProof::parse(self.record.tlog_proof.as_bytes())
            .map_err(|error| error.to_string())?;
        let text = proof.checkpoint.to_string();
        let signed = self.checkpoints.iter().find(|signed| signed.text == text);
        let signed = signed.ok_or("the proof is under another checkpoint than the bundle's")?;
        if proof.extra.is_some() || proof.index != leaf.seq {
            return Err("the proof is of another leaf".to_owned());
        }
        proof.verify(bytes, self.keys).map_err(|error| error.to_string())?;
        Ok((leaf, &signed.checkpoint))
    }

    /// The record is the decision's next one (or the next that is said of it), and of the log that the checkpoint names. A
    /// record's id follows from decision and number, so that none can be left out in between.
    fn is_of_the_decision(&self, leaf: &Leaf, checkpoint: &Checkpoint) -> Result<(), String> {
        let decision = self.bundle.decision_id;
        if leaf.decision_id != decision {
            return Err(format!("the record is of the decision {}", leaf.decision_id));
        }
        let Next { course, note } = self.next;
        if ![course, note].map(|number| record_id(decision, number)).contains(&leaf.record_id) {
            return Err(format!("this is not record {course} of the decision: one is left out"));
        }
        let ending = format!("/{}/{}/{}", leaf.tenant, leaf.writer, leaf.epoch);
        if !checkpoint.origin.ends_with(&ending) {
            return Err(format!("the leaf is of another log than {:?}", checkpoint.origin));
        }
        Ok(())
    }

    fn groups(&self, leaf: &Leaf) -> Result<Vec<SealedGroup<'_>>, String> {
        let sealed = &self.record.sealed;
        if sealed.is_empty() {
            holds(&leaf.key_commit, EMPTY_ROOT, "the commitment to the keys")?;
            return Ok(Vec::new());
        }
        let malformed = || "the sealed part is malformed".to_owned();
        let (_, commit) = key_commit(sealed).ok_or_else(malformed)?;
        holds(&leaf.key_commit, commit, "the commitment to the keys")?;
        read_groups(sealed).ok_or_else(malformed)
    }

    /// The parts are those of the leaf.
    fn parts(&self, leaf: &Leaf) -> Result<Vec<PartHeader>, String> {
        let parts = &self.record.parts;
        let hashes: Vec<Hash> = parts.iter().map(|part| leaf_hash(&part.0)).collect();
        holds(&leaf.parts_root, tree_hash(&hashes), "the bodies")?;
        let bytes: u64 = parts.iter().map(|part| part.0.len() as u64).sum();
        if bytes != leaf.parts_bytes {
            return Err("the bodies have another size than the leaf states".to_owned());
        }
        let mut headers = Vec::with_capacity(parts.len());
        for part in parts {
            let header =
                PartHeader::read(&part.0).filter(|(header, _)| header.record_id == leaf.record_id);
            headers.push(header.ok_or("a part of a body is malformed, or of another record")?.0);
        }
        Ok(headers)
    }

    /// Puts bodies together; opens them where their key is disclosed.
    fn bodies(
        &self,
        tenant: &str,
        headers: &[PartHeader],
        groups: &[SealedGroup<'_>],
    ) -> Result<(Vec<BodyReport>, bool), String> {
        let key = self
            .record
            .parts_key
            .as_ref()
            .map(|key| Ok::<_, String>(RecordKey::from_disclosed(secret(key)?)))
            .transpose()?;
        let committed = key
            .as_ref()
            .is_some_and(|key| groups.iter().any(|group| *group.commitment == key.commitment()));
        let mut bodies: Vec<BodyReport> = Vec::new();
        let mut last: Option<PartHeader> = None;
        for (header, part) in headers.iter().zip(&self.record.parts) {
            let same =
                last.is_some_and(|last| (last.role, last.attempt) == (header.role, header.attempt));
            let expected = last.filter(|_| same).map_or(0, |last| last.number.saturating_add(1));
            if header.number != expected || (same && last.is_some_and(|last| last.last)) {
                return Err("the pieces of a body do not follow each other".to_owned());
            }
            if !same {
                bodies.push(empty_body(header.role, header.attempt, key.is_some()));
            }
            last = Some(*header);
            let Some(body) = bodies.last_mut() else { continue };
            body.complete = header.last;
            if let (Some(key), Some(bytes), Some((_, sealed))) =
                (&key, &mut body.bytes, PartHeader::read(&part.0))
            {
                bytes.extend_from_slice(&open_part(key, tenant, header, sealed)?);
            }
        }
        for body in &mut bodies {
            body.length = body.bytes.as_ref().map(|bytes| bytes.len() as u64);
            body.sha256 = body.bytes.as_ref().map(|bytes| sha256(bytes).to_string());
        }
        Ok((bodies, committed))
    }
}

const fn empty_body(role: Role, attempt: u8, opens: bool) -> BodyReport {
    BodyReport {
        role: role.as_str(),
        attempt,
        complete: false,
        bytes: if opens { Some(Vec::new()) } else { None },
        length: None,
        sha256: None,
    }
}

/// The disclosed keys, each held against its group's commitment.
fn group_keys(
    groups: &[SealedGroup<'_>],
    disclosed: &[Option<Base64>],
) -> Result<Vec<Option<RecordKey>>, String> {
    if disclosed.len() != groups.len() {
        return Err(
            "the bundle has another number of keys than the sealed part has groups".to_owned()
        );
    }
    let mut keys = Vec::with_capacity(groups.len());
    for (group, key) in groups.iter().zip(disclosed) {
        keys.push(match key {
            Some(key) => Some(
                RecordKey::from_parts(secret(key)?, *group.commitment)
                    .map_err(|error| error.to_string())?,
            ),
            None => None,
        });
    }
    Ok(keys)
}

fn secret(key: &Base64) -> Result<[u8; 32], String> {
    key.0.as_slice().try_into().map_err(|_| "a disclosed key has not 32 bytes".to_owned())
}

/// The leaf's statement, in lower-case hexadecimal, is this hash.
fn holds(stated: &str, hash: Hash, what: &str) -> Result<(), String> {
    if stated == hash.to_string() {
        return Ok(());
    }
    Err(format!("{what} is not the one that the leaf names"))
}

fn events_as_json<S: serde::Serializer>(
    events: &[Event],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::{Error, SerializeSeq};
    let mut out = serializer.serialize_seq(Some(events.len()))?;
    for event in events {
        let data = event.data.to_json().map_err(Error::custom)?;
        out.serialize_element(&serde_json::json!({
            "event_id": event.event_id,
            "event_type": event.event_type(),
            "component": event.component,
            "timestamp": event.timestamp,
            "event_data": data,
        }))?;
    }
    out.end()
}
