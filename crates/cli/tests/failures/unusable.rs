//! Data directories that cannot be used, and say so.

use crate::disk::Tmpfs;
use crate::support::{builder, call, settle, verify};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{AuditLayer, Behaviour, Client, MockProvider};

async fn recorded(provider: &MockProvider, data: &Path) -> AuditLayer {
    let mut server = builder().upstream(&provider.url()).data(data).start().await;
    let key = server.key("finance-app").await;
    let (client, url) = (Client::new(), server.gateway_url().to_owned());
    for number in 0..5 {
        let answer = call(&client, &url, &key, &format!("r-{number}"), false).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(server.stop().await.success());
    server
}

#[tokio::test]
async fn a_read_only_directory_is_refused_and_can_be_verified() {
    let disk = Tmpfs::new(64);
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = recorded(&provider, &disk.path().join("data")).await;
    let remount = |how: &str| {
        let mut command = Command::new("mount");
        let status = command.args(["-o", &format!("remount,{how}")]).arg(disk.path()).status();
        assert!(status.unwrap().success());
    };
    remount("ro");
    let output = server.try_start().await.unwrap_err();
    assert!(output.contains("not writable") || output.contains("Read-only"), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
    remount("rw");
    server.start().await;
}

/// Changes one bit in the middle of what is used of a file.
fn flip(path: &Path) -> u64 {
    let mut bytes = fs::read(path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used / 2] ^= 4;
    fs::write(path, bytes).unwrap();
    used as u64 / 2
}

#[tokio::test]
async fn a_corrupted_journal_is_refused_with_its_place() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let root = tempfile::tempdir().unwrap();
    let mut server = recorded(&provider, &root.path().join("data")).await;
    let segment: PathBuf = fs::read_dir(server.data().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .min()
        .unwrap();
    let sound = fs::read(&segment).unwrap();
    let at = flip(&segment);
    let output = server.try_start().await.unwrap_err();
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(output.contains(name) && output.contains("damaged at offset"), "{output}");
    let named: u64 = output
        .split("damaged at offset ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap();
    assert!(named <= at && at - named < 64 << 10, "{named} is not the frame of byte {at}");
    assert!(fs::read(&segment).unwrap().len() == sound.len(), "nothing is cut off");
    fs::write(&segment, sound).unwrap();
    server.start().await;
    assert!(server.stop().await.success());
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn keys_that_were_used_are_never_made_anew() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let root = tempfile::tempdir().unwrap();
    let mut server = recorded(&provider, &root.path().join("data")).await;
    // Without its keys nothing in the journal could be read: a new store is not made silently.
    let path = server.data().join("subjects.db");
    settle(&path);
    let sound = fs::read(&path).unwrap();
    for missing in [true, false] {
        fs::remove_file(&path).unwrap();
        if !missing {
            fs::write(&path, "").unwrap();
        }
        let Err(output) = server.try_start().await else { panic!("a new key store was made") };
        assert!(output.contains("subjects.db") && output.contains("restore"), "{output}");
        fs::write(&path, &sound).unwrap();
    }
    // Nor a new key for the keys in it.
    let path = server.data().join("keys/kek");
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    let Err(output) = server.try_start().await else { panic!("a new key-encryption key was made") };
    assert!(output.contains("keys/kek") && output.contains("restore"), "{output}");
    assert!(!path.exists(), "a new key-encryption key was made");
    fs::rename(&aside, &path).unwrap();
    // Nor a new key to sign with, nor is another one taken: whoever checks the log trusts the first.
    let path = server.data().join("keys/signing");
    let sound = fs::read(&path).unwrap();
    for other in [None, Some("a".repeat(64))] {
        fs::remove_file(&path).unwrap();
        if let Some(other) = other {
            fs::write(&path, other).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let Err(output) = server.try_start().await else { panic!("another key would sign") };
        assert!(output.contains("keys/signing") && output.contains("--new-epoch"), "{output}");
        fs::write(&path, &sound).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    server.start().await;
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn other_files_that_are_damaged_are_named_or_made_again() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let root = tempfile::tempdir().unwrap();
    let mut server = recorded(&provider, &root.path().join("data")).await;
    for (file, named) in [
        ("journal/meta.json", "meta.json"),
        ("keys/kek", "kek"),
        ("keys/signing", "signing"),
        ("subjects.db", "the key store"),
        ("control.db", "the control store"),
        ("index.db", "rebuild"),
    ] {
        let path = server.data().join(file);
        if path.extension().is_some_and(|extension| extension == "db") {
            settle(&path);
        }
        let sound = fs::read(&path).unwrap();
        fs::write(&path, "this is not what it was".repeat(1_000)).unwrap();
        let Err(output) = server.try_start().await else { panic!("{file} was taken as it is") };
        assert!(output.contains(named), "{file}: {output}");
        assert!(!output.contains("panicked"), "{file}: {output}");
        fs::write(&path, sound).unwrap();
    }
    // The ledger is derived: what is damaged of it is made again.
    let tile = server.data().join("ledger/00000001/tile/0");
    // The newest: older ones only serve those who hold an older checkpoint.
    let sizes = fs::read_dir(tile.join("000.p")).unwrap();
    let size_of = |name: &std::ffi::OsStr| name.to_str().unwrap().parse::<u32>().unwrap();
    let newest = sizes.map(|entry| entry.unwrap().path());
    flip(&newest.max_by_key(|path| size_of(path.file_name().unwrap())).unwrap());
    let (code, _) = verify(&server, &[]).await;
    assert_eq!(code, 1);
    server.start().await;
    assert!(server.stop().await.success());
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
    // Of a backlog that was never sealed or indexed, nothing is missing after kills.
    for _ in 0..3 {
        fs::remove_dir_all(server.data().join("ledger")).unwrap();
        fs::remove_file(server.data().join("index.db")).unwrap();
        server.start().await;
        server.kill().await;
    }
    server.start().await;
    assert!(server.stop().await.success());
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}
