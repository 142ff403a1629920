//! Policies that change while they are in force.

use crate::support::call;
use policy::{Changed, LoadError, Outcome, Policies};
use std::fs;
use std::path::Path;

fn write(dir: &Path, outcome: &str) {
    let text = format!("@id(\"x\") @outcome(\"{outcome}\") forbid (principal, action, resource);");
    // As editors do: a new file in the place of the old one.
    fs::write(dir.join("new"), text).unwrap();
    fs::rename(dir.join("new"), dir.join("a.cedar")).unwrap();
}

#[test]
fn an_edit_is_taken_up_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "FLAG");
    let policies = Policies::open(dir.path()).unwrap();
    let outcome = || policies.current().decide(&call()).outcome;
    assert_eq!((outcome(), policies.reload()), (Outcome::Flag, Ok(Changed::No)));

    write(dir.path(), "BLOCK");
    let before = policies.current();
    assert!(matches!(policies.reload(), Ok(Changed::Replaced { .. })));
    assert_eq!(outcome(), Outcome::Block);
    assert_eq!(before.decide(&call()).outcome, Outcome::Flag, "a call keeps what it got");

    write(dir.path(), "NOTHING");
    let Err(LoadError::Faults(faults)) = policies.reload() else { panic!("it loads") };
    assert_eq!(faults[0].file, dir.path().join("a.cedar").display().to_string());
    assert_eq!((outcome(), policies.reload()), (Outcome::Block, Ok(Changed::No)));
    assert!(policies.broken().is_some());

    write(dir.path(), "BLOCK");
    assert_eq!(policies.reload(), Ok(Changed::Restored));
    assert!(policies.broken().is_none());
}

#[test]
fn a_folder_that_goes_away_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "BLOCK");
    let policies = Policies::open(dir.path()).unwrap();
    fs::remove_file(dir.path().join("a.cedar")).unwrap();
    assert!(policies.reload().unwrap_err().to_string().contains("there is no .cedar file"));
    assert_eq!(policies.current().decide(&call()).outcome, Outcome::Block);
}

#[test]
fn a_folder_has_to_load_well_once() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Policies::open(dir.path()).unwrap_err().to_string().contains("write one"));
    let missing = Policies::open(&dir.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("correct the path"), "{missing}");
}
