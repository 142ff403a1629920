//! What the journal asks of a file system. Tests put faults in here.

use rustix::fs::{Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// Zeros are written in pieces of this size.
const ZEROS_BYTES: usize = 256 << 10;
static ZEROS: Zeros = Zeros([0; ZEROS_BYTES]);

/// The unit in which the kernel keeps files in memory.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Aligned as writes past the page cache demand.
#[repr(align(4096))]
struct Zeros([u8; ZEROS_BYTES]);

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// To read and write; made if it is missing.
    Create,
    /// Like `Create`, to write what nobody reads soon: past the page cache (`O_DIRECT`) where
    /// the file system can do that.
    CreateUncached,
}

/// A file system.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Names of the directory's entries, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a directory and those above it.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Renames a file over another.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes creations and renames in the directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. Short reads and writes are allowed, as the system allows them.
pub trait DiskFile: Send + Sync {
    /// Reads at an offset; 0 at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
    /// `fdatasync`.
    fn sync_data(&self) -> io::Result<()>;
    /// Bytes of the file.
    fn size(&self) -> io::Result<u64>;
    /// Cuts the file off, or lengthens it by zeros.
    fn set_size(&self, bytes: u64) -> io::Result<()>;
    /// Nobody is likely to read these bytes soon: their memory may serve others.
    fn forget(&self, _from: u64, _to: u64) {}
}

/// The system's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

struct RealFile(File);

// === impl RealDisk ===

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        // Records are for the owner: whoever else may read them gets them from the program.
        options
            .mode(0o600)
            .read(true)
            .write(mode != OpenMode::Read)
            .create(matches!(mode, OpenMode::Create | OpenMode::CreateUncached))
            .truncate(false);
        if mode == OpenMode::CreateUncached {
            let uncached = options.clone().custom_flags(OFlags::DIRECT.bits() as i32).open(path);
            match uncached {
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
                opened => return Ok(Arc::new(RealFile(opened?))),
            }
        }
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // The journal's own names are ASCII; others are of no interest.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

// === impl RealFile ===

impl RealFile {
    fn is_uncached(&self) -> bool {
        fcntl_getfl(&self.0).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        match self.0.write_at(buf, offset) {
            // Other file systems align by more than a page, and an end may lie within one.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput && self.is_uncached() => {
                fcntl_setfl(&self.0, fcntl_getfl(&self.0)? - OFlags::DIRECT)?;
                self.0.write_at(buf, offset)
            }
            result => result,
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn forget(&self, from: u64, to: u64) {
        // A page of which the beginning has left already leaves with its end.
        let from = from - from % PAGE_BYTES;
        let bytes = NonZeroU64::new(to.saturating_sub(from));
        if let Some(bytes) = bytes {
            // What the system makes of this changes nothing but speed.
            let _advised = fadvise(&self.0, from, Some(bytes), Advice::DontNeed);
        }
    }
}

// === functions ===

/// Reads until `buf` is full or the file ends; returns the bytes read.
pub(crate) fn read_full(
    file: &dyn DiskFile,
    mut buf: &mut [u8],
    mut offset: u64,
) -> io::Result<usize> {
    let wanted = buf.len();
    while !buf.is_empty() {
        match file.read_at(buf, offset) {
            Ok(0) => break,
            Ok(n) => {
                offset += n as u64;
                buf = buf.get_mut(n..).unwrap_or_default();
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(wanted - buf.len())
}

/// Writes all of `buf`.
pub(crate) fn write_full(file: &dyn DiskFile, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.write_at(buf, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                buf = buf.get(n..).unwrap_or_default();
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Writes zeros over `from..to`; returns how far it came, with the failure if there was one.
pub(crate) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> (u64, io::Result<()>) {
    let mut at = from;
    while at < to {
        let zeros = &ZEROS.0;
        let piece = zeros.get(..(to - at).min(ZEROS_BYTES as u64) as usize).unwrap_or(zeros);
        match file.write_at(piece, at) {
            Ok(0) => return (at, Err(io::ErrorKind::WriteZero.into())),
            Ok(n) => at += n as u64,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (at, Err(e)),
        }
    }
    (at, Ok(()))
}

/// The whole file, but no more than `bytes_max`.
pub(crate) fn read_all(file: &dyn DiskFile, bytes_max: u64, buf: &mut Vec<u8>) -> io::Result<()> {
    let size = file.size()?;
    if size > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "the file is larger than the journal ever makes one",
        ));
    }
    buf.clear();
    buf.resize(size as usize, 0);
    let n = read_full(file, buf, 0)?;
    buf.truncate(n);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_past_the_page_cache_may_end_within_a_page() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let to = ZEROS_BYTES as u64 + 4096 + 17;
        let file = RealDisk.open(&path, OpenMode::CreateUncached).unwrap();
        let (reached, written) = write_zeros(&*file, 0, to);
        written.unwrap();
        file.sync_data().unwrap();
        assert_eq!((reached, file.size().unwrap()), (to, to));
        // As the next start would go on with it.
        let file = RealDisk.open(&path, OpenMode::CreateUncached).unwrap();
        assert_eq!(write_zeros(&*file, to, to + 100).0, to + 100);
        assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 0));
    }
}
