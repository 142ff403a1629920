//! What a verification found.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Faults that are listed of each kind; the rest is counted.
pub const FAULTS_LISTED_PER_KIND_MAX: u64 = 100;
/// Remarks that are listed.
const NOTES_MAX: usize = 200;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything: bodies too.
    #[default]
    Full,
    /// Leaves, tiles and signatures. Payloads of other frames are passed over.
    LedgerOnly,
}

/// The result of a verification.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// How much was read.
    pub mode: Mode,
    /// Whether a server was writing meanwhile: then what it wrote after the start was left out.
    pub live: bool,
    /// Segment files read.
    pub segments: u64,
    /// Bytes of journal covered.
    pub bytes: u64,
    /// Frames.
    pub frames: u64,
    /// Records, which is leaves.
    pub records: u64,
    /// Events named by the leaves.
    pub events: u64,
    /// Parts of bodies.
    pub parts: u64,
    /// Parts that belong to no record: what a crash left behind, or a record still being written.
    pub orphan_parts: u64,
    /// Sealed groups and parts that were opened, where keys were given.
    pub opened: u64,
    /// Sealed groups and parts whose keys were erased.
    pub erased: u64,
    /// Tile files compared.
    pub tiles: u64,
    /// Signed checkpoints checked against the tree, kept ones included.
    pub checkpoints: u64,
    /// The logs, one for each epoch.
    pub logs: Vec<LogReport>,
    /// The faults, the first of each kind.
    pub faults: Vec<Fault>,
    /// How many faults there are of each kind.
    pub fault_counts: BTreeMap<FaultKind, u64>,
    /// What is no fault, and worth knowing.
    pub notes: Vec<String>,
}

/// One log.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// Its epoch.
    pub epoch: u32,
    /// Its origin, as its checkpoint states it.
    pub origin: Option<String>,
    /// Leaves in the journal.
    pub leaves: u64,
    /// The root over them, recomputed, in base64.
    pub root: String,
    /// Size of the signed checkpoint.
    pub checkpoint_size: Option<u64>,
    /// Leaves that no checkpoint covers yet.
    pub unsealed: u64,
    /// Whether the only key at hand was the one that the data directory itself names.
    pub self_asserted_key: bool,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What kind of thing.
    pub kind: FaultKind,
    /// Where.
    pub place: Place,
    /// What, in a sentence.
    pub message: String,
}

/// Where a fault is. What does not apply is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// The file, relative to the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The byte in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Epoch of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// Number of the leaf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<String>,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// `meta.json` is damaged or says something else than the records.
    Meta,
    /// The watermark is damaged.
    Watermark,
    /// A segment is missing, out of line or has a wrong header.
    Segment,
    /// A frame is damaged or stands where it cannot.
    Frame,
    /// Acknowledged records are gone.
    Truncated,
    /// Bytes behind the last whole record: a write that a crash cut off, or an attempt to add.
    TornTail,
    /// Records are missing, doubled or out of order.
    Sequence,
    /// Times do not rise.
    Time,
    /// A leaf is not canonical or belongs to another log.
    Leaf,
    /// Frames that do not make up a record.
    Record,
    /// The open part is not the one in the leaf.
    Open,
    /// The sealed part is not the one in the leaf.
    Sealed,
    /// The commitments to keys are not those in the leaf.
    KeyCommit,
    /// The bodies are not those in the leaf.
    Parts,
    /// A sealed part cannot be opened with its key, or holds something else than it should.
    Opening,
    /// A tile differs from the leaves.
    Tile,
    /// A tile is missing.
    TileMissing,
    /// A file among the tiles that cannot be one.
    TileStray,
    /// The log's checkpoint does not verify, or differs from the leaves.
    Checkpoint,
    /// The same of a checkpoint that was kept elsewhere.
    KeptCheckpoint,
    /// The same of the last signed state.
    SignedState,
    /// The log's verifier key is not the trusted one.
    VerifierKey,
    /// A row of the index differs from its record.
    Index,
    /// A bound of the verifier was reached; what lies behind it was not checked.
    Limit,
}

// === impl Report ===

impl Report {
    /// Whether nothing is wrong.
    pub fn ok(&self) -> bool {
        self.fault_counts.is_empty()
    }

    /// How many faults there are, listed or not.
    pub fn fault_count(&self) -> u64 {
        self.fault_counts.values().sum()
    }

    /// Leaves that no checkpoint covers yet.
    pub fn unsealed(&self) -> u64 {
        self.logs.iter().map(|log| log.unsealed).sum()
    }

    pub(crate) fn fault(&mut self, kind: FaultKind, place: Place, message: impl Into<String>) {
        let count = self.fault_counts.entry(kind).or_default();
        *count += 1;
        if *count <= FAULTS_LISTED_PER_KIND_MAX {
            self.faults.push(Fault { kind, place, message: message.into() });
        }
    }

    /// Adds what was found, opened and noted elsewhere.
    pub(crate) fn take_in(&mut self, other: Self) {
        self.opened += other.opened;
        self.erased += other.erased;
        self.faults.extend(other.faults);
        for (kind, count) in other.fault_counts {
            *self.fault_counts.entry(kind).or_default() += count;
        }
        other.notes.into_iter().for_each(|note| self.note(note));
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note.into());
        }
    }
}

// === impl Place ===

impl Place {
    /// A file.
    pub(crate) fn file(file: impl Into<String>) -> Self {
        Self { file: Some(file.into()), ..Self::default() }
    }

    /// A byte in a file.
    pub(crate) fn byte(file: impl Into<String>, offset: u64) -> Self {
        Self { file: Some(file.into()), offset: Some(offset), ..Self::default() }
    }

    /// The same place, of this leaf.
    #[must_use]
    pub(crate) fn seq(self, seq: u64) -> Self {
        Self { seq: Some(seq), ..self }
    }

    /// The same place, of this epoch.
    #[must_use]
    pub(crate) fn epoch(self, epoch: u32) -> Self {
        Self { epoch: Some(epoch), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.file.clone());
        parts.extend(self.offset.map(|offset| format!("byte {offset}")));
        parts.extend(self.epoch.map(|epoch| format!("epoch {epoch}")));
        parts.extend(self.seq.map(|seq| format!("record {seq}")));
        parts.extend(self.record_id.as_ref().map(|id| format!("record id {id}")));
        parts.extend(self.decision_id.as_ref().map(|id| format!("decision {id}")));
        f.write_str(&parts.join(", "))
    }
}

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
