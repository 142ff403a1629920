//! Tiles from the ledger's directory, bundles of leaves from the journal.

use crate::problem::Problem;
use crate::state::Shared;
use ledger::{BundleId, ResourceId, TileError, TileSource, encode_bundle};

/// The bytes of a tile or bundle, by its path.
pub(crate) fn resource(shared: &Shared, path: &str) -> Result<Vec<u8>, Problem> {
    let missing = || Problem::not_found("the log has no such tile");
    let resource: ResourceId = path.parse().map_err(|_| missing())?;
    let size = *shared.parts.sealed.borrow();
    match resource {
        ResourceId::Tile(tile) => {
            let (first, count) = tile.leaves_at(tile.width() - 1);
            if first.saturating_add(count) > size {
                return Err(missing());
            }
            match shared.ledger().tile(tile) {
                Ok(bytes) => Ok(bytes),
                Err(TileError::Missing(_)) => Err(missing()),
                Err(error) => Err(Problem::internal(&error)),
            }
        }
        ResourceId::Bundle(bundle) => {
            let end = bundle.first_leaf().saturating_add(u64::from(bundle.width()));
            if end > size {
                return Err(missing());
            }
            leaves(shared, bundle)
        }
    }
}

fn leaves(shared: &Shared, bundle: BundleId) -> Result<Vec<u8>, Problem> {
    let places = shared.ledger().places(bundle.first_leaf(), bundle.width());
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
