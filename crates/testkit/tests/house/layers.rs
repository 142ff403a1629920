//! Dependencies between the crates of the workspace point one way.

use crate::tree::{assert_none, root};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// Which crates of ours each crate may import. A new edge is a decision: make it here.
const MAY: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("ledger", &[]),
    ("journal", &[]),
    ("seal", &[]),
    ("demo", &[]),
    ("record", &["event", "ledger"]),
    ("wire", &["event"]),
    ("policy", &["event"]),
    ("index", &["event"]),
    ("index-sqlite", &["event", "index"]),
    ("control", &["event"]),
    ("recorder", &["event", "index", "journal", "ledger", "policy", "record", "seal", "wire"]),
    ("review", &["control", "event", "recorder"]),
    ("ingest", &["event", "journal", "policy", "recorder", "wire"]),
    ("verify", &["event", "index", "journal", "ledger", "record", "seal"]),
    ("gateway", &["control", "event", "policy", "recorder", "review", "wire"]),
    (
        "api",
        &[
            "control", "event", "index", "ingest", "journal", "ledger", "policy", "record",
            "recorder", "review", "verify", "wire",
        ],
    ),
    (
        "cli",
        &[
            "api",
            "control",
            "demo",
            "event",
            "gateway",
            "index",
            "index-sqlite",
            "ingest",
            "journal",
            "ledger",
            "policy",
            "record",
            "recorder",
            "review",
            "seal",
            "verify",
            "wire",
        ],
    ),
    ("testkit", &["demo", "event"]),
];

/// What a crate knows nothing of, beyond the workspace.
const MUST_NOT: &[(&str, &[&str])] = &[
    ("event", &["tokio", "hyper", "http", "rusqlite"]),
    ("ledger", &["tokio", "hyper", "http", "rusqlite"]),
    ("record", &["tokio", "hyper", "http", "rusqlite"]),
    ("journal", &["hyper", "http", "rusqlite", "serde_derive"]),
    ("wire", &["tokio", "hyper", "hyper-util", "axum", "rusqlite"]),
    ("policy", &["tokio", "hyper", "axum", "rusqlite"]),
    ("recorder", &["hyper", "hyper-util", "http", "axum", "rusqlite"]),
    ("review", &["hyper", "hyper-util", "http", "axum", "rusqlite"]),
    ("ingest", &["hyper", "hyper-util", "http", "axum"]),
    ("verify", &["hyper", "hyper-util", "http", "axum", "tokio"]),
    ("gateway", &["axum", "rusqlite", "clap", "figment"]),
    ("api", &["rusqlite", "clap", "figment"]),
];

fn metadata() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Names of what a package depends on; `kind` as cargo states it (null: normal).
fn dependencies<'a>(package: &'a Value, kinds: &[Option<&str>]) -> Vec<&'a str> {
    let all = package["dependencies"].as_array().expect("dependencies");
    all.iter()
        .filter(|dependency| kinds.contains(&dependency["kind"].as_str()))
        .filter_map(|dependency| dependency["name"].as_str())
        .collect()
}

/// Where a crate stands, from below.
fn position(name: &str) -> Option<usize> {
    MAY.iter().position(|(crate_name, _)| *crate_name == name)
}

#[test]
fn crates_import_only_what_lies_below_them() {
    let packages = metadata();
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let may: BTreeMap<_, _> = MAY.iter().copied().collect();
    let must_not: BTreeMap<_, _> = MUST_NOT.iter().copied().collect();
    let mut faults = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let Some(allowed) = may.get(name) else {
            faults.push(format!("{name} is in no layer: add it to MAY"));
            continue;
        };
        for dependency in dependencies(package, &[None, Some("build")]) {
            if names.contains(&dependency) && !allowed.contains(&dependency) {
                faults.push(format!("{name} must not import {dependency}"));
            }
            if must_not.get(name).is_some_and(|barred| barred.contains(&dependency)) {
                faults.push(format!("{name} must know nothing of {dependency}"));
            }
        }
        // Tests may put together what they need from below, and use the test kit.
        for dependency in dependencies(package, &[Some("dev")]) {
            let below = position(dependency) <= position(name);
            if names.contains(&dependency) && dependency != "testkit" && !below {
                faults.push(format!("the tests of {name} must not import {dependency}"));
            }
        }
    }
    assert_none("dependencies point the wrong way", &faults);
}

#[test]
fn the_layers_have_no_cycle() {
    for (name, allowed) in MAY {
        for below in *allowed {
            assert!(
                position(below) < position(name),
                "{name} may import {below}, which stands above it"
            );
        }
    }
}
