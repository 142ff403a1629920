//! Data directories that cannot be used.

use crate::support::{Ran, run, run_in};
use std::fs;
use std::path::Path;

const READERS: [&[&str]; 7] = [
    &["logs"],
    &["show", "x"],
    &["sql", "SELECT 1"],
    &["proof", "x"],
    &["verify"],
    &["checkpoint"],
    &["rebuild"],
];

fn on(data: &Path, command: &[&str]) -> Ran {
    run(&[command, &["--data", data.to_str().unwrap()]].concat())
}

#[test]
fn one_that_is_missing_is_said_and_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("missing");
    for command in READERS {
        on(&data, command).failed(1, "--data");
        assert!(!data.exists(), "{command:?} made it");
    }
}

#[test]
fn a_file_is_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("file");
    fs::write(&data, "x").unwrap();
    on(&data, &["logs"]).failed(1, "no directory");
    let serve = ["serve", "--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"];
    on(&data, &serve).failed(1, "cannot be made");
}

#[test]
fn somebody_elses_directory_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.txt"), "x").unwrap();
    let made = on(directory.path(), &["keys", "create", "--source", "a"]);
    made.failed(1, "thesis.txt");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_newer_format_is_refused_by_whoever_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit-layer.json");
    fs::write(&path, r#"{"format":"audit-layer/data/7"}"#).unwrap();
    on(directory.path(), &["keys", "create", "--source", "a"]).failed(1, "audit-layer/data/7");
    on(directory.path(), &["logs"]).failed(1, "later one");
    fs::write(&path, r#"{"format":"audit-layer/data/0"}"#).unwrap();
    on(directory.path(), &["logs"]).failed(1, "start with an empty one");
    fs::write(&path, "{").unwrap();
    on(directory.path(), &["logs"]).failed(1, "damaged");
}

#[test]
fn a_data_directory_may_lie_deep() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("a".repeat(100)).join("b".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    let made = run_in(&deep, &["keys", "create", "--source", "a", "--json"], &[]);
    assert_eq!(made.code, 0, "{made:?}");
    let data = deep.join("audit-data");
    let listed = on(&data, &["keys", "list", "--json"]).json();
    assert_eq!(listed["items"][0]["id"], made.json()["id"]);
}

#[test]
fn doctor_finds_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    assert_eq!(on(&data, &["keys", "create", "--source", "a"]).code, 0);
    let state_of = |ran: &Ran, check: &str| {
        let checks = ran.json()["checks"].as_array().unwrap().clone();
        let found = checks.into_iter().find(|found| found["check"] == check);
        found.unwrap_or_else(|| panic!("no {check} in {ran:?}"))["state"].clone()
    };
    let nobody = testkit_refused();
    let check = ["doctor", "--json"];
    let environment = [("AUDIT_LAYER__GATEWAY__UPSTREAM", nobody.as_str())];
    let ran = run_in(directory.path(), &[&check[..], &["--data", "data"]].concat(), &environment);
    assert_eq!(ran.code, 1);
    assert_eq!(state_of(&ran, "provider upstream"), "failed");
    for check in ["configuration", "clock", "data directory", "keys", "ledger", "index"] {
        assert_eq!(state_of(&ran, check), "ok", "{check}: {ran:?}");
    }
    let keys = data.join("keys");
    let key = fs::read_dir(&keys).unwrap().next().unwrap().unwrap().path();
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    fs::set_permissions(&key, open).unwrap();
    let ran = run_in(directory.path(), &[&check[..], &["--data", "data"]].concat(), &environment);
    assert_eq!(state_of(&ran, "keys"), "failed");
}

fn testkit_refused() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Each waits for its turn, or is served by the one that has the directory.
#[test]
fn commands_that_begin_a_directory_at_once_all_succeed() {
    for _ in 0..4 {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::thread::scope(|scope| {
            let one = || {
                let ran = on(&data, &["keys", "create", "--source", "a"]);
                assert_eq!(ran.code, 0, "{ran:?}");
            };
            let all: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        });
        let verified = on(&data, &["verify"]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}
