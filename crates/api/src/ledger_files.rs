//! Tiles from the ledger's directory, bundles of leaves from the journal.

use crate::problem::Problem;
use crate::state::Shared;
use ledger::{BundleId, ResourceId, SignedCheckpoint, TileError, TileSource, encode_bundle};
use recorder::LedgerFiles;

/// The log of one epoch.
pub(crate) struct Log {
    pub files: LedgerFiles,
    /// Leaves that its newest checkpoint covers.
    pub size: u64,
}

impl Log {
    /// The log of an epoch, which may be the one that is being written. Reads files.
    pub(crate) fn of_epoch(shared: &Shared, epoch: u32) -> Result<Self, Problem> {
        if epoch == shared.epoch() {
            return Ok(Self::current(shared));
        }
        let files = LedgerFiles::new(&shared.parts.data.join("ledger"), epoch);
        let text = files.checkpoint().map_err(|error| Problem::internal(&error))?;
        let text = text.ok_or_else(|| Problem::not_found("there is no log of this epoch"))?;
        let signed = SignedCheckpoint::parse(text.as_bytes());
        let size = signed.map_err(|error| Problem::internal(&error))?.checkpoint().size;
        Ok(Self { files, size })
    }

    /// The log of the epoch with this number.
    pub(crate) fn named(shared: &Shared, epoch: &str) -> Result<Self, Problem> {
        let epoch = epoch.parse().map_err(|_| Problem::not_found("an epoch is a number"))?;
        Self::of_epoch(shared, epoch)
    }

    /// The log that is being written.
    pub(crate) fn current(shared: &Shared) -> Self {
        let files = LedgerFiles::new(&shared.parts.data.join("ledger"), shared.epoch());
        Self { files, size: *shared.parts.sealed.borrow() }
    }

    /// The bytes of a tile or bundle, by its path.
    pub(crate) fn resource(&self, shared: &Shared, path: &str) -> Result<Vec<u8>, Problem> {
        let missing = || Problem::not_found("the log has no such tile");
        let resource: ResourceId = path.parse().map_err(|_| missing())?;
        match resource {
            ResourceId::Tile(tile) => {
                let (first, count) = tile.leaves_at(tile.width() - 1);
                if first.saturating_add(count) > self.size {
                    return Err(missing());
                }
                match self.files.tile(tile) {
                    Ok(bytes) => Ok(bytes),
                    Err(TileError::Missing(_)) => Err(missing()),
                    Err(error) => Err(Problem::internal(&error)),
                }
            }
            ResourceId::Bundle(bundle) => {
                let end = bundle.first_leaf().saturating_add(u64::from(bundle.width()));
                if end > self.size {
                    return Err(missing());
                }
                self.leaves(shared, bundle)
            }
        }
    }

    fn leaves(&self, shared: &Shared, bundle: BundleId) -> Result<Vec<u8>, Problem> {
        let places = self.files.places(bundle.first_leaf(), bundle.width());
        let places = places.map_err(|error| Problem::internal(&error))?;
        if places.len() != usize::from(bundle.width()) {
            return Err(Problem::internal(&"the ledger's list of leaves is too short"));
        }
        let mut entries = Vec::with_capacity(places.len());
        for place in places {
            let frame = shared.leaves.read(place).map_err(|error| Problem::internal(&error))?;
            entries.push(frame.payload);
        }
        encode_bundle(&entries).map_err(|error| Problem::internal(&error))
    }
}
