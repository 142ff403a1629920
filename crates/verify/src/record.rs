//! Records: frames that belong together, held against what their leaf says of them.

use crate::leaf::LeafView;
use crate::report::{FaultKind, Mode, Place, Report};
use crate::walk::FoundFrame;
use aws_lc_rs::digest::{Context, SHA256, digest};
use journal::Position;
use journal::format::{FrameKind, segment_name};
use ledger::{EMPTY_ROOT, Hash, leaf_hash, tree_hash};
use record::{PartHeader, Pieces, Role, read_groups, read_key_sets, read_places};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Parts that wait for their record; hashes only, about 80 bytes each.
const PARTS_WAITING_MAX: usize = 4 << 20;
/// Record ids that are remembered to find doubled records (the last one to two million).
const RECORD_IDS_MAX: usize = 1 << 20;

/// Gathers the frames of each record.
#[derive(Debug, Default)]
pub(crate) struct Records {
    waiting: HashMap<Uuid, Vec<StoredPart>>,
    waiting_count: usize,
    waiting_full: bool,
    stage: Stage,
    ids: [HashSet<Uuid>; 2],
}

/// How far the record at hand is.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Between,
    Begun(Draft),
}

#[derive(Debug)]
struct Draft {
    at: Position,
    open_sha256: Hash,
    places: Vec<(u32, u64)>,
    sealed: Option<SealedHashes>,
}

#[derive(Debug)]
struct SealedHashes {
    sha256: Hash,
    key_commit: Hash,
}

#[derive(Debug, Clone, Copy)]
struct StoredPart {
    header: PartHeader,
    hash: Hash,
    bytes: u64,
    segment: u32,
    at: u64,
    next: u64,
}

// === impl Records ===

impl Records {
    /// Takes in one frame that is no leaf.
    pub(crate) fn frame(
        &mut self,
        segment: Position,
        frame: &FoundFrame,
        bytes: &[u8],
        mode: Mode,
        report: &mut Report,
    ) {
        let at = Position { offset: frame.at, ..segment };
        match frame.fields.kind {
            FrameKind::Part => {
                if let Stage::Begun(draft) = std::mem::take(&mut self.stage) {
                    lacks_leaf(&draft, report);
                }
                report.parts += 1;
                if mode == Mode::Full {
                    self.part(at, frame, bytes, report);
                }
            }
            FrameKind::Open => {
                if let Stage::Begun(draft) = std::mem::take(&mut self.stage) {
                    lacks_leaf(&draft, report);
                }
                self.stage = Stage::Begun(open(at, frame, bytes, mode, report));
            }
            FrameKind::Sealed => match &mut self.stage {
                Stage::Begun(draft) if draft.sealed.is_none() => {
                    draft.sealed = Some(sealed(at, frame, bytes, mode, report));
                }
                _ => report.fault(
                    FaultKind::Record,
                    place(at),
                    "a sealed part stands without its record",
                ),
            },
            FrameKind::Leaf | FrameKind::SegmentEnd => {}
        }
    }

    fn part(&mut self, at: Position, frame: &FoundFrame, bytes: &[u8], report: &mut Report) {
        let payload = &bytes[frame.payload.clone()];
        let one_set = read_key_sets(&bytes[frame.keys.clone()]).is_some_and(|sets| sets.len() == 1);
        let Some((header, _)) = PartHeader::read(payload).filter(|_| one_set) else {
            report.fault(
                FaultKind::Parts,
                place(at),
                "a part's header or list of keys is malformed",
            );
            return;
        };
        if self.waiting_count >= PARTS_WAITING_MAX {
            if !std::mem::replace(&mut self.waiting_full, true) {
                report.fault(
                    FaultKind::Limit,
                    place(at),
                    format!(
                        "over {PARTS_WAITING_MAX} parts wait for their records; \
                             records from here on may be reported as lacking parts"
                    ),
                );
            }
            return;
        }
        self.waiting_count += 1;
        self.waiting.entry(header.record_id).or_default().push(StoredPart {
            header,
            hash: leaf_hash(payload),
            bytes: payload.len() as u64,
            segment: at.segment,
            at: frame.at,
            next: frame.next,
        });
    }

    /// Whether a leaf may come next.
    pub(crate) fn begun(&self) -> bool {
        matches!(self.stage, Stage::Begun(_))
    }

    /// Takes in the leaf that completes the record; `None` where the leaf cannot be read.
    pub(crate) fn leaf(
        &mut self,
        at: Position,
        leaf: Option<&LeafView>,
        mode: Mode,
        report: &mut Report,
    ) {
        let Stage::Begun(draft) = std::mem::take(&mut self.stage) else {
            report.fault(FaultKind::Record, place(at), "a leaf stands without its open part");
            return;
        };
        let Some(leaf) = leaf.filter(|_| mode == Mode::Full) else { return };
        let here = || of_leaf(at, leaf);
        let mut differs = |kind, same: bool, what: &str| {
            if !same {
                report.fault(kind, here(), format!("{what} is not the one that the leaf names"));
            }
        };
        differs(FaultKind::Open, draft.open_sha256 == leaf.open_sha256, "the open part");
        let (sealed, commit) = draft
            .sealed
            .as_ref()
            .map_or((EMPTY_ROOT, EMPTY_ROOT), |sealed| (sealed.sha256, sealed.key_commit));
        differs(FaultKind::Sealed, sealed == leaf.sealed_sha256, "the sealed part");
        differs(FaultKind::KeyCommit, commit == leaf.key_commit, "the commitment to the keys");
        self.claim(at, &draft, leaf, report);
        self.remember(at, leaf, report);
    }

    /// Finds the leaf's parts among those that wait.
    fn claim(&mut self, at: Position, draft: &Draft, leaf: &LeafView, report: &mut Report) {
        let id = Uuid::from_bytes(leaf.record_id);
        let mut parts = self.waiting.remove(&id).unwrap_or_default();
        self.waiting_count -= parts.len();
        let listed =
            |part: &StoredPart| draft.places.binary_search(&(part.segment, part.at)).is_ok();
        let unlisted = draft.places.len() - parts.iter().filter(|part| listed(part)).count();
        if unlisted > 0 && !self.waiting_full {
            report.fault(
                FaultKind::Parts,
                of_leaf(at, leaf),
                format!("{unlisted} of the places that the record names for its parts hold none"),
            );
        }
        if fits(&mut parts, leaf) {
            return;
        }
        // A write that failed and was repeated can leave a second set of parts behind, one that
        // failed and was not repeated can leave later parts.
        let all = parts.len();
        let newest = newest_of_each(&parts);
        let own = [before_gaps(&newest), newest, named_or_adjacent(&parts, draft)]
            .into_iter()
            .find_map(|mut own| fits(&mut own, leaf).then_some(own.len()));
        match own {
            Some(own) => report.orphan_parts += (all - own) as u64,
            None => report.fault(
                FaultKind::Parts,
                of_leaf(at, leaf),
                format!("the {all} parts of its bodies are not those that the leaf names"),
            ),
        }
    }

    fn remember(&mut self, at: Position, leaf: &LeafView, report: &mut Report) {
        let id = Uuid::from_bytes(leaf.record_id);
        if self.ids.iter().any(|ids| ids.contains(&id)) {
            report.fault(FaultKind::Sequence, of_leaf(at, leaf), "the record stands here again");
        }
        if self.ids[0].len() >= RECORD_IDS_MAX {
            self.ids.swap(0, 1);
            self.ids[0].clear();
        }
        self.ids[0].insert(id);
    }

    /// The epoch ends: what waits belongs to no record. Tells where a record was left incomplete.
    pub(crate) fn finish(&mut self, report: &mut Report) -> Option<Position> {
        report.orphan_parts += self.waiting_count as u64;
        self.waiting.clear();
        self.waiting_count = 0;
        match std::mem::take(&mut self.stage) {
            Stage::Begun(draft) => Some(draft.at),
            Stage::Between => None,
        }
    }

    /// The segment ends, and others follow: an incomplete record in front of its end is a fault.
    pub(crate) fn segment_ends(&mut self, report: &mut Report) {
        if let Stage::Begun(draft) = std::mem::take(&mut self.stage) {
            lacks_leaf(&draft, report);
        }
    }
}

/// The last written part of those with the same number.
fn newest_of_each(parts: &[StoredPart]) -> Vec<StoredPart> {
    let mut newest = parts.to_vec();
    newest.sort_by_key(|part| (key(part), Reverse((part.segment, part.at))));
    newest.dedup_by_key(|part| key(part));
    newest
}

/// Of parts in order, those in front of each body's first missing piece.
fn before_gaps(parts: &[StoredPart]) -> Vec<StoredPart> {
    let mut pieces = Pieces::default();
    parts.iter().filter(|part| pieces.takes(&part.header)).copied().collect()
}

/// Parts at the places that the record names, those directly behind them, and those directly in
/// front of the record.
fn named_or_adjacent(parts: &[StoredPart], draft: &Draft) -> Vec<StoredPart> {
    let mut own = parts.to_vec();
    own.sort_by_key(|part| (part.segment, part.at));
    let front = front_run(&own, draft.at);
    let (mut index, mut previous_end) = (0, None);
    own.retain(|part| {
        let named = draft.places.binary_search(&(part.segment, part.at)).is_ok();
        let own = named || previous_end == Some((part.segment, part.at)) || index >= front;
        previous_end = own.then_some((part.segment, part.next));
        index += 1;
        own
    });
    own
}

fn key(part: &StoredPart) -> (Role, u8, u32) {
    (part.header.role, part.header.attempt, part.header.number)
}

/// Index from which on parts stand side by side right in front of `end`.
fn front_run(parts: &[StoredPart], end: Position) -> usize {
    let (mut from, mut end) = (parts.len(), (end.segment, end.offset));
    while from > 0 && (parts[from - 1].segment, parts[from - 1].next) == end {
        from -= 1;
        end = (parts[from].segment, parts[from].at);
    }
    from
}

/// Whether these parts, in their order, are those that the leaf names.
fn fits(parts: &mut [StoredPart], leaf: &LeafView) -> bool {
    parts.sort_by_key(key);
    let hashes: Vec<Hash> = parts.iter().map(|part| part.hash).collect();
    let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
    bytes == leaf.parts_bytes && tree_hash(&hashes) == leaf.parts_root
}

fn open(at: Position, frame: &FoundFrame, bytes: &[u8], mode: Mode, report: &mut Report) -> Draft {
    let mut draft = Draft { at, open_sha256: EMPTY_ROOT, places: Vec::new(), sealed: None };
    if mode == Mode::LedgerOnly {
        return draft;
    }
    draft.open_sha256 = sha256(&bytes[frame.payload.clone()]);
    match read_places(&bytes[frame.keys.clone()]) {
        Some(places) => {
            if places.iter().any(|place| place.epoch != at.epoch) {
                report.fault(FaultKind::Parts, place(at), "a part's place is in another epoch");
            }
            draft.places = places.iter().map(|place| (place.segment, place.offset)).collect();
            draft.places.sort_unstable();
            draft.places.dedup();
        }
        None => report.fault(FaultKind::Parts, place(at), "the list of parts' places is malformed"),
    }
    draft
}

fn sealed(
    at: Position,
    frame: &FoundFrame,
    bytes: &[u8],
    mode: Mode,
    report: &mut Report,
) -> SealedHashes {
    let mut hashes = SealedHashes { sha256: EMPTY_ROOT, key_commit: EMPTY_ROOT };
    if mode == Mode::LedgerOnly {
        return hashes;
    }
    let payload = &bytes[frame.payload.clone()];
    hashes.sha256 = sha256(payload);
    let sets = read_key_sets(&bytes[frame.keys.clone()]);
    match (key_commit(payload), sets) {
        (Some((groups, commit)), Some(sets)) if groups == sets.len() => hashes.key_commit = commit,
        _ => report.fault(
            FaultKind::Sealed,
            place(at),
            "the sealed part or its list of keys is malformed",
        ),
    }
    hashes
}

/// How many sealed groups there are, and SHA-256 over their commitments.
pub(crate) fn key_commit(sealed: &[u8]) -> Option<(usize, Hash)> {
    let groups = read_groups(sealed)?;
    let mut context = Context::new(&SHA256);
    for group in &groups {
        context.update(group.commitment);
    }
    Some((groups.len(), Hash::try_from(context.finish().as_ref()).ok()?))
}

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    // SHA-256 has 32 bytes, always.
    Hash::try_from(digest(&SHA256, bytes).as_ref()).unwrap_or_default()
}

fn lacks_leaf(draft: &Draft, report: &mut Report) {
    report.fault(FaultKind::Record, place(draft.at), "a record lacks its leaf");
}

/// A place in a segment, as faults name it.
pub(crate) fn place(at: Position) -> Place {
    Place::byte(format!("journal/{}", segment_name(at.epoch, at.segment)), at.offset)
}

fn of_leaf(at: Position, leaf: &LeafView) -> Place {
    Place {
        record_id: Some(Uuid::from_bytes(leaf.record_id).to_string()),
        decision_id: Some(Uuid::from_bytes(leaf.decision_id).to_string()),
        ..place(at).seq(leaf.seq)
    }
}
