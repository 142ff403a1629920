//! The tile files of one log, every one of them, against the recomputed tree.

use crate::report::{FaultKind, Place, Report};
use ledger::{HASH_BYTES, ResourceId, TILE_BYTES_MAX, TILE_WIDTH, TileId, TileWrite};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Directories below `tile/` nest this deep at most: level, six groups of digits, widths.
const DEPTH_MAX: usize = 10;

/// The tiles of one log's directory.
#[derive(Debug)]
pub(crate) struct Tiles {
    dir: PathBuf,
    relative: String,
    live: bool,
    /// Widths of the files at each level and index, as listed at the start.
    listed: BTreeMap<(u8, u64), Vec<u16>>,
}

// === impl Tiles ===

impl Tiles {
    /// Lists what is there.
    pub(crate) fn list(dir: &Path, relative: &str, live: bool, report: &mut Report) -> Self {
        let mut tiles = Self {
            dir: dir.to_owned(),
            relative: relative.to_owned(),
            live,
            listed: BTreeMap::new(),
        };
        tiles.list_below("tile", 0, report);
        tiles
    }

    fn place(&self, path: &str) -> Place {
        Place::file(format!("{}/{path}", self.relative))
    }

    fn list_below(&mut self, path: &str, depth: usize, report: &mut Report) {
        let entries = match fs::read_dir(self.dir.join(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                return report.fault(FaultKind::Tile, self.place(path), error.to_string());
            }
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let below = format!("{path}/{}", name.to_string_lossy());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth < DEPTH_MAX {
                self.list_below(&below, depth + 1, report);
                continue;
            }
            match below.parse() {
                Ok(ResourceId::Tile(tile)) => {
                    self.listed.entry((tile.level(), tile.index())).or_default().push(tile.width());
                }
                // A write that a crash cut off; nobody is served such a file.
                Err(_) if Path::new(&below).extension().is_some_and(|end| end == "tmp") => {}
                Ok(ResourceId::Bundle(_)) | Err(_) => report.fault(
                    FaultKind::TileStray,
                    self.place(&below),
                    "this file is no tile: entries are served from the journal; remove it",
                ),
            }
        }
    }

    /// Compares all files at the place of a recomputed tile, which may be incomplete. Those that
    /// a checkpoint of `sealed` leaves needs must be there.
    pub(crate) fn compare(&mut self, tile: &TileWrite, sealed: u64, report: &mut Report) {
        let (level, index) = (tile.id.level(), tile.id.index());
        let needed = TileId::in_tree(level, index, sealed);
        let mut widths = self.listed.remove(&(level, index)).unwrap_or_default();
        // While a server runs, what was listed may have been replaced by a wider tile.
        widths.extend(needed.map(TileId::width));
        widths.push(TILE_WIDTH);
        widths.sort_unstable();
        widths.dedup();
        let mut found_needed = false;
        for width in widths {
            let Ok(id) = TileId::new(level, index, width) else { continue };
            match self.read(id) {
                Ok(Some(bytes)) => {
                    report.tiles += 1;
                    found_needed |= needed.is_some_and(|needed| {
                        id == needed || !id.is_partial() || (self.live && width >= needed.width())
                    });
                    self.differs(id, &bytes, tile, report);
                }
                Ok(None) => {}
                Err(error) => {
                    report.fault(FaultKind::Tile, self.place(&id.to_string()), error.to_string());
                }
            }
        }
        if let Some(needed) = needed.filter(|_| !found_needed) {
            report.fault(
                FaultKind::TileMissing,
                self.place(&needed.to_string()),
                "the tile is missing: it is made again when the server starts without this directory",
            );
        }
    }

    fn differs(&self, id: TileId, bytes: &[u8], tile: &TileWrite, report: &mut Report) {
        let place = self.place(&id.to_string());
        if bytes.len() != id.bytes_len() {
            return report.fault(
                FaultKind::Tile,
                place,
                format!("the tile has {} bytes instead of {}", bytes.len(), id.bytes_len()),
            );
        }
        if id.width() > tile.id.width() && !self.live {
            report.fault(
                FaultKind::TileStray,
                place.clone(),
                "the tile holds more leaves than the journal: the newest records were removed, \
                 or the tile was made up",
            );
        }
        let known = tile.bytes.len().min(bytes.len());
        let (as_found, as_computed) = (&bytes[..known], &tile.bytes[..known]);
        if let Some(at) = as_found.iter().zip(as_computed).position(|(a, b)| a != b) {
            let (first, count) = id.leaves_at((at / HASH_BYTES) as u16);
            report.fault(
                FaultKind::Tile,
                Place { offset: Some(at as u64), ..place },
                format!(
                    "the tile differs from the journal's records {first} to {}",
                    first.saturating_add(count - 1),
                ),
            );
        }
    }

    fn read(&self, id: TileId) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.dir.join(id.to_string())) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::with_capacity(id.bytes_len() + 1);
        file.take(TILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// What is left over lies beyond the journal's leaves.
    pub(crate) fn finish(&self, leaves: u64, report: &mut Report) {
        if self.live {
            return;
        }
        for ((level, index), widths) in &self.listed {
            for id in widths.iter().filter_map(|width| TileId::new(*level, *index, *width).ok()) {
                report.fault(
                    FaultKind::TileStray,
                    self.place(&id.to_string()),
                    format!("the tile lies beyond the journal's {leaves} records"),
                );
            }
        }
    }
}
