//! `subjects.db`: the tables and what is asked of them.

use crate::{Error, KeyClass, KeyId, Result, key_file};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use std::time::{Duration, SystemTime};

const FORMAT: i64 = 1;
/// How long to wait for another process.
const BUSY_WAIT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
BEGIN IMMEDIATE;
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE subject_keys (
  id BLOB PRIMARY KEY,
  class INTEGER NOT NULL,
  lookup BLOB NOT NULL UNIQUE,
  wrapped BLOB NOT NULL,
  created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (
  id BLOB PRIMARY KEY,
  erased_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('kek_check', ?1);
PRAGMA user_version = 1;
COMMIT;
";

/// Hash of a class and a name.
pub(crate) type Lookup = [u8; 32];

/// A stored key, still wrapped.
pub(crate) struct Row {
    pub id: KeyId,
    pub wrapped: Vec<u8>,
}

pub(crate) struct Store {
    connection: Connection,
}

impl Store {
    /// Opens for writing, and makes the store where there is none.
    pub(crate) fn open(path: &Path, check: [u8; 16]) -> Result<Self> {
        create_file(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self { connection: Connection::open_with_flags(path, flags)? };
        store.connection.busy_timeout(BUSY_WAIT)?;
        // Write-ahead logging: one sync for each commit, and readers in other processes are
        // neither blocked nor block.
        store.connection.pragma_update(None, "journal_mode", "WAL")?;
        store.connection.pragma_update(None, "synchronous", "FULL")?;
        store.connection.pragma_update(None, "secure_delete", "ON")?;
        if store.format(path)? == 0 {
            let schema = SCHEMA.replace("?1", &format!("x'{}'", hex::encode(check)));
            store.connection.execute_batch(&schema)?;
            path.parent().map_or(Ok(()), key_file::sync_dir)?;
        }
        store.check(path, check)?;
        Ok(store)
    }

    /// Opens for reading, beside a writer or without one, on read-only media as well.
    pub(crate) fn open_read_only(path: &Path, check: [u8; 16]) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self { connection: Connection::open_with_flags(path, flags)? };
        store.connection.busy_timeout(BUSY_WAIT)?;
        // Without a log to read, a directory that cannot be written is no obstacle.
        if store.format(path).is_err() && !with_suffix(path, "-wal").exists() {
            let uri = format!("file:{}?immutable=1", escaped(path));
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            store = Self { connection: Connection::open_with_flags(uri, flags)? };
        }
        if store.format(path)? == 0 {
            return Err(Error::Store { what: format!("{} is not a key store", path.display()) });
        }
        store.check(path, check)?;
        Ok(store)
    }

    fn format(&self, path: &Path) -> Result<i64> {
        let found: i64 = self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found > FORMAT {
            return Err(Error::NewerFormat { path: path.to_owned(), found, known: FORMAT });
        }
        Ok(found)
    }

    fn check(&self, path: &Path, check: [u8; 16]) -> Result<()> {
        let sql = "SELECT value FROM meta WHERE name = 'kek_check'";
        let stored: Vec<u8> = self.connection.query_row(sql, [], |row| row.get(0))?;
        if stored != check {
            return Err(Error::WrongKek { path: path.to_owned() });
        }
        Ok(())
    }

    pub(crate) fn by_lookup(&self, lookup: &Lookup) -> Result<Option<Row>> {
        let sql = "SELECT id, wrapped FROM subject_keys WHERE lookup = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = statement.query_row([lookup], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(row.map(|(id, wrapped): ([u8; 16], _)| Row { id: id.into(), wrapped }))
    }

    /// The wrapped key; an error tells an erased one from one that was never here.
    pub(crate) fn by_id(&self, id: KeyId) -> Result<Vec<u8>> {
        let sql = "SELECT wrapped FROM subject_keys WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        if let Some(wrapped) = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()? {
            return Ok(wrapped);
        }
        let sql = "SELECT 1 FROM tombstones WHERE id = ?1";
        let erased = self.connection.prepare_cached(sql)?.exists([id.as_bytes()])?;
        Err(if erased { Error::Erased { id } } else { Error::Unknown { id } })
    }

    pub(crate) fn insert(
        &self,
        class: KeyClass,
        lookup: &Lookup,
        id: KeyId,
        wrapped: &[u8],
    ) -> Result<()> {
        let sql = "INSERT INTO subject_keys (id, class, lookup, wrapped, created_us) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![id.as_bytes(), class.number(), lookup, wrapped, now_us()];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Replaces the key by its tombstone, in the transaction that the caller opened.
    pub(crate) fn erase(&self, id: KeyId) -> Result<()> {
        self.connection.execute(
            "INSERT INTO tombstones (id, erased_us) VALUES (?1, ?2)",
            params![id.as_bytes(), now_us()],
        )?;
        self.connection.execute("DELETE FROM subject_keys WHERE id = ?1", [id.as_bytes()])?;
        Ok(())
    }

    /// Empties the write-ahead log, where older images of changed pages stand.
    pub(crate) fn empty_log(&self) -> Result<()> {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        if busy == 0 { Ok(()) } else { Err(Error::Busy) }
    }

    /// Runs `work` in one durable transaction.
    pub(crate) fn transaction<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = work(self).and_then(|done| {
            self.connection.execute_batch("COMMIT")?;
            Ok(done)
        });
        if done.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        done
    }
}

/// Makes the file with a mode of its own before SQLite makes it with a wider one; the log and
/// the shared memory get the same mode.
fn create_file(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| Error::io(path, &error))
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn now_us() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}
