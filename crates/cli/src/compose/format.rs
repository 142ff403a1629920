//! What marks a directory as a data directory, and of which format.

use super::OpenFailure;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

const NAME: &str = "audit-layer.json";
const FORMAT: &str = "audit-layer/data/1";
/// What was written before the formats were frozen; no released version wrote it.
const FORMAT_BEFORE: &str = "audit-layer/data/0";
/// What may stand in a directory that is to become a data directory.
const OURS: [&str; 8] =
    ["journal", "ledger", "keys", "objects", "lock", "control.sock", "policies", "lost+found"];

#[derive(Serialize, Deserialize)]
struct Description {
    format: String,
}

/// Makes the directory where it is missing, and refuses one that is not ours or newer than us.
pub fn prepare(data: &Path) -> Result<(), OpenFailure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|error| {
        OpenFailure::Other(format!(
            "the data directory {} cannot be made: {error}; check the path and its permissions",
            data.display()
        ))
    })?;
    let path = data.join(NAME);
    match fs::read(&path) {
        Ok(bytes) => check(&path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse_foreign(data)?;
            write(data, &path).map_err(|error| cannot("written", &path, &error))
        }
        Err(error) => Err(cannot("read", &path, &error)),
    }
}

/// As [`prepare`] for a directory that is there, and writes nothing.
pub fn inspect(data: &Path) -> Result<(), OpenFailure> {
    let path = data.join(NAME);
    match fs::read(&path) {
        Ok(bytes) => check(&path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => refuse_foreign(data),
        Err(error) => Err(cannot("read", &path, &error)),
    }
}

fn check(path: &Path, bytes: &[u8]) -> Result<(), OpenFailure> {
    let description: Description = serde_json::from_slice(bytes).map_err(|error| {
        OpenFailure::Other(format!(
            "{} is damaged ({error}); restore it from a copy",
            path.display()
        ))
    })?;
    if description.format == FORMAT {
        return Ok(());
    }
    if description.format == FORMAT_BEFORE {
        return Err(OpenFailure::Other(format!(
            "{} says format {FORMAT_BEFORE:?}, from before the formats were frozen: it cannot be read; keep the directory aside, and start with an empty one",
            path.display()
        )));
    }
    Err(OpenFailure::Other(format!(
        "{} says format {:?}, this version knows {FORMAT:?}; use the version that wrote it, or a later one",
        path.display(),
        description.format
    )))
}

/// A directory with other things in it was most likely given by mistake.
fn refuse_foreign(data: &Path) -> Result<(), OpenFailure> {
    let entries = fs::read_dir(data).map_err(|error| cannot("read", data, &error))?;
    for entry in entries {
        let name = entry.map_err(|error| cannot("read", data, &error))?.file_name();
        let name = name.to_string_lossy();
        let store = ["index.db", "control.db", "subjects.db", "ingest.db", ".", NAME];
        let ours = OURS.contains(&name.as_ref()) || store.iter().any(|own| name.starts_with(own));
        if !ours {
            return Err(OpenFailure::Other(format!(
                "{} holds {name:?} and is no data directory; give an empty or a new directory with --data",
                data.display()
            )));
        }
    }
    Ok(())
}

fn write(data: &Path, path: &Path) -> io::Result<()> {
    // Two may begin at once.
    let temporary = data.join(format!("{NAME}.{}", std::process::id()));
    let text = serde_json::to_string(&Description { format: FORMAT.to_owned() })?;
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(data)?.sync_all()
}

fn cannot(action: &str, path: &Path, error: &io::Error) -> OpenFailure {
    OpenFailure::Other(format!(
        "{} cannot be {action}: {error}; check its permissions",
        path.display()
    ))
}
