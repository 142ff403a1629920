//! RFC 6962 section 2.1 in steps: a tree that keeps its right edge only, and a builder that
//! yields tiles as well.

use crate::hash::{EMPTY_ROOT, HASH_BYTES, Hash, leaf_hash, node_hash};
use crate::tile::{
    LOG_SIZE_MAX, TILE_BYTES_MAX, TILE_HEIGHT, TILE_LEVELS, TileError, TileId, TileSource, hashes,
    perfect_root, read_tile,
};

/// Levels that a tree of up to 2^63 leaves has.
const LEVELS: usize = 64;

/// A tree as its size and the roots of its perfect subtrees (a compact range). Appending costs
/// one node hash per leaf on average and allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The root of the perfect subtree of `2^i` leaves, where bit `i` of the size is set.
    roots: [Hash; LEVELS],
}

/// Grows a tree and collects the tiles that a log directory needs.
#[derive(Debug, Clone)]
pub struct Builder {
    tree: Tree,
    edges: [Edge; TILE_LEVELS as usize],
    full: Vec<TileWrite>,
}

/// The incomplete tile at the right of one level.
#[derive(Debug, Clone, Default)]
struct Edge {
    index: u64,
    bytes: Vec<u8>,
    /// Hashes of it that were handed out as a partial tile already.
    taken: u16,
}

/// A tile to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileWrite {
    /// Where: `id.to_string()` is the path below the log's prefix.
    pub id: TileId,
    /// What.
    pub bytes: Vec<u8>,
}

/// A tree that could not be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// More leaves than a log can have.
    #[error("a tree of {0} leaves: sizes end at 2^63 - 1, check the checkpoint")]
    Size(u64),
    /// A tile that is needed cannot be used.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// The tiles lead to another root than the one expected.
    #[error(
        "the tiles of size {size} lead to root {computed} instead of {expected}: \
         do not continue this log, verify it against its leaves and rebuild the tiles"
    )]
    Root {
        /// Size of the tree.
        size: u64,
        /// What is known to be right.
        expected: Hash,
        /// What the tiles say.
        computed: Hash,
    },
}

/// The Merkle tree hash over leaf hashes in their order.
pub fn tree_hash(leaf_hashes: &[Hash]) -> Hash {
    match leaf_hashes {
        // Most records have one part: no tree has to be set up for it.
        [only] => *only,
        all => root_of(all.iter().copied()),
    }
}

/// As [`tree_hash`], over an iterator.
pub fn root_of(leaf_hashes: impl IntoIterator<Item = Hash>) -> Hash {
    let mut tree = Tree::new();
    for hash in leaf_hashes {
        tree.append(hash);
    }
    tree.root()
}

// === impl Tree ===

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// The tree without leaves.
    pub const fn new() -> Self {
        Self { size: 0, roots: [Hash::new([0; HASH_BYTES]); LEVELS] }
    }

    /// Takes up a tree of a known size and root. The tiles are not believed: they must lead to
    /// `root`, which has to come from a verified checkpoint.
    pub fn from_tiles<S: TileSource + ?Sized>(
        source: &S,
        size: u64,
        root: &Hash,
    ) -> Result<Self, TreeError> {
        Builder::from_tiles(source, size, root).map(|builder| builder.tree)
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of the next leaf.
    pub fn append(&mut self, leaf_hash: Hash) {
        self.append_with(leaf_hash, |_, _| {});
    }

    /// Hashes and appends the next leaf.
    pub fn append_leaf(&mut self, leaf: &[u8]) {
        self.append(leaf_hash(leaf));
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        self.roots_low_to_high()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or(EMPTY_ROOT)
    }

    /// The roots of the perfect subtrees, the largest (leftmost) first.
    pub fn frontier(&self) -> Vec<Hash> {
        let mut roots: Vec<Hash> = self.roots_low_to_high().collect();
        roots.reverse();
        roots
    }

    fn roots_low_to_high(&self) -> impl Iterator<Item = Hash> + '_ {
        (0..LEVELS).filter(|level| self.size >> level & 1 == 1).map(|level| self.roots[level])
    }

    /// Appends, and reports each perfect subtree that this completes (the leaf itself included).
    fn append_with(&mut self, leaf_hash: Hash, mut completed: impl FnMut(u32, Hash)) {
        let mut hash = leaf_hash;
        let levels = self.size.trailing_ones();
        completed(0, hash);
        for level in 0..levels {
            hash = node_hash(&self.roots[level as usize], &hash);
            completed(level + 1, hash);
        }
        if let Some(root) = self.roots.get_mut(levels as usize) {
            *root = hash;
        }
        self.size = self.size.wrapping_add(1);
    }
}

// === impl Builder ===

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// For a new log.
    pub fn new() -> Self {
        Self { tree: Tree::new(), edges: Default::default(), full: Vec::new() }
    }

    /// Continues a log of a known size and root from its stored tiles. The tiles are not
    /// believed: they must lead to `root`, which has to come from a verified checkpoint.
    pub fn from_tiles<S: TileSource + ?Sized>(
        source: &S,
        size: u64,
        root: &Hash,
    ) -> Result<Self, TreeError> {
        if size > LOG_SIZE_MAX {
            return Err(TreeError::Size(size));
        }
        let mut builder = Self::new();
        builder.tree.size = size;
        for level in 0..TILE_LEVELS {
            let hashes = size >> (TILE_HEIGHT * u32::from(level));
            let Some(edge) = builder.edges.get_mut(usize::from(level)) else { continue };
            edge.index = hashes >> TILE_HEIGHT;
            let Some(tile) = TileId::in_tree(level, edge.index, size).filter(|t| t.is_partial())
            else {
                continue;
            };
            edge.bytes = read_tile(source, tile)?;
            edge.taken = tile.width();
            set_roots(&mut builder.tree, tile, &edge.bytes);
        }
        let computed = builder.tree.root();
        if computed == *root {
            Ok(builder)
        } else {
            Err(TreeError::Root { size, expected: *root, computed })
        }
    }

    /// The tree so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.tree.size
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Appends the hash of the next leaf.
    pub fn append(&mut self, leaf_hash: Hash) {
        let Self { tree, edges, full } = self;
        tree.append_with(leaf_hash, |level, hash| {
            if level % TILE_HEIGHT == 0
                && let Some(edge) = edges.get_mut((level / TILE_HEIGHT) as usize)
            {
                full.extend(edge.push(level / TILE_HEIGHT, &hash));
            }
        });
    }

    /// Hashes and appends the next leaf.
    pub fn append_leaf(&mut self, leaf: &[u8]) {
        self.append(leaf_hash(leaf));
    }

    /// How many full tiles wait to be taken; 8 KiB each.
    pub fn full_tiles_waiting(&self) -> usize {
        self.full.len()
    }

    /// Takes the tiles that became full since the last call. Enough while leaves are added
    /// without a checkpoint.
    pub fn take_full_tiles(&mut self) -> Vec<TileWrite> {
        std::mem::take(&mut self.full)
    }

    /// Takes all tiles that a checkpoint of the current size needs and that were not taken yet:
    /// the full ones, then the partial ones that grew. Store them before the checkpoint.
    pub fn take_tiles(&mut self) -> Vec<TileWrite> {
        let mut writes = self.take_full_tiles();
        for (level, edge) in (0_u8..).zip(&mut self.edges) {
            let width = (edge.bytes.len() / HASH_BYTES) as u16;
            if width == edge.taken {
                continue;
            }
            if let Ok(id) = TileId::new(level, edge.index, width) {
                writes.push(TileWrite { id, bytes: edge.bytes.clone() });
                edge.taken = width;
            }
        }
        writes
    }
}

/// The perfect subtrees of at most 128 hashes at the right edge of one level.
fn set_roots(tree: &mut Tree, tile: TileId, bytes: &[u8]) {
    let mut rest = bytes;
    for bit in (0..TILE_HEIGHT).rev().filter(|bit| tile.width() >> bit & 1 == 1) {
        let (subtree, after) = rest.split_at(rest.len().min(HASH_BYTES << bit));
        let level = u32::from(tile.level()) * TILE_HEIGHT + bit;
        if let Some(root) = tree.roots.get_mut(level as usize) {
            *root = perfect_root(subtree);
        }
        rest = after;
    }
}

// === impl Edge ===

impl Edge {
    fn push(&mut self, level: u32, hash: &Hash) -> Option<TileWrite> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(TILE_BYTES_MAX);
        }
        self.bytes.extend_from_slice(hash.as_bytes());
        if self.bytes.len() < TILE_BYTES_MAX {
            return None;
        }
        let id = TileId::new(level as u8, self.index, crate::tile::TILE_WIDTH).ok()?;
        let next = Self { index: self.index + 1, ..Self::default() };
        Some(TileWrite { id, bytes: std::mem::replace(self, next).bytes })
    }
}

// === impl TileWrite ===

impl TileWrite {
    /// The path below the log's prefix.
    pub fn path(&self) -> String {
        self.id.to_string()
    }

    /// The hashes in it.
    pub fn hashes(&self) -> impl ExactSizeIterator<Item = Hash> + '_ {
        hashes(&self.bytes)
    }
}
