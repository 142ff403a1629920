//! Building an index anew beside the old one, and swapping it in.

use crate::{SqliteWriter, connect, schema};
use index::{Cursor, Error, IndexWriter, ProjectedRecord, Result};
use rusqlite::Connection;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Records of one transaction.
const BATCH_RECORDS: usize = 4_096;
const CACHE_BYTES: usize = 64 << 20;

/// An index being built. It takes records like any writer; dropped unfinished, it leaves a file
/// that the next rebuild replaces, and the index as it was.
#[derive(Debug)]
pub struct Rebuild {
    target: PathBuf,
    building: PathBuf,
    writer: SqliteWriter,
}

/// Builds the index of these records and swaps it in; answers how many there were.
///
/// # Errors
/// Where a record cannot be read or written; the index is then as it was.
pub fn rebuild(
    path: &Path,
    records: impl IntoIterator<Item = Result<ProjectedRecord>>,
) -> Result<u64> {
    let mut rebuild = Rebuild::start(path)?;
    let mut batch = Vec::with_capacity(BATCH_RECORDS);
    let mut count = 0;
    let mut flush = |batch: &mut Vec<ProjectedRecord>, rebuild: &mut Rebuild| -> Result<()> {
        if let Some(cursor) = batch.last().map(|record| record.next.clone()) {
            count += batch.len() as u64;
            rebuild.apply(batch, &cursor)?;
            batch.clear();
        }
        Ok(())
    };
    for record in records {
        batch.push(record?);
        if batch.len() == BATCH_RECORDS {
            flush(&mut batch, &mut rebuild)?;
        }
    }
    flush(&mut batch, &mut rebuild)?;
    rebuild.finish()?;
    Ok(count)
}

// === impl Rebuild ===

impl Rebuild {
    /// Begins an empty index that will take the place of the one at this path.
    pub fn start(path: &Path) -> Result<Self> {
        let building = beside(path, ".rebuild");
        for suffix in ["", "-journal", "-wal", "-shm"] {
            remove(&beside(&building, suffix))?;
        }
        let connection = connect::writer(&building, CACHE_BYTES, true)?;
        schema::create_tables(&connection).map_err(|error| connect::error(error, 0))?;
        let writer = SqliteWriter::new(connection)?;
        Ok(Self { target: path.to_owned(), building, writer })
    }

    /// Makes the indexes, and puts the file in the old one's place. The old one's writer must be
    /// closed; readers go on reading the old file until they are reopened.
    pub fn finish(self) -> Result<()> {
        let connection = self.writer.into_connection();
        complete(&connection).map_err(|error| connect::error(error, 0))?;
        connection.close().map_err(|(_, error)| connect::error(error, 0))?;
        File::open(&self.building).and_then(|file| file.sync_all()).map_err(Error::backend)?;
        // The old file's log must not be taken for the new one's. Where it cannot be emptied (a
        // reader is at work, or the old file is damaged), the old index goes first: a crash in
        // between leaves no index, which the indexer then builds from the journal.
        if !emptied(&self.target) {
            for suffix in ["", "-wal", "-shm"] {
                remove(&beside(&self.target, suffix))?;
            }
        }
        fs::rename(&self.building, &self.target).map_err(Error::backend)?;
        for suffix in ["-wal", "-shm"] {
            remove(&beside(&self.target, suffix))?;
        }
        let directory = self.target.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))
            .and_then(|directory| directory.sync_all())
            .map_err(Error::backend)
    }
}

impl IndexWriter for Rebuild {
    fn cursor(&self) -> Option<Cursor> {
        self.writer.cursor()
    }

    fn apply(&mut self, records: &[ProjectedRecord], cursor: &Cursor) -> Result<()> {
        self.writer.apply(records, cursor)
    }
}

fn complete(connection: &Connection) -> rusqlite::Result<()> {
    schema::create_indexes(connection)?;
    connection.pragma_update(None, "locking_mode", "NORMAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Copies what the old index's log holds into its file and empties the log.
fn emptied(path: &Path) -> bool {
    let empty = || -> rusqlite::Result<bool> {
        let connection = Connection::open_with_flags(
            path,
            rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
    };
    empty().unwrap_or(false)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::backend(error)),
        _ => Ok(()),
    }
}
