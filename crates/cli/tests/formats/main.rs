//! Data directories of every version of the formats are read as they were written. Each fixture
//! holds every kind of record that its version knew (`examples/format_fixture.rs` made it); it is
//! never made again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod dump;

use event::Leaf;
use recorder::RecordReader;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const VERSIONS: [&str; 1] = ["1"];

struct Fixture {
    root: tempfile::TempDir,
    expected: Value,
    directory: PathBuf,
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_audit-layer"))
}

impl Fixture {
    fn of(version: &str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(format!("format-{version}"));
        let root = tempfile::tempdir().unwrap();
        testkit::unpack(&fs::read(directory.join("data.pack")).unwrap(), root.path()).unwrap();
        let expected = fs::read(directory.join("expected.json")).unwrap();
        Self { root, expected: serde_json::from_slice(&expected).unwrap(), directory }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn text(&self, name: &str) -> &str {
        self.expected[name].as_str().unwrap()
    }
}

/// Equal, and where not, the first that differs: all of it is too long to read.
#[track_caller]
fn assert_same(what: &str, found: &Value, expected: &Value) {
    let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}

#[test]
fn every_version_is_verified_and_read_as_it_was() {
    for version in VERSIONS {
        let fixture = Fixture::of(version);
        let (data, expected) = (fixture.data(), &fixture.expected);
        assert_eq!(dump::verified(binary(), &data), expected["verified"]);
        let read = dump::read(binary(), &data, fixture.text("until"));
        for what in ["events", "calls", "bodies"] {
            assert_same(what, &read[what], &expected["read"][what]);
        }
        // What is read is recorded: it goes on in the same format.
        let after = dump::verified(binary(), &data);
        assert!(after["records"].as_u64() > expected["verified"]["records"].as_u64());
    }
}

#[test]
fn every_version_holds_every_kind_of_record() {
    for version in VERSIONS {
        let fixture = Fixture::of(version);
        let mut types: Vec<&str> = fixture.expected["read"]["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["event_type"].as_str().unwrap())
            .collect();
        types.sort_unstable();
        types.dedup();
        for kind in fixture.expected["types"].as_array().unwrap() {
            assert!(types.contains(&kind.as_str().unwrap()), "{kind} is not in version {version}");
        }
    }
}

#[test]
fn every_leaf_is_written_again_byte_for_byte() {
    for version in VERSIONS {
        let fixture = Fixture::of(version);
        let journal = fixture.data().join("journal");
        let mut records = RecordReader::open(&journal, None, true).unwrap();
        let mut count = 0;
        while let Some(record) = records.next(None).unwrap() {
            assert_eq!(Leaf::read(&record.leaf_bytes).unwrap().to_bytes(), record.leaf_bytes);
            count += 1;
        }
        assert_eq!(Value::from(count), fixture.expected["verified"]["records"]);
    }
}

#[test]
fn every_version_s_proofs_and_held_calls_are_read() {
    for version in VERSIONS {
        let fixture = Fixture::of(version);
        let proof = fixture.directory.join("proof.json");
        let arguments = ["verify-proof", proof.to_str().unwrap(), "--json"];
        let keys: Vec<&str> = fixture.expected["vkeys"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let keys = keys.iter().flat_map(|key| ["--key", key]);
        let output = std::process::Command::new(binary())
            .args(arguments.into_iter().chain(keys))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let review = ["reviews", "show", fixture.text("review"), "--json"];
        let (code, text) = dump::run(binary(), &fixture.data(), &review);
        assert_eq!(code, Some(0), "{text}");
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(shown["user_id"], "u-42");
        assert_eq!(shown["prompt_preview"], fixture.expected["held_preview"]);
    }
}
