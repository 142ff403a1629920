//! The documents are there, say what is true, and point at what exists.

use crate::tree::{Source, assert_none, root, tracked_with};
use testkit::update_logging_md;

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "LOGGING.md",
    "LICENSE",
    "docs/client-headers.md",
    "docs/reporting.md",
    "docs/operators.md",
    "docs/policies.md",
    "docs/roles.md",
];

#[test]
fn every_document_is_there() {
    let missing: Vec<String> = DOCUMENTS
        .iter()
        .filter(|path| !root().join(path).is_file())
        .map(|path| format!("{path} is missing"))
        .collect();
    assert_none("documents", &missing);
}

#[test]
fn logging_md_states_the_catalogue() {
    let document = std::fs::read_to_string(root().join("LOGGING.md")).expect("LOGGING.md");
    let updated = update_logging_md(&document).expect("the document has its marks");
    let stale = document.lines().zip(updated.lines()).find(|(found, wanted)| found != wanted);
    assert!(
        document == updated,
        "LOGGING.md is stale, run `make docs`; first difference: {stale:?}"
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut faults = Vec::new();
    for Source { path, text } in tracked_with(&[".md"]) {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty()
                || file.contains("://")
                || file.starts_with("mailto:")
                || file.contains(' ')
            {
                continue;
            }
            let from = root().join(&path);
            if !from.parent().expect("a file").join(file).exists() {
                faults.push(format!("{path}: {link}"));
            }
        }
    }
    assert_none("links that lead nowhere", &faults);
}

#[test]
fn every_fuzz_target_is_run() {
    let manifest =
        std::fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("fuzz/Cargo.toml");
    let unlisted: Vec<String> = tracked_with(&[".rs"])
        .into_iter()
        .filter_map(|file| file.path.strip_prefix("fuzz/").map(str::to_owned))
        .filter(|path| !manifest.contains(&format!("path = \"{path}\"")))
        .collect();
    assert_none("fuzz targets that fuzz/Cargo.toml does not name", &unlisted);
}
