//! A file system in memory that fails as it is told, and that can lose its power.
#![allow(dead_code, clippy::unwrap_used)]

use journal::disk::{Disk, DiskFile, OpenMode};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

const SECTOR_BYTES: usize = 512;
pub const EIO: i32 = 5;
pub const EMFILE: i32 = 24;
pub const ENOSPC: i32 = 28;
pub const EROFS: i32 = 30;

/// What is asked of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Open,
    List,
    CreateDir,
    Rename,
    SyncDir,
    Read,
    Write,
    Sync,
    Size,
    SetSize,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

/// Fails calls that match.
struct Fault {
    op: Option<Op>,
    name: &'static str,
    skip: usize,
    left: usize,
    errno: i32,
}

#[derive(Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    faults: Vec<Fault>,
    short: bool,
    calls: u64,
    bytes_max: Option<usize>,
    crash_at: Option<(u64, u64)>,
    image: Option<Box<State>>,
    held: bool,
    syncs_waiting: usize,
}

/// The disk; a clone is the same disk.
#[derive(Clone, Default)]
pub struct MemDisk {
    state: Arc<(Mutex<State>, Condvar)>,
}

struct MemFile {
    disk: MemDisk,
    path: PathBuf,
    id: usize,
    writable: bool,
}

/// A small generator of random numbers (xorshift).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

impl MemDisk {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    /// After `skip` matching calls, `times` fail.
    pub fn fail(&self, op: Option<Op>, name: &'static str, skip: usize, times: usize, errno: i32) {
        self.lock().faults.push(Fault { op, name, skip, left: times, errno });
    }

    /// True if every planned fault happened.
    pub fn all_failed(&self) -> bool {
        self.lock().faults.iter().all(|fault| fault.left == 0)
    }

    /// Reads and writes are cut short, and interrupted.
    pub fn short(&self) {
        self.lock().short = true;
    }

    /// Limits the bytes of all files together.
    pub fn capacity(&self, bytes_max: Option<usize>) {
        self.lock().bytes_max = bytes_max;
    }

    pub fn used(&self) -> usize {
        self.lock().used()
    }

    /// Loses power at the given call.
    pub fn crash_at(&self, call: u64, seed: u64) {
        self.lock().crash_at = Some((call, seed));
    }

    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// What is left after the power came back; `None` if it never went.
    pub fn after_crash(&self) -> Option<Arc<Self>> {
        let image = self.lock().image.take()?;
        Some(Arc::new(Self { state: Arc::new((Mutex::new(*image), Condvar::new())) }))
    }

    /// What is left if power goes now.
    pub fn power_cut(&self, seed: u64) -> Arc<Self> {
        let image = self.lock().crashed(&mut Rng(seed));
        Arc::new(Self { state: Arc::new((Mutex::new(image), Condvar::new())) })
    }

    /// Keeps segment syncs waiting until `release`.
    pub fn hold_syncs(&self) {
        self.lock().held = true;
    }

    /// Waits until a segment sync waits.
    pub fn wait_for_sync(&self) {
        let mut state = self.lock();
        while state.syncs_waiting == 0 {
            state = self.state.1.wait(state).unwrap();
        }
    }

    pub fn release(&self) {
        self.lock().held = false;
        self.state.1.notify_all();
    }

    /// A file's bytes.
    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.lock();
        state.files[state.names[path]].now.clone()
    }

    /// Changes a file behind everybody's back.
    pub fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let id = state.names[path];
        let file = &mut state.files[id];
        edit(&mut file.now);
        file.durable = file.now.clone();
        file.dirty.clear();
    }

    pub fn remove(&self, path: &Path) {
        let mut state = self.lock();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// Another disk with the same content.
    pub fn copy(&self) -> Arc<Self> {
        let state = self.lock();
        let files = state.names.values().map(|id| state.files[*id].now.clone());
        let mut copy = State::default();
        for (path, bytes) in state.names.keys().zip(files) {
            copy.names.insert(path.clone(), copy.files.len());
            copy.files.push(Content { now: bytes.clone(), durable: bytes, dirty: BTreeSet::new() });
        }
        copy.durable_names = copy.names.clone();
        Arc::new(Self { state: Arc::new((Mutex::new(copy), Condvar::new())) })
    }

    fn call(&self, op: Op, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if op == Op::Sync && name.contains(".seg") {
            state.syncs_waiting += 1;
            self.state.1.notify_all();
            while state.held {
                state = self.state.1.wait(state).unwrap();
            }
            state.syncs_waiting -= 1;
        }
        state.calls += 1;
        if let Some((call, seed)) = state.crash_at
            && state.calls >= call
        {
            if state.image.is_none() && state.calls == call {
                state.image = Some(Box::new(state.crashed(&mut Rng(seed | 1))));
            }
            return Err(io::Error::from_raw_os_error(EIO));
        }
        for fault in &mut state.faults {
            if fault.op.is_some_and(|wanted| wanted != op) || !name.contains(fault.name) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.left > 0 {
                fault.left -= 1;
                return Err(io::Error::from_raw_os_error(fault.errno));
            }
        }
        Ok(state)
    }
}

impl State {
    fn used(&self) -> usize {
        self.names.values().map(|id| self.files[*id].now.len()).sum()
    }

    /// Unsynced sectors, sizes and names are kept or lost by chance.
    fn crashed(&self, rng: &mut Rng) -> Self {
        let mut after = Self::default();
        let mut names = self.durable_names.clone();
        for (path, id) in &self.names {
            if !names.contains_key(path) && rng.next().is_multiple_of(2) {
                names.insert(path.clone(), *id);
            }
        }
        for (path, id) in names {
            let old = &self.files[id];
            let mut bytes = old.durable.clone();
            if rng.next().is_multiple_of(2) {
                bytes.resize(old.now.len(), 0);
            }
            for sector in &old.dirty {
                let from = sector * SECTOR_BYTES;
                let to = (from + SECTOR_BYTES).min(old.now.len()).min(bytes.len());
                if from < to && rng.next().is_multiple_of(2) {
                    bytes[from..to].copy_from_slice(&old.now[from..to]);
                }
            }
            after.names.insert(path.clone(), after.files.len());
            after.durable_names.insert(path, after.files.len());
            after.files.push(Content {
                now: bytes.clone(),
                durable: bytes,
                dirty: BTreeSet::new(),
            });
        }
        after
    }
}

impl Disk for MemDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.call(Op::Open, path)?;
        let id = match state.names.get(path) {
            Some(id) => *id,
            None if matches!(mode, OpenMode::Create | OpenMode::CreateUncached) => {
                state.files.push(Content::default());
                let id = state.files.len() - 1;
                state.names.insert(path.to_owned(), id);
                id
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let (disk, path) = (self.clone(), path.to_owned());
        Ok(Arc::new(MemFile { disk, path, id, writable: mode != OpenMode::Read }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.call(Op::List, dir)?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.call(Op::CreateDir, dir).map(drop)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.call(Op::Rename, to)?;
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.call(Op::SyncDir, dir)?;
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        let State { names, durable_names, .. } = &mut *state;
        durable_names.retain(|path, _| !inside(path));
        durable_names.extend(names.iter().filter(|(p, _)| inside(p)).map(|(p, i)| (p.clone(), *i)));
        Ok(())
    }
}

impl MemFile {
    /// Every transfer is short, every third is interrupted.
    fn shorten(state: &State, len: usize) -> io::Result<usize> {
        if !state.short {
            return Ok(len);
        }
        if state.calls.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(len.div_ceil(2))
    }
}

impl DiskFile for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.call(Op::Read, &self.path)?;
        let bytes = state.files[self.id].now.get(offset as usize..).unwrap_or_default();
        let n = Self::shorten(&state, buf.len().min(bytes.len()))?;
        buf[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        assert!(self.writable);
        let mut state = self.disk.call(Op::Write, &self.path)?;
        let mut n = Self::shorten(&state, buf.len())?;
        let (used, bytes_max) = (state.used(), state.bytes_max);
        let file = &mut state.files[self.id];
        let (from, size) = (offset as usize, file.now.len());
        if let Some(bytes_max) = bytes_max {
            let room = size + bytes_max.saturating_sub(used);
            n = n.min(room.max(size).saturating_sub(from));
            if n == 0 {
                return Err(io::Error::from_raw_os_error(ENOSPC));
            }
        }
        file.now.resize(size.max(from + n), 0);
        file.now[from..from + n].copy_from_slice(&buf[..n]);
        file.dirty.extend(from / SECTOR_BYTES..=(from + n - 1) / SECTOR_BYTES);
        Ok(n)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.disk.call(Op::Sync, &self.path) {
            Ok(mut state) => {
                let Content { now, durable, dirty } = &mut state.files[self.id];
                durable.resize(now.len(), 0);
                for sector in std::mem::take(dirty) {
                    let from = sector * SECTOR_BYTES;
                    let to = (from + SECTOR_BYTES).min(now.len());
                    durable[from..to].copy_from_slice(&now[from..to]);
                }
                Ok(())
            }
            Err(e) => {
                // As on Linux: what could not be written counts as clean from now on.
                self.disk.lock().files[self.id].dirty.clear();
                Err(e)
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.call(Op::Size, &self.path)?.files[self.id].now.len() as u64)
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.call(Op::SetSize, &self.path)?;
        let file = &mut state.files[self.id];
        file.now.resize(bytes as usize, 0);
        file.dirty.retain(|sector| sector * SECTOR_BYTES < bytes as usize);
        Ok(())
    }
}
