//! An independent reader: Go's checksum database packages accept our logs and refuse forged
//! ones. They come with the Go toolchain that `make` installs; nothing is downloaded here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "suite/log.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod log;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use log::{Store, TestKey, leaves, publish};

/// The packages of `golang.org/x/mod/sumdb` that read logs.
const PACKAGES: [&str; 2] = ["note", "tlog"];
const MODULE: &str = "module sumdbcheck\n\ngo 1.26\n\n\
    require golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./xmod\n";

#[allow(clippy::disallowed_methods, reason = "finds the tools that `make` installed")]
fn venv() -> PathBuf {
    std::env::var_os("AUDIT_LAYER_VENV").map_or_else(
        || Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/audit-layer/venv"),
        PathBuf::from,
    )
}

/// The root of the Go toolchain in the virtual environment.
fn go_root() -> PathBuf {
    let library = venv().join("lib");
    let mut versions: Vec<PathBuf> = fs::read_dir(&library)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("site-packages/go"))
        .filter(|root| root.join("bin/go").is_file())
        .collect();
    versions.sort();
    versions
        .pop()
        .unwrap_or_else(|| panic!("there is no Go below {}: `make` installs it", library.display()))
}

fn go(root: &Path, scratch: &Path, arguments: &[&str]) {
    let output = Command::new(root.join("bin/go"))
        .args(arguments)
        .current_dir(scratch)
        .env("GOROOT", root)
        .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache"))
        .env("GOPATH", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-path"))
        .envs([("GOPROXY", "off"), ("GOFLAGS", "-mod=mod"), ("GOTOOLCHAIN", "local")])
        .envs([("GOENV", "off"), ("GOWORK", "off"), ("CGO_ENABLED", "0"), ("GOSUMDB", "off")])
        .output()
        .unwrap();
    assert!(output.status.success(), "go {arguments:?}: {}", text(&output.stderr));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Builds the reader from our `main.go` and the toolchain's own copy of the packages.
fn build(root: &Path, scratch: &Path) -> OsString {
    let source = root.join("src/cmd/vendor/golang.org/x/mod/sumdb");
    for package in PACKAGES {
        let target = scratch.join("xmod/sumdb").join(package);
        fs::create_dir_all(&target).unwrap();
        for file in fs::read_dir(source.join(package)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), target.join(file.file_name())).unwrap();
        }
    }
    fs::write(scratch.join("xmod/go.mod"), "module golang.org/x/mod\n\ngo 1.26\n").unwrap();
    fs::write(scratch.join("go.mod"), MODULE).unwrap();
    fs::write(scratch.join("main.go"), include_str!("go/main.go")).unwrap();
    go(root, scratch, &["build", "-o", "sumdbcheck", "."]);
    scratch.join("sumdbcheck").into_os_string()
}

/// Runs the reader over a log; the error is what it printed.
fn check(store: &Store, size: u64, old_sizes: &[u64]) -> Result<(), String> {
    static BUILT: OnceLock<(tempfile::TempDir, OsString)> = OnceLock::new();
    let (_, binary) = BUILT.get_or_init(|| {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let binary = build(&go_root(), scratch.path());
        (scratch, binary)
    });
    let log = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (path, bytes) in &store.0 {
        let file = log.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    let output = Command::new(binary)
        .arg(log.path())
        .arg(TestKey::log(1).verifier().to_string())
        .arg(size.to_string())
        .args(old_sizes.iter().map(u64::to_string))
        .output()
        .unwrap();
    if output.status.success() && output.stdout == b"verified\n" {
        Ok(())
    } else {
        Err(text(&output.stderr))
    }
}

/// One test, so that the reader is built once.
#[test]
fn go_accepts_our_logs_and_refuses_forged_ones() {
    let key = TestKey::log(1);
    for (size, old_sizes) in [
        (1, &[1][..]),
        (2, &[1, 2]),
        (255, &[1, 128, 254]),
        (256, &[255, 256]),
        (257, &[255, 256, 257]),
        (513, &[1, 256, 300, 512, 513]),
        (65_537, &[65_535, 65_536, 4_097]),
    ] {
        assert_eq!(check(&publish(&leaves(size), &key), size, old_sizes), Ok(()), "{size} leaves");
    }

    let good = publish(&leaves(300), &key);
    assert_eq!(check(&good, 300, &[1, 299]), Ok(()));
    // The store of a log whose leaf 9 is another.
    let mut changed = leaves(300);
    changed[9] = b"forged".to_vec();
    let forged = publish(&changed, &key);
    let with = |paths: &[&str]| {
        let mut store = good.clone();
        for path in paths {
            store.0.insert((*path).to_owned(), forged.0[*path].clone());
        }
        check(&store, 300, &[]).unwrap_err()
    };
    let said = with(&["tile/entries/000"]);
    assert!(said.contains("leaf 9: the tile has another hash"), "{said}");
    // A forged entry with its tile, which versions before CVE-2026-56865 was fixed accepted.
    let said = with(&["tile/entries/000", "tile/0/000"]);
    assert!(said.contains("inconsistent"), "{said}");
    let said = with(&["tile/0/000"]);
    assert!(said.contains("inconsistent"), "{said}");
    let mut wrong_key = good.clone();
    let checkpoint = publish(&leaves(300), &TestKey::log(2)).0["checkpoint"].clone();
    wrong_key.0.insert("checkpoint".to_owned(), checkpoint);
    assert!(check(&wrong_key, 300, &[]).unwrap_err().contains("no verifiable signatures"));
}
