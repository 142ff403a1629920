//! The reserve: a file written in advance, so that a gap in the records can be noted when
//! nothing else can be written.

use crate::Error;
use crate::disk::{Disk, DiskFile, OpenMode, read_full, write_full, write_zeros};
use crate::mutex::lock;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Size of the file.
pub const RESERVE_BYTES: u64 = 64 << 10;

const NAME: &str = "reserve";
/// Slots lie in different blocks, so that a torn write of one spares the other.
const STARTED_AT: u64 = 0;
const COUNTED_AT: u64 = 4096;
const SLOT_BYTES: usize = 32;
const CRC_AT: usize = SLOT_BYTES - 4;
const STARTED_MAGIC: [u8; 8] = *b"ALJGAP1S";
const COUNTED_MAGIC: [u8; 8] = *b"ALJGAP1C";

/// A span of time in which calls were forwarded without records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When it started, in microseconds since 1970; `None` where that note is damaged.
    pub started_micros: Option<i64>,
    /// Calls forwarded so far; `None` where none was noted.
    pub calls: Option<u64>,
    /// When it ended; `None` where the process ended first.
    pub ended_micros: Option<i64>,
}

/// The file. Its notes are synced before the functions return.
pub struct Reserve {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    turn: Mutex<()>,
}

// === impl Reserve ===

impl Reserve {
    /// Opens the file, or makes it.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> Result<Self, Error> {
        let path = dir.join(NAME);
        let make = || {
            let file = disk.open(&path, OpenMode::Create)?;
            let size = file.size()?;
            if size < RESERVE_BYTES {
                write_zeros(&*file, size, RESERVE_BYTES).1?;
                file.sync_data()?;
            }
            Ok(file)
        };
        let file = make().map_err(|e| Error::io("open", &path, e))?;
        Ok(Self { file, path, turn: Mutex::new(()) })
    }

    /// Notes that a gap starts.
    pub fn gap_started(&self, at_micros: i64) -> Result<(), Error> {
        self.put(STARTED_AT, STARTED_MAGIC, at_micros.cast_unsigned(), 0)
    }

    /// Notes how many calls the gap holds so far, and, once it is over, when it ended.
    pub fn gap_counted(&self, calls: u64, ended_micros: Option<i64>) -> Result<(), Error> {
        self.put(COUNTED_AT, COUNTED_MAGIC, calls, ended_micros.unwrap_or(0).cast_unsigned())
    }

    /// The noted gap, if there is one.
    pub fn gap(&self) -> Result<Option<Gap>, Error> {
        let _turn = lock(&self.turn);
        let started = self.get(STARTED_AT, STARTED_MAGIC)?;
        let counted = self.get(COUNTED_AT, COUNTED_MAGIC)?;
        if started == Slot::Empty && counted == Slot::Empty {
            return Ok(None);
        }
        let value = |slot: Slot| match slot {
            Slot::Noted(a, b) => Some((a, b)),
            Slot::Empty | Slot::Damaged => None,
        };
        Ok(Some(Gap {
            started_micros: value(started).map(|(at, _)| at.cast_signed()),
            calls: value(counted).map(|(calls, _)| calls),
            ended_micros: value(counted).map(|(_, at)| at.cast_signed()).filter(|at| *at != 0),
        }))
    }

    /// Forgets the gap, once a record tells of it.
    pub fn clear(&self) -> Result<(), Error> {
        let _turn = lock(&self.turn);
        write_zeros(&*self.file, 0, COUNTED_AT + SLOT_BYTES as u64)
            .1
            .and_then(|()| self.file.sync_data())
            .map_err(|e| Error::io("clear", &self.path, e))
    }

    fn put(&self, at: u64, magic: [u8; 8], a: u64, b: u64) -> Result<(), Error> {
        let mut slot = [0; SLOT_BYTES];
        slot[..8].copy_from_slice(&magic);
        slot[8..16].copy_from_slice(&a.to_le_bytes());
        slot[16..24].copy_from_slice(&b.to_le_bytes());
        let crc = crc32c::crc32c(&slot[..CRC_AT]);
        slot[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        let _turn = lock(&self.turn);
        write_full(&*self.file, &slot, at)
            .and_then(|()| self.file.sync_data())
            .map_err(|e| Error::io("write", &self.path, e))
    }

    fn get(&self, at: u64, magic: [u8; 8]) -> Result<Slot, Error> {
        let mut slot = [0; SLOT_BYTES];
        read_full(&*self.file, &mut slot, at).map_err(|e| Error::io("read", &self.path, e))?;
        if slot == [0; SLOT_BYTES] {
            return Ok(Slot::Empty);
        }
        let crc = crc32c::crc32c(&slot[..CRC_AT]).to_le_bytes();
        if !slot.starts_with(&magic) || slot[CRC_AT..] != crc {
            return Ok(Slot::Damaged);
        }
        let [_, a, b, _] = slot.as_chunks::<8>().0 else { return Ok(Slot::Damaged) };
        Ok(Slot::Noted(u64::from_le_bytes(*a), u64::from_le_bytes(*b)))
    }
}

/// One note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Empty,
    Damaged,
    Noted(u64, u64),
}
