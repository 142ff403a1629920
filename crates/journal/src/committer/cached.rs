//! What of the journal stays in the page cache: its end, until sealer and indexer have read it.
//! The memory of what leaves is used again for what is written next. (In a virtual machine a
//! page that was not used lately has to be asked of the host, which takes ten times as long as
//! to fill it.)

use crate::disk::DiskFile;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes that stay.
const KEPT_BYTES: u64 = 64 << 20;
/// Bytes that leave at once.
const STEP_BYTES: u64 = 256 << 10;
/// Segments that stay, however small they are: each is an open file.
const FILES_MAX: usize = 16;

/// What was written last, oldest first.
#[derive(Default)]
pub(super) struct Cached {
    ranges: VecDeque<Range>,
    bytes: u64,
}

struct Range {
    file: Arc<dyn DiskFile>,
    from: u64,
    to: u64,
}

// === impl Cached ===

impl Cached {
    /// Takes note of what was written, and lets as much go.
    pub fn wrote(&mut self, file: &Arc<dyn DiskFile>, from: u64, to: u64) {
        match self.ranges.back_mut() {
            Some(last) if last.to == from && Arc::ptr_eq(&last.file, file) => last.to = to,
            _ => self.ranges.push_back(Range { file: Arc::clone(file), from, to }),
        }
        self.bytes += to - from;
        while self.bytes >= KEPT_BYTES + STEP_BYTES || self.ranges.len() > FILES_MAX {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let Some(first) = self.ranges.front_mut() else { return };
        let to = first.to.min(first.from + STEP_BYTES);
        first.file.forget(first.from, to);
        self.bytes -= to - first.from;
        first.from = to;
        if first.from == first.to {
            self.ranges.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Forgetful(Mutex<Vec<(u64, u64)>>);

    impl DiskFile for Forgetful {
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Ok(0)
        }

        fn write_at(&self, buf: &[u8], _: u64) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }

        fn size(&self) -> io::Result<u64> {
            Ok(0)
        }

        fn set_size(&self, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn forget(&self, from: u64, to: u64) {
            self.0.lock().unwrap().push((from, to));
        }
    }

    #[test]
    fn the_end_stays_and_what_is_before_it_leaves_once() {
        let files: Vec<Arc<Forgetful>> = (0..3).map(|_| Arc::default()).collect();
        let segment = KEPT_BYTES - 3 * STEP_BYTES + 100;
        let mut cached = Cached::default();
        for forgetful in &files {
            let file: Arc<dyn DiskFile> = forgetful.clone();
            let mut at = 100;
            while at < segment {
                let to = segment.min(at + 77_777);
                cached.wrote(&file, at, to);
                at = to;
            }
        }
        let left: Vec<u64> = files
            .iter()
            .map(|file| {
                let forgotten = file.0.lock().unwrap();
                assert!(forgotten.is_sorted_by(|one, next| one.1 == next.0));
                forgotten.last().map_or(0, |last| last.1 - 100)
            })
            .collect();
        let written = segment - 100;
        assert_eq!(left[0], written);
        let kept = 3 * written - left.iter().sum::<u64>();
        assert!((KEPT_BYTES..KEPT_BYTES + STEP_BYTES).contains(&kept), "{kept}");
        assert_eq!(left[2], 0);
    }

    #[test]
    fn small_segments_do_not_stay_open() {
        let mut cached = Cached::default();
        for _ in 0..100 {
            let file: Arc<dyn DiskFile> = Arc::new(Forgetful::default());
            cached.wrote(&file, 0, 1_000);
        }
        assert_eq!((cached.ranges.len(), cached.bytes), (FILES_MAX, 1_000 * FILES_MAX as u64));
    }
}
