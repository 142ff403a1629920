//! Directories as one small file, for fixtures: what files hold, no more. Journals are mostly
//! zeros, which compression takes away.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct File {
    path: String,
    bytes: u64,
}

/// Packs the files of a directory that `keep` wants, by their paths in it.
///
/// # Errors
/// Where a file cannot be read.
pub fn pack(directory: &Path, keep: impl Fn(&str) -> bool) -> io::Result<Vec<u8>> {
    let mut files = BTreeMap::new();
    collect(directory, "", &mut files)?;
    files.retain(|path, _| keep(path));
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    for (path, content) in files {
        let head = serde_json::to_string(&File { path, bytes: content.len() as u64 })?;
        writeln!(out, "{head}")?;
        out.write_all(&content)?;
    }
    out.finish()
}

fn collect(directory: &Path, above: &str, into: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = format!("{above}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), into)?;
        } else if kind.is_file() {
            into.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Unpacks into a directory; only its owner may read what comes out.
///
/// # Errors
/// Where it is no pack, or a file cannot be written.
pub fn unpack(packed: &[u8], directory: &Path) -> io::Result<()> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes)?;
    let mut rest = bytes.as_slice();
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(short)?;
        let (head, behind) = rest.split_at(end);
        let file: File = serde_json::from_slice(head)?;
        let (content, more) = behind
            .get(1..)
            .and_then(|b| b.split_at_checked(file.bytes as usize))
            .ok_or_else(short)?;
        let path = directory.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
            fs::set_permissions(parent, fs::Permissions::from_mode(0o700))?;
        }
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        rest = more;
    }
    Ok(())
}
