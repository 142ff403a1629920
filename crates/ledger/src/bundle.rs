//! c2sp.org/tlog-tiles, "Log entries": bundles of up to 256 entries.

use crate::tile::{BundleId, TILE_WIDTH};

/// Bytes that one entry may have: its length is a big-endian u16.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;
/// Bytes that one bundle may have.
pub const BUNDLE_BYTES_MAX: usize = TILE_WIDTH as usize * (2 + ENTRY_BYTES_MAX);

/// A bundle that cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// One entry is longer than its length prefix can say.
    #[error("entry {entry} has {bytes} bytes: split it, {ENTRY_BYTES_MAX} is the most")]
    EntryTooLarge {
        /// Its place in the bundle.
        entry: usize,
        /// Its length.
        bytes: usize,
    },
    /// More entries than a bundle holds, or none.
    #[error("a bundle of {0} entries: give 1 to 256")]
    Count(usize),
    /// The bytes end inside an entry.
    #[error("entry {entry} of the bundle is cut off: get the bundle again from the log")]
    Truncated {
        /// Its place in the bundle.
        entry: usize,
    },
    /// Fewer or more entries than the width says.
    #[error("the bundle holds {found} entries, its width says {expected}: get it again")]
    Width {
        /// What the path says.
        expected: u16,
        /// What the bytes hold (at least).
        found: usize,
    },
    /// The source has no such bundle.
    #[error("{0} is missing: get it from the log or from a copy")]
    Missing(BundleId),
    /// The source could not read it.
    #[error("{bundle} cannot be read ({reason}): check the store and its permissions")]
    Read {
        /// Which bundle.
        bundle: BundleId,
        /// What the store said.
        reason: String,
    },
}

/// Where entry bundles are read from.
pub trait BundleSource {
    /// The bytes of one bundle. A source that dropped a partial bundle answers
    /// [`BundleError::Missing`]; readers here then ask for the full one.
    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, BundleError>;
}

impl<S: BundleSource + ?Sized> BundleSource for &S {
    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, BundleError> {
        (**self).bundle(bundle)
    }
}

/// Reads a bundle, or the full one if the partial one is gone; yields its width, too.
pub(crate) fn read_bundle<S: BundleSource + ?Sized>(
    source: &S,
    bundle: BundleId,
) -> Result<(Vec<u8>, u16), BundleError> {
    match source.bundle(bundle) {
        Err(BundleError::Missing(_)) if bundle.is_partial() => {
            let bytes = source.bundle(bundle.full()).map_err(|_| BundleError::Missing(bundle))?;
            Ok((bytes, TILE_WIDTH))
        }
        other => Ok((other?, bundle.width())),
    }
}

/// Writes entries in their order as one bundle.
pub fn encode_bundle<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, BundleError> {
    if entries.is_empty() || entries.len() > usize::from(TILE_WIDTH) {
        return Err(BundleError::Count(entries.len()));
    }
    let mut out = Vec::with_capacity(entries.iter().map(|entry| 2 + entry.as_ref().len()).sum());
    for (number, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len())
            .map_err(|_| BundleError::EntryTooLarge { entry: number, bytes: entry.len() })?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// Reads the entries of a bundle of exactly `width` entries.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    if width == 0 || width > TILE_WIDTH {
        return Err(BundleError::Count(usize::from(width)));
    }
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    while !rest.is_empty() {
        if entries.len() == usize::from(width) {
            return Err(BundleError::Width { expected: width, found: entries.len() + 1 });
        }
        let truncated = || BundleError::Truncated { entry: entries.len() };
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or_else(truncated)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() == usize::from(width) {
        Ok(entries)
    } else {
        Err(BundleError::Width { expected: width, found: entries.len() })
    }
}
