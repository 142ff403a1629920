//! Rebuilds the index from the journal, beside the old one, and swaps it in.

use super::{inspect_directory, is_locked};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use index::IndexWriter;
use index_sqlite::Rebuild;
use recorder::{Projector, cursor_of, position_of};
use seal::{KeyRing, LocalKeyFile};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

/// Records in one transaction.
const BATCH_RECORDS_MAX: usize = 4_096;

/// What was rebuilt.
#[derive(Debug, Clone, Copy)]
pub struct Rebuilt {
    /// Records read.
    pub records: u64,
    /// Events in them.
    pub events: u64,
}

/// Rebuilds the index. No server may run on the directory.
pub fn rebuild(config: &Config, mut progress: impl FnMut(u64, u64)) -> Outcome<Rebuilt> {
    let data = &config.data;
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
    inspect_directory(data)?;
    let lock = lock(data)?;
    let journal = data.join("journal");
    let end = journal::read_watermark(&journal).map_err(|error| failed(&error))?;
    let Some(end) = end.map(|mark| mark.end) else {
        return Err(Failure::failed(format!(
            "{} holds no journal with records; give the data directory with --data",
            data.display()
        )));
    };
    let provider = LocalKeyFile::load(&data.join("keys")).map_err(|error| failed(&error))?;
    let keys = KeyRing::open_read_only(&data.join("subjects.db"), Arc::new(provider))
        .map_err(|error| failed(&error))?;
    let mut index = Rebuild::start(&config.index_file()).map_err(|error| failed(&error))?;
    let mut records = Projector::open(&journal, None, &keys).map_err(|error| failed(&error))?;
    let mut rebuilt = Rebuilt { records: 0, events: 0 };
    let total = journal_bytes(&journal);
    let mut batch = Vec::with_capacity(BATCH_RECORDS_MAX);
    loop {
        while batch.len() < BATCH_RECORDS_MAX
            && let Some(record) = records.next(Some(end)).map_err(|error| failed(&error))?
        {
            rebuilt.events += record.events.len() as u64;
            batch.push(record);
        }
        let Some(last) = batch.last() else { break };
        let next = position_of(&last.next);
        let cursor = cursor_of(&last.next.writer, next);
        index.apply(&batch, &cursor).map_err(|error| failed(&error))?;
        rebuilt.records += batch.len() as u64;
        progress(u64::from(next.segment) * config.journal.segment_bytes + next.offset, total);
        batch.clear();
    }
    index.finish().map_err(|error| failed(&error))?;
    drop(lock);
    Ok(rebuilt)
}

/// Keeps servers away for as long as it lives.
fn lock(data: &Path) -> Outcome<Option<File>> {
    if let Some(locked) = is_locked(data) {
        let reason = Failure::from(locked).message.unwrap_or_default();
        return Err(Failure::failed(format!("{reason} (a running server keeps its index itself)")));
    }
    let file = match File::open(data.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file("read", &data.join("lock"), &error)),
    };
    file.try_lock().map_err(|_| {
        Failure::failed("another process took the data directory; try again when it has ended")
    })?;
    Ok(Some(file))
}

fn journal_bytes(journal: &Path) -> u64 {
    let entries = fs::read_dir(journal).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "seg"))
        .filter_map(|entry| entry.metadata().ok())
        .map(|file| file.len())
        .sum()
}
