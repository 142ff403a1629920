//! The files of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tracked file.
pub(crate) struct Source {
    /// Path from the root, with slashes.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("crates/testkit lies two levels below the root").to_owned()
}

/// Every tracked file that exists and is text.
pub(crate) fn tracked() -> Vec<Source> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is installed");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let files: Vec<Source> = names
        .split('\0')
        .filter(|path| !path.is_empty())
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source { path: path.to_owned(), text })
        })
        .collect();
    assert!(files.len() > 20, "only {} files are tracked", files.len());
    files
}

/// Tracked files with one of these endings.
pub(crate) fn tracked_with(endings: &[&str]) -> Vec<Source> {
    let mut files = tracked();
    files.retain(|file| endings.iter().any(|ending| file.path.ends_with(ending)));
    files
}

/// Fails with all faults at once, so that they can be mended at once.
pub(crate) fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}
