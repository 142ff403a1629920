//! c2sp.org/tlog-tiles: coordinates and paths of tiles, and where tiles are read from.

use std::fmt;
use std::str::FromStr;

use crate::hash::{HASH_BYTES, Hash, node_hash};

/// Height of a tile: it spans this many levels of the tree.
pub const TILE_HEIGHT: u32 = 8;
/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;
/// Bytes of a full tile.
pub const TILE_BYTES_MAX: usize = TILE_WIDTH as usize * HASH_BYTES;
/// The largest tree: sizes are signed 64-bit numbers in other implementations.
pub const LOG_SIZE_MAX: u64 = i64::MAX as u64;
/// Levels of tiles that a tree of [`LOG_SIZE_MAX`] leaves has.
pub const TILE_LEVELS: u8 = 8;
/// Longest path that is looked at.
const PATH_BYTES_MAX: usize = 64;

/// One tile of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// One bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    index: u64,
    width: u16,
}

/// What a path below the log's prefix names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceId {
    /// `tile/<L>/<N>[.p/<W>]`
    Tile(TileId),
    /// `tile/entries/<N>[.p/<W>]`
    Bundle(BundleId),
}

/// A path or a coordinate that names no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Not of the form that tlog-tiles describes.
    #[error("not a tile path: ask for tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>]")]
    Malformed,
    /// Well-formed, but no log can have it.
    #[error("no log has a tile there: ask for levels 0 to 7, widths 1 to 256, below 2^63 leaves")]
    OutOfRange,
}

/// Why a tile could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// The source has no such tile.
    #[error("{0} is missing: rebuild the tiles from the leaves")]
    Missing(TileId),
    /// The source could not read it.
    #[error("{tile} cannot be read ({reason}): check the store and its permissions")]
    Read {
        /// Which tile.
        tile: TileId,
        /// What the store said.
        reason: String,
    },
    /// The source returned something of another length.
    #[error("{tile} has {found} bytes instead of {expected}: rebuild the tiles from the leaves")]
    Length {
        /// Which tile.
        tile: TileId,
        /// Bytes that the coordinates ask for.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
}

/// Where tiles are read from: a directory, a cache, another machine.
pub trait TileSource {
    /// The bytes of one tile, exactly `tile.width()` hashes. A source that dropped a partial tile
    /// answers [`TileError::Missing`]; readers here then ask for the full one.
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, TileError>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, TileError> {
        (**self).tile(tile)
    }
}

/// Reads a tile, falls back to the full one, and checks the length.
pub(crate) fn read_tile<S: TileSource + ?Sized>(
    source: &S,
    tile: TileId,
) -> Result<Vec<u8>, TileError> {
    let (bytes, asked) = match source.tile(tile) {
        Err(TileError::Missing(_)) if tile.is_partial() => {
            let full = tile.full();
            (source.tile(full).map_err(|_| TileError::Missing(tile))?, full)
        }
        other => (other?, tile),
    };
    let (expected, found) = (asked.bytes_len(), bytes.len());
    if found != expected {
        return Err(TileError::Length { tile: asked, expected, found });
    }
    let mut bytes = bytes;
    bytes.truncate(tile.bytes_len());
    Ok(bytes)
}

/// The hashes in the bytes of a tile.
pub(crate) fn hashes(bytes: &[u8]) -> impl ExactSizeIterator<Item = Hash> + '_ {
    bytes.as_chunks::<HASH_BYTES>().0.iter().map(|chunk| Hash::new(*chunk))
}

/// The root over up to 256 hashes whose count is a power of two.
pub(crate) fn perfect_root(bytes: &[u8]) -> Hash {
    let mut nodes = [Hash::default(); TILE_WIDTH as usize];
    let mut count = 0;
    for (node, hash) in nodes.iter_mut().zip(hashes(bytes)) {
        *node = hash;
        count += 1;
    }
    while count > 1 {
        count /= 2;
        for i in 0..count {
            nodes[i] = node_hash(&nodes[2 * i], &nodes[2 * i + 1]);
        }
    }
    nodes[0]
}

// === impl TileError ===

impl TileError {
    /// Which tile it is about.
    pub fn tile(&self) -> TileId {
        match self {
            Self::Missing(tile) | Self::Read { tile, .. } | Self::Length { tile, .. } => *tile,
        }
    }
}

// === impl TileId ===

impl TileId {
    /// A tile by its coordinates; a width of 256 is the full tile.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, PathError> {
        let tile = Self { level, index, width };
        let in_range = level < TILE_LEVELS
            && (1..=TILE_WIDTH).contains(&width)
            && tile.end_leaf_wide() <= u128::from(LOG_SIZE_MAX);
        if in_range { Ok(tile) } else { Err(PathError::OutOfRange) }
    }

    /// The tile at these coordinates as a tree of `size` leaves has it, if it has one.
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        if level >= TILE_LEVELS || size > LOG_SIZE_MAX {
            return None;
        }
        let hashes = size >> (TILE_HEIGHT * u32::from(level));
        let before = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(before)?.min(u64::from(TILE_WIDTH));
        Self::new(level, index, width as u16).ok()
    }

    /// All tiles that a tree of `size` leaves consists of, level by level.
    pub fn all_in_tree(size: u64) -> impl Iterator<Item = Self> {
        (0..TILE_LEVELS).flat_map(move |level| {
            let hashes = size >> (TILE_HEIGHT * u32::from(level));
            (0..hashes.div_ceil(u64::from(TILE_WIDTH)))
                .filter_map(move |index| Self::in_tree(level, index, size))
        })
    }

    /// Its level: 0 holds leaf hashes.
    pub fn level(self) -> u8 {
        self.level
    }

    /// Its index within the level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes it holds, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// How many bytes it has.
    pub fn bytes_len(self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// Whether it holds fewer than 256 hashes.
    pub fn is_partial(self) -> bool {
        self.width < TILE_WIDTH
    }

    /// The full tile at the same place.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// The first leaf below the hash at `offset`, and how many leaves that hash covers.
    pub fn leaves_at(self, offset: u16) -> (u64, u64) {
        let shift = TILE_HEIGHT * u32::from(self.level);
        let hash = self.index.saturating_mul(u64::from(TILE_WIDTH)) + u64::from(offset);
        (hash.saturating_mul(1 << shift), 1 << shift)
    }

    fn end_leaf_wide(self) -> u128 {
        let hashes = u128::from(self.index) * u128::from(TILE_WIDTH) + u128::from(self.width);
        hashes << (TILE_HEIGHT * u32::from(self.level))
    }
}

impl fmt::Display for TileId {
    /// Its path below the log's prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index, self.width)
    }
}

// === impl BundleId ===

impl BundleId {
    /// A bundle by its coordinates; a width of 256 is the full bundle.
    pub fn new(index: u64, width: u16) -> Result<Self, PathError> {
        TileId::new(0, index, width).map(Self::from)
    }

    /// The bundle at this index as a log of `size` leaves has it, if it has one.
    pub fn in_tree(index: u64, size: u64) -> Option<Self> {
        TileId::in_tree(0, index, size).map(Self::from)
    }

    /// Its index.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many entries it holds, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// The number of its first leaf.
    pub fn first_leaf(self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// Whether it holds fewer than 256 entries.
    pub fn is_partial(self) -> bool {
        self.width < TILE_WIDTH
    }

    /// The full bundle at the same place.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }
}

impl From<TileId> for BundleId {
    fn from(tile: TileId) -> Self {
        Self { index: tile.index, width: tile.width }
    }
}

impl fmt::Display for BundleId {
    /// Its path below the log's prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_index(f, self.index, self.width)
    }
}

// === impl ResourceId ===

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tile(tile) => tile.fmt(f),
            Self::Bundle(bundle) => bundle.fmt(f),
        }
    }
}

impl FromStr for ResourceId {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        if path.len() > PATH_BYTES_MAX {
            return Err(PathError::Malformed);
        }
        let rest = path.strip_prefix("tile/").ok_or(PathError::Malformed)?;
        let (level, rest) = rest.split_once('/').ok_or(PathError::Malformed)?;
        let (index, width) = parse_index(rest)?;
        if level == "entries" {
            return BundleId::new(index, width).map(Self::Bundle);
        }
        let level = parse_number(level, 2)?;
        TileId::new(u8::try_from(level).map_err(|_| PathError::OutOfRange)?, index, width)
            .map(Self::Tile)
    }
}

/// `x001/x234/067`, with `.p/<W>` where the width is below 256.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut divisor = 1_u64;
    while index / divisor >= 1000 {
        divisor *= 1000;
    }
    while divisor > 1 {
        write!(f, "x{:03}/", index / divisor % 1000)?;
        divisor /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

fn parse_index(text: &str) -> Result<(u64, u16), PathError> {
    let (groups, width) = match text.split_once(".p/") {
        None => (text, TILE_WIDTH),
        Some((groups, width)) => match parse_number(width, 3)? {
            width @ 1..=255 => (groups, width as u16),
            _ => return Err(PathError::Malformed),
        },
    };
    let mut index = 0_u64;
    let mut groups = groups.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let digits = match (group.strip_prefix('x'), groups.peek()) {
            // A leading x000 would be a second name for the same tile.
            (Some(digits), Some(_)) if !(first && digits == "000") => digits,
            (None, None) => group,
            _ => return Err(PathError::Malformed),
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PathError::Malformed);
        }
        let number: u64 = digits.parse().map_err(|_| PathError::Malformed)?;
        index = index
            .checked_mul(1000)
            .and_then(|index| index.checked_add(number))
            .ok_or(PathError::OutOfRange)?;
        first = false;
    }
    Ok((index, width))
}

/// A decimal number without sign or leading zeros, of at most so many digits.
fn parse_number(text: &str, digits_max: usize) -> Result<u64, PathError> {
    let canonical = !text.is_empty()
        && text.len() <= digits_max
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if !canonical {
        return Err(PathError::Malformed);
    }
    text.parse().map_err(|_| PathError::OutOfRange)
}
