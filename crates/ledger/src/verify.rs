//! Verifies a whole log: recomputes it from its leaves to the root, and compares every tile.
//!
//! A reader that only follows hashes from the root down to one entry, or that checks a tile by
//! another tile, can be shown a valid entry under a forged tile (CVE-2026-56865). So each hash of
//! each tile is compared here with one computed from the leaves, and the last word has the signed
//! root. What one checkpoint cannot show, a rewritten or shortened log signed by the right key,
//! older checkpoints that were kept elsewhere show.

use std::collections::BTreeMap;

use crate::bundle::{BundleSource, ENTRY_BYTES_MAX, decode_bundle, read_bundle};
use crate::checkpoint::{Checkpoint, SignedCheckpoint, TrustedKeys};
use crate::fault::Fault;
use crate::hash::{EMPTY_ROOT, HASH_BYTES, Hash, leaf_hash};
use crate::key::VerifiedSignature;
use crate::tile::{BundleId, TILE_WIDTH, TileError, TileId, TileSource, hashes, read_tile};
use crate::tree::{Builder, TileWrite};

/// Faults that a report lists; further ones are counted.
pub const FAULTS_MAX: usize = 1_000;

/// Verifies one log leaf by leaf, in constant memory.
#[derive(Debug)]
pub struct LogVerifier<'k, S> {
    tiles: S,
    keys: &'k TrustedKeys,
    builder: Builder,
    /// Checkpoints to meet on the way, by size.
    retained: BTreeMap<u64, Vec<(String, Hash)>>,
    /// Further tiles that the store holds, by level and index.
    stored: BTreeMap<(u8, u64), Vec<u16>>,
    /// A leaf is unknown and its tile, too: roots above it cannot be computed.
    blind: bool,
    report: Report,
}

/// What was verified, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The checkpoint, if it could be read (trusted only if there are no faults).
    pub checkpoint: Option<Checkpoint>,
    /// Verified signatures on it.
    pub signatures: Vec<VerifiedSignature>,
    /// Leaves hashed.
    pub leaves: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// Tiles of the store that lie wholly beyond the checkpoint, so were not compared.
    pub tiles_beyond: u64,
    /// Older checkpoints that the log was compared with.
    pub retained: u64,
    /// What is wrong, in the order found; at most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// How many further faults were found.
    pub faults_left_out: u64,
}

/// An older checkpoint that was kept where the log's operator cannot change it.
#[derive(Debug, Clone, Copy)]
pub struct Retained<'a> {
    /// What to call it in faults, such as its file name.
    pub name: &'a str,
    /// The signed note.
    pub bytes: &'a [u8],
}

/// Verifies a log: its checkpoint, `leaves` from number 0 on, all tiles, and that it continues
/// every retained checkpoint. Leaves beyond the checkpoint are not read.
pub fn verify_log<S, L, E>(
    checkpoint: &[u8],
    keys: &TrustedKeys,
    leaves: impl IntoIterator<Item = Result<L, E>>,
    tiles: S,
    retained: &[Retained<'_>],
) -> Report
where
    S: TileSource,
    L: AsRef<[u8]>,
    E: std::fmt::Display,
{
    let mut verifier = LogVerifier::new(checkpoint, keys, tiles);
    for older in retained {
        verifier.retained(*older);
    }
    let mut leaves = leaves.into_iter();
    while verifier.leaves_wanted() > 0 {
        match leaves.next() {
            Some(Ok(leaf)) => verifier.leaf(leaf.as_ref()),
            Some(Err(error)) => verifier.unreadable_leaf(error.to_string()),
            None => break,
        }
    }
    verifier.finish()
}

// === impl LogVerifier ===

impl<'k, S: TileSource> LogVerifier<'k, S> {
    /// Reads and verifies the checkpoint. With one that cannot be read no leaves are wanted.
    pub fn new(checkpoint: &[u8], keys: &'k TrustedKeys, tiles: S) -> Self {
        let mut report = Report::default();
        match SignedCheckpoint::parse(checkpoint) {
            Err(error) => report.fault(Fault::Checkpoint { error }),
            Ok(signed) => {
                match signed.verify(keys) {
                    Err(error) => report.fault(Fault::Checkpoint { error }),
                    Ok(signatures) => report.signatures = signatures,
                }
                report.checkpoint = Some(signed.checkpoint().clone());
            }
        }
        Self {
            tiles,
            keys,
            builder: Builder::new(),
            retained: BTreeMap::new(),
            stored: BTreeMap::new(),
            blind: false,
            report,
        }
    }

    /// Adds an older checkpoint that this log must continue. Before the first leaf.
    pub fn retained(&mut self, older: Retained<'_>) {
        let Some(checkpoint) = &self.report.checkpoint else { return };
        let name = older.name.to_owned();
        let parsed = SignedCheckpoint::parse(older.bytes);
        let verified = parsed.and_then(|signed| {
            let keys = TrustedKeys { log: self.keys.log.clone(), ..TrustedKeys::default() };
            signed.verify(&keys).map(|_| signed)
        });
        let older = match verified {
            Ok(signed) => signed.checkpoint().clone(),
            Err(error) => return self.report.fault(Fault::Retained { name, error }),
        };
        let (size, origin) = (checkpoint.size, checkpoint.origin.clone());
        if older.origin != origin {
            let found = older.origin;
            return self.report.fault(Fault::RetainedOrigin { name, found, expected: origin });
        }
        if older.size > size {
            let retained = older.size;
            return self.report.fault(Fault::Truncated { name, size, retained });
        }
        self.report.retained += 1;
        // Parsing made sure that size 0 goes with the empty root.
        if older.size > 0 {
            self.retained.entry(older.size).or_default().push((name, older.root));
        }
    }

    /// Names a tile that the store holds, to be compared even if a tree of the checkpoint's size
    /// does not need it (a partial tile of an older checkpoint). Before the first leaf.
    pub fn stored_tile(&mut self, tile: TileId) {
        self.stored.entry((tile.level(), tile.index())).or_default().push(tile.width());
    }

    /// The checkpoint, if it could be read.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.report.checkpoint.as_ref()
    }

    /// How many leaves the checkpoint covers that were not given yet.
    pub fn leaves_wanted(&self) -> u64 {
        self.size().saturating_sub(self.builder.size())
    }

    /// The next leaf. Leaves beyond the checkpoint are passed over.
    pub fn leaf(&mut self, leaf: &[u8]) {
        if self.leaves_wanted() == 0 {
            return;
        }
        if leaf.len() > ENTRY_BYTES_MAX {
            let (leaf, bytes) = (self.builder.size(), leaf.len());
            self.report.fault(Fault::LeafTooLarge { leaf, bytes });
        }
        self.report.leaves += 1;
        self.append(leaf_hash(leaf));
    }

    /// The next leaf cannot be read. Its hash is taken from the tile, so that the rest of the log
    /// can still be verified.
    pub fn unreadable_leaf(&mut self, reason: impl Into<String>) {
        if self.leaves_wanted() > 0 {
            let leaf = self.builder.size();
            self.report.fault(Fault::Leaf { leaf, reason: reason.into() });
            self.stand_in(1);
        }
    }

    /// Takes all remaining leaves from entry bundles.
    pub fn bundles<B: BundleSource + ?Sized>(&mut self, source: &B) {
        while self.leaves_wanted() > 0 {
            let first = self.builder.size();
            let width = u64::from(TILE_WIDTH);
            let Some(bundle) = BundleId::in_tree(first / width, self.size()) else { return };
            let skip = (first % width) as usize;
            let entries = read_bundle(source, bundle).and_then(|(bytes, width)| {
                let entries = decode_bundle(&bytes, width)?;
                for entry in entries.iter().take(usize::from(bundle.width())).skip(skip) {
                    self.leaf(entry);
                }
                Ok(())
            });
            if let Err(error) = entries {
                self.report.fault(Fault::Bundle { bundle, error });
                self.stand_in(usize::from(bundle.width()).saturating_sub(skip));
            }
        }
    }

    /// Compares the tiles at the right edge and the root, and ends.
    pub fn finish(mut self) -> Report {
        let Some(checkpoint) = self.report.checkpoint.clone() else { return self.report };
        for write in self.builder.take_tiles() {
            self.compare(&write);
        }
        let found = self.builder.size();
        if found < checkpoint.size {
            self.report.fault(Fault::LeavesMissing { expected: checkpoint.size, found });
            for (size, older) in std::mem::take(&mut self.retained) {
                let unreached = older.len() as u64;
                // They could not be compared; the missing leaves are the fault.
                self.report.retained -= if size > found { unreached } else { 0 };
            }
        } else if !self.blind && self.builder.root() != checkpoint.root {
            let computed = self.builder.root();
            let (size, signed) = (checkpoint.size, checkpoint.root);
            self.report.fault(Fault::Root { size, signed, computed });
        }
        self.report.tiles_beyond = self.stored.values().map(|widths| widths.len() as u64).sum();
        self.report
    }

    fn size(&self) -> u64 {
        self.report.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size)
    }

    fn append(&mut self, hash: Hash) {
        self.builder.append(hash);
        if self.builder.full_tiles_waiting() > 0 {
            for write in self.builder.take_full_tiles() {
                self.compare(&write);
            }
        }
        let size = self.builder.size();
        if self.retained.first_key_value().is_some_and(|(first, _)| *first == size) {
            let older = self.retained.remove(&size).unwrap_or_default();
            let computed = self.builder.root();
            for (name, signed) in older.into_iter().filter(|(_, root)| *root != computed) {
                if !self.blind {
                    self.report.fault(Fault::Rewritten { name, size, signed, computed });
                }
            }
        }
    }

    /// Appends the tile's hashes for leaves of one bundle that are not known.
    fn stand_in(&mut self, count: usize) {
        let leaf = self.builder.size();
        let width = u64::from(TILE_WIDTH);
        let tile = TileId::in_tree(0, leaf / width, self.size());
        let bytes = tile.and_then(|tile| read_tile(&self.tiles, tile).ok()).unwrap_or_default();
        let mut known = hashes(&bytes).skip((leaf % width) as usize);
        for _ in 0..count {
            let hash = known.next();
            self.blind |= hash.is_none();
            self.append(hash.unwrap_or(EMPTY_ROOT));
        }
    }

    /// Compares computed hashes with the tile that the checkpoint needs, and with all others
    /// that the store has at that place.
    fn compare(&mut self, computed: &TileWrite) {
        let id = computed.id;
        if self.blind && id.level() > 0 {
            return;
        }
        let Some(needed) = TileId::in_tree(id.level(), id.index(), self.size()) else { return };
        let read = read_tile(&self.tiles, needed);
        self.compare_one(needed, &computed.bytes, read);
        for width in self.stored.remove(&(id.level(), id.index())).unwrap_or_default() {
            if let Ok(tile) = TileId::new(id.level(), id.index(), width)
                && tile != needed
            {
                let read = self.tiles.tile(tile).and_then(|bytes| match bytes.len() {
                    found if found == tile.bytes_len() => Ok(bytes),
                    found => Err(TileError::Length { tile, expected: tile.bytes_len(), found }),
                });
                self.compare_one(tile, &computed.bytes, read);
            }
        }
    }

    fn compare_one(&mut self, tile: TileId, computed: &[u8], read: Result<Vec<u8>, TileError>) {
        self.report.tiles += 1;
        let stored = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                let (first_leaf, _) = tile.leaves_at(0);
                return self.report.fault(Fault::Tile { first_leaf, error });
            }
        };
        let common = stored.len().min(computed.len());
        if stored.get(..common) == computed.get(..common) {
            return;
        }
        for (offset, (stored, computed)) in
            (0_u16..).zip(hashes(&stored).zip(hashes(computed))).take(common / HASH_BYTES)
        {
            if stored != computed {
                let (first_leaf, leaves) = tile.leaves_at(offset);
                let fault = Fault::TileHash { tile, offset, first_leaf, leaves, stored, computed };
                self.report.fault(fault);
            }
        }
    }
}

// === impl Report ===

impl Report {
    /// Whether everything that was checked is right.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.faults_left_out == 0 && self.checkpoint.is_some()
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.faults_left_out += 1;
        }
    }
}
