//! Inclusion and consistency proofs: made from tiles (RFC 6962 section 2.1.1 and 2.1.2), verified
//! without them (RFC 9162 section 2.1.3.2 and 2.1.4.2).

use std::cell::RefCell;
use std::collections::HashMap;

use crate::hash::{EMPTY_ROOT, HASH_BYTES, Hash, node_hash};
use crate::tile::{
    LOG_SIZE_MAX, TILE_HEIGHT, TILE_WIDTH, TileError, TileId, TileSource, perfect_root, read_tile,
};

/// Most hashes that a proof can have.
pub const PROOF_HASHES_MAX: usize = 64;
/// Tiles that a prover keeps between proofs; 8 KiB each.
const CACHED_TILES_MAX: usize = 256;

/// Makes proofs in the tree of one size. Tiles are read once and kept, up to 2 MiB.
#[derive(Debug)]
pub struct Prover<S> {
    source: S,
    size: u64,
    tiles: RefCell<HashMap<TileId, Vec<u8>>>,
}

/// A proof that could not be made, or that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf is not in the tree.
    #[error("leaf {index} is not in a tree of {size}: wait for a checkpoint that covers it")]
    Index {
        /// Number of the leaf.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The sizes are in the wrong order or too large.
    #[error("no proof leads from size {old} to {new}: give the older checkpoint first")]
    Sizes {
        /// Size of the older tree.
        old: u64,
        /// Size of the newer tree.
        new: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("the proof has the wrong number of hashes: ask for it again with the same sizes")]
    Length,
    /// The proof leads to another root.
    #[error("the proof does not lead to the root: do not trust what it should prove")]
    Root,
    /// A tile that is needed cannot be used.
    #[error(transparent)]
    Tile(#[from] TileError),
}

// === impl Prover ===

impl<S: TileSource> Prover<S> {
    /// For the tree of `size` leaves, whose tiles `source` has.
    pub fn new(source: S, size: u64) -> Result<Self, ProofError> {
        if size > LOG_SIZE_MAX {
            return Err(ProofError::Sizes { old: 0, new: size });
        }
        Ok(Self { source, size, tiles: RefCell::default() })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root that the tiles lead to.
    pub fn root(&self) -> Result<Hash, ProofError> {
        if self.size == 0 { Ok(EMPTY_ROOT) } else { self.range(0, self.size) }
    }

    /// The leaf hash that the tiles hold.
    pub fn leaf_hash(&self, index: u64) -> Result<Hash, ProofError> {
        if index >= self.size {
            return Err(ProofError::Index { index, size: self.size });
        }
        self.node(0, index)
    }

    /// The audit path of a leaf, from its sibling up.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, ProofError> {
        if index >= self.size {
            return Err(ProofError::Index { index, size: self.size });
        }
        let (mut low, mut high) = (0, self.size);
        let mut path = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                path.push(self.range(middle, high)?);
                high = middle;
            } else {
                path.push(self.range(low, middle)?);
                low = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of `old` leaves is a prefix of this one.
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, ProofError> {
        if old > self.size {
            return Err(ProofError::Sizes { old, new: self.size });
        }
        let (mut low, mut high) = (0, self.size);
        let mut path = Vec::new();
        if old == 0 || old == self.size {
            return Ok(path);
        }
        while old != high {
            let middle = low + split(high - low);
            if old <= middle {
                path.push(self.range(middle, high)?);
                high = middle;
            } else {
                path.push(self.range(low, middle)?);
                low = middle;
            }
        }
        // RFC 6962: the old tree's own root is left out where it is a subtree of the new one.
        if low > 0 {
            path.push(self.range(low, high)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The hash over leaves `low..high`, where `low` is where RFC 6962 would split.
    fn range(&self, low: u64, high: u64) -> Result<Hash, ProofError> {
        let mut right = high;
        let mut hash: Option<Hash> = None;
        // The perfect subtrees from the right; their sizes are the bits of the length.
        while right > low {
            let level = (right - low).trailing_zeros();
            let left = self.node(level, (right >> level) - 1)?;
            hash = Some(hash.map_or(left, |hash| node_hash(&left, &hash)));
            right -= 1 << level;
        }
        Ok(hash.unwrap_or(EMPTY_ROOT))
    }

    /// The root of the perfect subtree of `2^level` leaves with this index.
    fn node(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let (tile_level, within) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let first = index << within;
        let width = u64::from(TILE_WIDTH);
        let tile = TileId::in_tree(tile_level as u8, first / width, self.size)
            .ok_or(ProofError::Index { index, size: self.size })?;
        let start = (first % width) as usize * HASH_BYTES;
        let end = start + (HASH_BYTES << within);
        let mut tiles = self.tiles.borrow_mut();
        if !tiles.contains_key(&tile) {
            if tiles.len() >= CACHED_TILES_MAX {
                tiles.clear();
            }
            tiles.insert(tile, read_tile(&self.source, tile)?);
        }
        let hashes = tiles.get(&tile).and_then(|bytes| bytes.get(start..end));
        hashes.map(perfect_root).ok_or(ProofError::Index { index, size: self.size })
    }
}

/// The audit path of leaf `index` in the tree of `size` leaves.
pub fn inclusion_proof<S: TileSource>(
    source: S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError> {
    Prover::new(source, size)?.inclusion(index)
}

/// The proof that the tree of `old` leaves is a prefix of the tree of `new`.
pub fn consistency_proof<S: TileSource>(
    source: S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProofError> {
    Prover::new(source, new)?.consistency(old)
}

/// Verifies that the leaf with this hash is number `index` of the tree (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size || size > LOG_SIZE_MAX {
        return Err(ProofError::Index { index, size });
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf_hash);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // The rightmost node has no sibling on the levels where it is a left child.
            skip_left(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Verifies that the old tree is a prefix of the new one (RFC 9162, 2.1.4.2). The empty tree is
/// a prefix of every tree.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new || new > LOG_SIZE_MAX {
        return Err(ProofError::Sizes { old, new });
    }
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(ProofError::Length);
        }
        let expected = if old == new { new_root } else { &EMPTY_ROOT };
        let empty_is_empty = new > 0 || *new_root == EMPTY_ROOT;
        return if old_root == expected && empty_is_empty { Ok(()) } else { Err(ProofError::Root) };
    }
    let (mut node, mut last) = (old - 1, new - 1);
    let shift = node.trailing_ones();
    (node, last) = (node >> shift, last >> shift);
    // Where the old tree is a perfect subtree, its root is not in the proof.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Length)?
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(hash, &old_hash);
            new_hash = node_hash(hash, &new_hash);
            skip_left(&mut node, &mut last);
        } else {
            new_hash = node_hash(&new_hash, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if old_hash == *old_root && new_hash == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// Goes up to the level on which the node is a right child, or to the root.
fn skip_left(node: &mut u64, last: &mut u64) {
    let levels = if *node == 0 { 0 } else { node.trailing_zeros() };
    (*node, *last) = (*node >> levels, *last >> levels);
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
