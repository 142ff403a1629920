//! What was delivered, in a file: derived from the journal, and rebuilt from it where it is
//! missing, another version's, or of another epoch.

use crate::error::DeliveryError;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use uuid::Uuid;

/// Version of the tables.
const VERSION: i64 = 1;
/// Page cache of a connection, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

/// What a key of the memory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(pub [u8; 16]);

/// What is known of a delivered item, or of a decision that events name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// SHA-256 of the content; none of a decision's name, and where a person of it was erased.
    pub digest: Option<[u8; 32]>,
    /// The decision, as it is known here.
    pub decision: Uuid,
    /// Records of the decision.
    pub records: u32,
}

/// One connection to the file.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
}

impl Store {
    /// Opens the file of the journal of this writer and epoch. Also gives the place in the journal
    /// up to which the file knows everything; none where it was made anew.
    pub(crate) fn open(
        path: &Path,
        journal: &str,
    ) -> Result<(Self, Option<String>), DeliveryError> {
        match Self::try_open(path, journal) {
            Ok(Some(opened)) => return Ok(opened),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the memory of deliveries is made anew"),
        }
        Ok((Self::anew(path, journal)?, None))
    }

    /// An empty file in the place of what is there.
    pub(crate) fn anew(path: &Path, journal: &str) -> Result<Self, DeliveryError> {
        for suffix in ["-wal", "-shm", ""] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            match std::fs::remove_file(name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(DeliveryError::Memory(error.to_string()));
                }
                _ => {}
            }
        }
        let store = Self { connection: connect(path)? };
        store.create(journal)?;
        Ok(store)
    }

    /// None where the file is not of this version, or of another journal.
    fn try_open(
        path: &Path,
        journal: &str,
    ) -> Result<Option<(Self, Option<String>)>, DeliveryError> {
        let connection = connect(path)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != VERSION {
            return Ok(None);
        }
        let sql = "SELECT position FROM progress WHERE journal = ?1";
        let found: Option<Option<String>> =
            connection.query_row(sql, [journal], |row| row.get(0)).optional()?;
        Ok(found.map(|position| (Self { connection }, position)))
    }

    /// Another connection to the same file.
    pub(crate) fn again(path: &Path) -> Result<Self, DeliveryError> {
        Ok(Self { connection: connect(path)? })
    }

    fn create(&self, journal: &str) -> Result<(), DeliveryError> {
        self.connection.execute_batch(
            "BEGIN;
             CREATE TABLE known (
               id BLOB PRIMARY KEY,
               digest BLOB,
               decision BLOB NOT NULL,
               records INTEGER NOT NULL
             ) WITHOUT ROWID;
             CREATE TABLE progress (journal TEXT PRIMARY KEY, position TEXT) WITHOUT ROWID;
             COMMIT;",
        )?;
        self.connection.execute("INSERT INTO progress VALUES (?1, NULL)", [journal])?;
        self.connection.pragma_update(None, "user_version", VERSION)?;
        Ok(())
    }

    pub(crate) fn find(&self, id: Id) -> Result<Option<Known>, DeliveryError> {
        let sql = "SELECT digest, decision, records FROM known WHERE id = ?1";
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row([id.0], |row| {
                Ok(Known {
                    digest: row.get(0)?,
                    decision: Uuid::from_bytes(row.get(1)?),
                    records: row.get(2)?,
                })
            })
            .optional()?;
        Ok(found)
    }

    /// Stores these, and that everything before `position` is stored.
    pub(crate) fn save(
        &mut self,
        known: &[(Id, Known)],
        position: &str,
    ) -> Result<(), DeliveryError> {
        let transaction = self.connection.transaction()?;
        {
            let sql = "INSERT INTO known VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE \
                       SET records = max(records, excluded.records)";
            let mut insert = transaction.prepare_cached(sql)?;
            for (id, known) in known {
                let decision = known.decision.as_bytes();
                insert.execute(params![id.0, known.digest, decision, known.records])?;
            }
        }
        transaction.execute("UPDATE progress SET position = ?1", [position])?;
        transaction.commit()?;
        Ok(())
    }
}

fn connect(path: &Path) -> Result<Connection, DeliveryError> {
    let connection = Connection::open(path)?;
    // The journal has everything that this file may lose.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

impl From<rusqlite::Error> for DeliveryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Memory(error.to_string())
    }
}
