//! Files that hold one secret: mode 0600 in a directory of mode 0700.

use crate::kdf::{self, Secret};
use crate::{Error, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// 64 digits and line ends, with something to spare.
const FILE_BYTES_MAX: u64 = 256;

/// Reads the secret, or makes a new one where the file does not exist.
pub(crate) fn load_or_create(dir: &Path, name: &str) -> Result<Secret> {
    match load(dir, name) {
        Err(Error::NoKeyFile { .. }) => {}
        loaded => return loaded,
    }
    create_dir(dir)?;
    create(dir, name)?;
    // Read back instead of returned: where two processes start at once, both get the first's.
    load(dir, name)
}

/// Reads the secret.
pub(crate) fn load(dir: &Path, name: &str) -> Result<Secret> {
    let path = dir.join(name);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::NoKeyFile { path });
        }
        Err(error) => return Err(Error::io(path, &error)),
    };
    let metadata = file.metadata().map_err(|error| Error::io(&path, &error))?;
    check_mode(&path, metadata.permissions().mode(), FILE_MODE)?;
    let dir_metadata = fs::metadata(dir).map_err(|error| Error::io(dir, &error))?;
    check_mode(dir, dir_metadata.permissions().mode(), DIR_MODE)?;
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
    Read::by_ref(&mut file)
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(|error| Error::io(&path, &error))?;
    parse(&text).ok_or(Error::KeyFile { path })
}

fn parse(text: &[u8]) -> Option<Secret> {
    let mut secret = Secret::default();
    if text.len() == 32 {
        secret.copy_from_slice(text);
        return Some(secret);
    }
    hex::decode_to_slice(text.trim_ascii(), secret.as_mut()).ok()?;
    Some(secret)
}

fn check_mode(path: &Path, mode: u32, wanted: u32) -> Result<()> {
    let mode = mode & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::Permissions { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

fn create_dir(dir: &Path) -> Result<()> {
    match DirBuilder::new().mode(DIR_MODE).create(dir) {
        Ok(()) => dir.parent().map_or(Ok(()), sync_dir),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::io(dir, &error)),
    }
}

/// Makes the file as a whole or not at all, and never replaces one.
fn create(dir: &Path, name: &str) -> Result<()> {
    let temporary = dir.join(format!(".{name}.{}", hex::encode(kdf::random16())));
    let written = write_new(&temporary).and_then(|()| publish(&temporary, &dir.join(name)));
    if written.is_err() {
        // The first error is the one to report; a left-over temporary file is never read.
        let _removed = fs::remove_file(&temporary);
    }
    written?;
    sync_dir(dir)
}

fn write_new(path: &Path) -> Result<()> {
    let secret = kdf::random_secret()?;
    let mut text = Zeroizing::new([0; 65]);
    text[64] = b'\n';
    hex::encode_to_slice(secret.as_ref(), &mut text[..64]).map_err(|_| Error::Crypto)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_ref())?;
            file.sync_all()
        })
        .map_err(|error| Error::io(path, &error))
}

fn publish(temporary: &Path, path: &Path) -> Result<()> {
    match renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Another process was first: its key is the key.
        Err(rustix::io::Errno::EXIST) => {
            fs::remove_file(temporary).map_err(|error| Error::io(temporary, &error))
        }
        // Some file systems cannot rename without replacing.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::rename(temporary, path).map_err(|error| Error::io(path, &error))
        }
        Err(error) => Err(Error::io(path, &error.into())),
    }
}

/// Makes the directory's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir).and_then(|file| file.sync_all()).map_err(|error| Error::io(dir, &error))
}
