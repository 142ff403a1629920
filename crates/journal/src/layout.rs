//! The files of a journal directory: segments, `meta.json`, the lock.

use crate::disk::{Disk, OpenMode, read_all, write_full};
use crate::format::{FORMAT, WATERMARK_NAME, Watermark, parse_segment_name, segment_name};
use crate::{Error, Position};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// No file of the journal but a segment comes near this.
const SMALL_FILE_BYTES_MAX: u64 = 64 << 10;
/// A segment holds its target size, or one append over it.
pub(crate) const SEGMENT_FILE_BYTES_MAX: u64 = 2 << 30;
const META_NAME: &str = "meta.json";
const META_NEW_NAME: &str = "meta.json.new";
const FORMAT_FAMILY: &str = "audit-layer/journal/";
/// What was written before the formats were frozen.
const FORMAT_BEFORE: &str = "audit-layer/journal/0";

/// What `meta.json` says of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Name and version of the format.
    pub format: String,
    /// The writer's name, `w-` and eight hexadecimal digits.
    pub writer: String,
    /// Whose records these are.
    pub tenant: String,
    /// The epoch that is being written.
    pub epoch: u32,
}

/// Exclusive use of a data directory, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

// === impl Meta ===

impl Meta {
    /// Reads `meta.json`; `None` if there is none.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(META_NAME);
        let Some(bytes) = read_small(disk, &path)? else { return Ok(None) };
        let mismatch = |what: String| Error::Mismatch { path: path.clone(), what };
        // A newer file may have other fields, so the format is looked at first.
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|e| mismatch(e.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_str) {
            Some(FORMAT) => {}
            Some(FORMAT_BEFORE) => {
                return Err(Error::OlderFormat { file: path.display().to_string() });
            }
            Some(other) if other.starts_with(FORMAT_FAMILY) => {
                return Err(Error::NewerFormat { file: path.display().to_string() });
            }
            _ => return Err(mismatch("it does not describe a journal".to_owned())),
        }
        serde_json::from_value(value).map(Some).map_err(|e| mismatch(e.to_string()))
    }

    /// Replaces `meta.json`; durable when it returns.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
        let (path, new) = (dir.join(META_NAME), dir.join(META_NEW_NAME));
        let written = || -> io::Result<()> {
            let bytes = serde_json::to_vec(self)?;
            let file = disk.open(&new, OpenMode::Create)?;
            file.set_size(0)?;
            write_full(&*file, &bytes, 0)?;
            file.sync_data()?;
            disk.rename(&new, &path)?;
            disk.sync_dir(dir)
        };
        written().map_err(|e| Error::io("write", &path, e))
    }
}

// === impl Lock ===

impl Lock {
    /// Takes the lock of the data directory, which lies above the journal's.
    pub(crate) fn take(journal_dir: &Path) -> Result<Self, Error> {
        let path = journal_dir.parent().unwrap_or(journal_dir).join("lock");
        let failed = |e| Error::io("open", &path, e);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The number is only for the message; the lock itself decides.
                let read = Read::by_ref(&mut file).take(32).read_to_string(&mut text);
                let pid = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(Error::Locked { pid });
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        match write(&mut file) {
            // A full disk must not keep the journal from opening: reads still work.
            Err(e) if e.kind() != io::ErrorKind::StorageFull => Err(failed(e)),
            _ => Ok(Self { _file: file }),
        }
    }
}

// === functions ===

/// Path of a segment.
pub(crate) fn segment_path(dir: &Path, place: Position) -> PathBuf {
    dir.join(segment_name(place.epoch, place.segment))
}

/// The damaged place, as an error.
pub(crate) fn corrupt(place: Position, what: &'static str) -> Error {
    Error::Corrupt { segment: segment_name(place.epoch, place.segment), offset: place.offset, what }
}

/// All segments of the directory, in order, at offset 0.
pub(crate) fn list_segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<Position>, Error> {
    let names = disk.list(dir).map_err(|e| Error::io("list", dir, e))?;
    let mut found: Vec<Position> = names
        .iter()
        .filter_map(|name| parse_segment_name(name))
        .map(|(epoch, segment)| Position::new(epoch, segment, 0))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// The watermark file's content; `None` if it is missing or damaged.
pub(crate) fn read_watermark(disk: &dyn Disk, dir: &Path) -> Result<Option<Watermark>, Error> {
    let bytes = read_small(disk, &dir.join(WATERMARK_NAME))?;
    Ok(bytes.and_then(|bytes| Watermark::decode(&bytes)))
}

/// A small file; `None` if it is missing.
fn read_small(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("open", path, e)),
    };
    let mut bytes = Vec::new();
    read_all(&*file, SMALL_FILE_BYTES_MAX, &mut bytes).map_err(|e| Error::io("read", path, e))?;
    Ok(Some(bytes))
}
