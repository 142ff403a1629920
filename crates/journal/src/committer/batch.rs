//! What is written next, as whole pages. A part of a page that the kernel has dropped from
//! memory would have to be read from the disk before it could be changed, while records wait.

use crate::disk::{self, DiskFile, read_full, write_full};
use std::io;

const PAGE_BYTES: usize = disk::PAGE_BYTES as usize;
/// A buffer that one huge record made larger than this is given back.
const BUFFER_BYTES_KEPT: usize = 16 << 20;

/// Frames for the place that follows what is written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The page's bytes before that place, then the frames.
    bytes: Vec<u8>,
    head: usize,
}

// === impl Batch ===

impl Batch {
    /// An empty batch for this place in the file.
    pub fn at(file: &dyn DiskFile, offset: u64) -> io::Result<Self> {
        let head = bytes_in_page(offset);
        let mut bytes = vec![0; head];
        match read_full(file, &mut bytes, offset - head as u64)? {
            read if read == head => Ok(Self { bytes, head }),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Size of the frames.
    pub const fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the next frame is appended.
    pub const fn frames(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes the frames at `offset` with the page before them, and with zeros behind them to
    /// the page's end (zeros over zeros), but not beyond `zeroed_to`.
    pub fn write(&mut self, file: &dyn DiskFile, offset: u64, zeroed_to: u64) -> io::Result<()> {
        let staged = self.bytes.len();
        let to = offset + self.len() as u64;
        let whole = to.next_multiple_of(PAGE_BYTES as u64).min(zeroed_to).max(to);
        self.bytes.resize(staged + (whole - to) as usize, 0);
        let written = write_full(file, &self.bytes, offset - self.head as u64);
        self.bytes.truncate(staged);
        written
    }

    /// Drops the frames.
    pub fn undo(&mut self) {
        self.bytes.truncate(self.head);
    }

    /// Begins the batch after the one that was written and ends at `end`.
    pub fn follow(&mut self, end: u64) {
        self.head = bytes_in_page(end).min(self.bytes.len());
        self.bytes.drain(..self.bytes.len() - self.head);
        if self.bytes.capacity() > BUFFER_BYTES_KEPT {
            self.bytes.shrink_to(PAGE_BYTES);
        }
    }
}

/// How many bytes of its page lie before this offset.
const fn bytes_in_page(offset: u64) -> usize {
    offset as usize % PAGE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk as _, OpenMode, RealDisk};

    #[test]
    fn whole_pages_are_written_and_nothing_else_changes() {
        let directory = tempfile::tempdir().unwrap();
        let file = RealDisk.open(&directory.path().join("x"), OpenMode::Create).unwrap();
        let zeroed_to = 3 * PAGE_BYTES as u64 - 8;
        file.set_size(zeroed_to).unwrap();
        let mut expected = Vec::new();
        let mut batch = Batch::at(&*file, 0).unwrap();
        for (n, size) in [(1, 10), (2, 4096), (3, 8), (4, 4086), (5, 3000), (6, 1080)] {
            let at = expected.len() as u64;
            batch.frames().extend(std::iter::repeat_n(9, 5));
            batch.undo();
            assert!(batch.is_empty());
            batch.frames().extend(std::iter::repeat_n(n, size));
            expected.extend(std::iter::repeat_n(n, size));
            batch.write(&*file, at, zeroed_to).unwrap();
            batch.follow(expected.len() as u64);
            let mut found = vec![1; zeroed_to as usize + 1];
            assert_eq!(read_full(&*file, &mut found, 0).unwrap() as u64, zeroed_to);
            assert!(found.starts_with(&expected), "after {n}");
            assert!(found[expected.len()..zeroed_to as usize].iter().all(|byte| *byte == 0));
            let again = Batch::at(&*file, expected.len() as u64).unwrap();
            assert_eq!((again.bytes, again.head), (batch.bytes.clone(), batch.head));
        }
        assert_eq!(
            Batch::at(&*file, zeroed_to + 7).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
