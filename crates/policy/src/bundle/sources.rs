//! The files of a bundle: read, and hashed into its version.

use super::error::LoadError;
use super::schema;
use aws_lc_rs::digest;
use std::fmt::Write as _;
use std::path::Path;

const FILE_BYTES_MAX: u64 = 1 << 20;
const FILES_MAX: usize = 10_000;

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, without the folder.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Which files of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Policies,
    Cases,
}

impl Part {
    fn has(self, name: &str) -> bool {
        let ends = |ending: &str| {
            Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
        };
        match self {
            Self::Policies => ends("cedar") || name == schema::FILE,
            Self::Cases => name == "tests.toml" || name.ends_with(".test.toml"),
        }
    }
}

/// Reads the files of a folder that make its bundle, sorted by name. There is at least one policy
/// file.
pub(super) fn policies(dir: &Path) -> Result<Vec<Source>, LoadError> {
    let sources = read(dir, Part::Policies)?;
    if !sources.iter().any(|source| source.name != schema::FILE) {
        let what = "there is no .cedar file in it; write one, or name another folder".to_owned();
        return Err(failed(dir, what));
    }
    Ok(sources)
}

/// Reads a folder's test cases, `tests.toml` and `*.test.toml`, sorted by name.
pub(super) fn cases(dir: &Path) -> Result<Vec<Source>, LoadError> {
    read(dir, Part::Cases)
}

/// Those of some files that make a bundle, sorted by name.
pub(super) fn of_bundle(sources: &[Source]) -> Vec<Source> {
    let mut own: Vec<_> =
        sources.iter().filter(|source| Part::Policies.has(&source.name)).cloned().collect();
    own.sort_by(|a, b| a.name.cmp(&b.name));
    own
}

/// Those of some files that hold test cases.
pub(super) fn of_cases(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| Part::Cases.has(&source.name))
}

fn read(dir: &Path, part: Part) -> Result<Vec<Source>, LoadError> {
    let listed = std::fs::read_dir(dir).map_err(|error| {
        failed(dir, format!("the folder of policies cannot be read: {error}; correct the path"))
    })?;
    let mut sources = Vec::new();
    for entry in listed {
        let path = entry.map_err(|error| failed(dir, format!("cannot be listed: {error}")))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') || !part.has(name) {
            continue;
        }
        let size = std::fs::metadata(&path).map_or(0, |file| file.len());
        if size > FILE_BYTES_MAX || sources.len() >= FILES_MAX {
            let what = format!("at most {FILES_MAX} files of {FILE_BYTES_MAX} bytes; split it up");
            return Err(failed(&path, what));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| failed(&path, format!("cannot be read: {error}")))?;
        sources.push(Source { name: name.to_owned(), text });
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

fn failed(path: &Path, what: String) -> LoadError {
    LoadError::Unreadable { path: path.to_owned(), what }
}

/// The version of a bundle: a hash over the names and bytes of its files, which are sorted.
pub(super) fn hash(sources: &[Source]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for Source { name, text } in sources {
        for part in [name, text] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    let mut text = "sha256:".to_owned();
    for byte in context.finish().as_ref() {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}
