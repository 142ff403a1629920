//! What can be wrong with a log, and where.

use crate::bundle::BundleError;
use crate::checkpoint::CheckpointError;
use crate::hash::Hash;
use crate::tile::{BundleId, TileError, TileId};

/// One thing that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The checkpoint cannot be read, or no trusted key signed it.
    #[error("checkpoint: {error}")]
    Checkpoint {
        /// Why.
        error: CheckpointError,
    },
    /// A retained checkpoint cannot be read, or no trusted key signed it: the log has another
    /// key now, or the copy is damaged.
    #[error("retained checkpoint {name}: {error}")]
    Retained {
        /// Which.
        name: String,
        /// Why.
        error: CheckpointError,
    },
    /// A retained checkpoint is another log's.
    #[error("retained checkpoint {name} is of {found}, not of {expected}: give this log's")]
    RetainedOrigin {
        /// Which.
        name: String,
        /// Its origin.
        found: String,
        /// This log's origin.
        expected: String,
    },
    /// The log is shorter than it once was.
    #[error(
        "the log ends at {size} leaves, retained checkpoint {name} signed {retained}: \
         leaves {size} to {last} were removed", last = retained.saturating_sub(1)
    )]
    Truncated {
        /// The retained checkpoint.
        name: String,
        /// Leaves that the log has.
        size: u64,
        /// Leaves that it had.
        retained: u64,
    },
    /// The log is not the one that a retained checkpoint signed.
    #[error(
        "the first {size} leaves have root {computed}, retained checkpoint {name} signed \
         {signed}: the log was rewritten"
    )]
    Rewritten {
        /// The retained checkpoint.
        name: String,
        /// Its size.
        size: u64,
        /// Its root.
        signed: Hash,
        /// The root of as many leaves now.
        computed: Hash,
    },
    /// The leaves lead to another root than the checkpoint's.
    #[error(
        "the {size} leaves have root {computed}, the checkpoint signed {signed}: a leaf was changed, removed, added or moved"
    )]
    Root {
        /// Size of the checkpoint.
        size: u64,
        /// Its root.
        signed: Hash,
        /// The root of the leaves.
        computed: Hash,
    },
    /// The leaves end before the checkpoint's size.
    #[error("the checkpoint signed {expected} leaves, there are {found}: leaf {found} is missing")]
    LeavesMissing {
        /// Size of the checkpoint.
        expected: u64,
        /// Leaves found.
        found: u64,
    },
    /// A leaf cannot be read.
    #[error("leaf {leaf} cannot be read: {reason}")]
    Leaf {
        /// Its number.
        leaf: u64,
        /// Why.
        reason: String,
    },
    /// A leaf is longer than a log can serve.
    #[error("leaf {leaf} has {bytes} bytes, over the 65535 that an entry can have")]
    LeafTooLarge {
        /// Its number.
        leaf: u64,
        /// Its length.
        bytes: usize,
    },
    /// An entry bundle cannot be read.
    #[error("{bundle}: {error}")]
    Bundle {
        /// Which.
        bundle: BundleId,
        /// Why.
        error: BundleError,
    },
    /// A tile cannot be read.
    #[error("{error}")]
    Tile {
        /// The first leaf below it.
        first_leaf: u64,
        /// Which tile, and why.
        error: TileError,
    },
    /// A hash in a tile is not the one that the leaves lead to. If the leaves have the signed
    /// root, the tile was changed; else a leaf below this hash was (and the tile may be right).
    #[error(
        "{tile} holds {stored} at {offset}, the leaves {first_leaf} to {last} give {computed}",
        last = first_leaf.saturating_add(leaves.saturating_sub(1))
    )]
    TileHash {
        /// Which tile.
        tile: TileId,
        /// Which of its hashes.
        offset: u16,
        /// The first leaf below that hash.
        first_leaf: u64,
        /// How many leaves are below it.
        leaves: u64,
        /// What the tile says.
        stored: Hash,
        /// What the leaves give.
        computed: Hash,
    },
}

// === impl Fault ===

impl Fault {
    /// The tile that it was found in.
    pub fn tile(&self) -> Option<TileId> {
        match self {
            Self::TileHash { tile, .. } => Some(*tile),
            Self::Tile { error, .. } => Some(error.tile()),
            _ => None,
        }
    }

    /// The leaf, or the first of the leaves, that it is about.
    pub fn leaf(&self) -> Option<u64> {
        match self {
            Self::Leaf { leaf, .. } | Self::LeafTooLarge { leaf, .. } => Some(*leaf),
            Self::LeavesMissing { found, .. } => Some(*found),
            Self::Bundle { bundle, .. } => Some(bundle.first_leaf()),
            Self::Tile { first_leaf, .. } | Self::TileHash { first_leaf, .. } => Some(*first_leaf),
            Self::Truncated { size, .. } => Some(*size),
            _ => None,
        }
    }

    /// Where it is: a path below the log's prefix, a leaf or a checkpoint.
    pub fn place(&self) -> String {
        match self {
            Self::Checkpoint { .. } | Self::Root { .. } => "checkpoint".to_owned(),
            Self::Retained { name, .. }
            | Self::RetainedOrigin { name, .. }
            | Self::Truncated { name, .. }
            | Self::Rewritten { name, .. } => name.clone(),
            Self::LeavesMissing { found: leaf, .. }
            | Self::Leaf { leaf, .. }
            | Self::LeafTooLarge { leaf, .. } => format!("leaf {leaf}"),
            Self::Bundle { bundle, .. } => bundle.to_string(),
            Self::Tile { error, .. } => error.tile().to_string(),
            Self::TileHash { tile, .. } => tile.to_string(),
        }
    }
}
