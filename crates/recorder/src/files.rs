//! The ledger's directory: tiles, the checkpoint, and where each leaf stands in the journal.
//! All of it is derived and can be dropped.

use journal::Position;
use ledger::{TileError, TileId, TileSource, TileWrite};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes for each leaf in the file of places.
const PLACE_BYTES: u64 = 16;

/// Directory of one epoch's ledger.
#[derive(Debug, Clone)]
pub struct LedgerFiles {
    dir: PathBuf,
}

impl LedgerFiles {
    /// The files of an epoch below the data directory's `ledger/`.
    pub fn new(ledger: &Path, epoch: u32) -> Self {
        Self { dir: ledger.join(format!("{epoch:08}")) }
    }

    /// The newest signed checkpoint; none before the first.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn checkpoint(&self) -> io::Result<Option<String>> {
        read_if_there(&self.dir.join("checkpoint"))
    }

    /// The public key as a vkey line.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn vkey(&self) -> io::Result<Option<String>> {
        read_if_there(&self.dir.join("vkey"))
    }

    /// Where a leaf's frame stands; none beyond the sealed ones.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn place(&self, leaf: u64) -> io::Result<Option<Position>> {
        Ok(self.places(leaf, 1)?.first().copied())
    }

    /// Where the frames of `count` leaves from `first` on stand, as far as they are sealed.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn places(&self, first: u64, count: u16) -> io::Result<Vec<Position>> {
        let file = match File::open(self.dir.join("leaves")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; usize::from(count) * PLACE_BYTES as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], first * PLACE_BYTES + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(record::read_places(&bytes[..filled - filled % PLACE_BYTES as usize])
            .unwrap_or_default()
            .into_iter()
            .map(|place| Position {
                epoch: place.epoch,
                segment: place.segment,
                offset: place.offset,
            })
            .collect())
    }

    pub(crate) fn create(&self, vkey: &str) -> io::Result<()> {
        fs::create_dir_all(self.dir.join("tile"))?;
        replace(&self.dir.join("vkey"), format!("{vkey}\n").as_bytes(), false)
    }

    pub(crate) fn write_tiles(&self, tiles: &[TileWrite]) -> io::Result<()> {
        for tile in tiles {
            let path = self.dir.join(tile.path());
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            replace(&path, &tile.bytes, false)?;
        }
        Ok(())
    }

    /// Removes the partial tiles in whose place a full one stands now. Before that they stay, as
    /// tlog-tiles demands: somebody may hold the checkpoint that needs them.
    pub(crate) fn remove_partials_of(&self, full: TileId) {
        let mut partials = self.dir.join(full.to_string()).into_os_string();
        partials.push(".p");
        match fs::remove_dir_all(&partials) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(%error, "partial tiles stay beside the full one");
            }
            _ => {}
        }
    }

    pub(crate) fn write_places(&self, first: u64, places: &[Position]) -> io::Result<()> {
        let places: Vec<_> = places
            .iter()
            .map(|place| record::Place {
                epoch: place.epoch,
                segment: place.segment,
                offset: place.offset,
            })
            .collect();
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.dir.join("leaves"))?
            .write_all_at(&record::write_places(&places), first * PLACE_BYTES)
    }

    pub(crate) fn publish(&self, checkpoint: &str) -> io::Result<()> {
        replace(&self.dir.join("checkpoint"), checkpoint.as_bytes(), false)
    }

    /// Size and root up to which all files are known to be on the disk itself.
    pub(crate) fn synced(&self) -> io::Result<Option<String>> {
        read_if_there(&self.dir.join("synced"))
    }

    /// Forces all tiles of a tree of this size to the disk, then says so.
    pub(crate) fn sync(&self, from: u64, checkpoint: &str, size: u64) -> io::Result<()> {
        let first = from >> ledger::TILE_HEIGHT;
        for tile in TileId::all_in_tree(size) {
            let level_first = first >> (ledger::TILE_HEIGHT * u32::from(tile.level()));
            if tile.index() >= level_first {
                File::open(self.dir.join(tile.to_string()))?.sync_data()?;
            }
        }
        match File::open(self.dir.join("leaves")) {
            Ok(file) => file.sync_data()?,
            Err(error) if size == 0 && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        replace(&self.dir.join("synced"), checkpoint.as_bytes(), true)
    }

    pub(crate) fn drop_all(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl TileSource for LedgerFiles {
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, TileError> {
        match fs::read(self.dir.join(tile.to_string())) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TileError::Missing(tile)),
            Err(error) => Err(TileError::Read { tile, reason: error.to_string() }),
        }
    }
}

pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes beside and renames, so that readers see the old or the new file.
pub(crate) fn replace(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let beside = PathBuf::from(name);
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    if durable {
        file.sync_data()?;
    }
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(parent) if durable => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
