//! Files that somebody changed.

use crate::support::{builder, call, settle, verify};
use std::fs;
use std::path::{Path, PathBuf};
use testkit::{AuditLayer, Behaviour, Client, MockProvider};

/// Some calls, recorded, sealed, indexed; the server has ended.
async fn recorded(calls: usize) -> AuditLayer {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = builder().upstream(&provider.url()).start().await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    for number in 0..calls {
        let url = server.gateway_url().to_owned();
        call(&client, &url, &key, &format!("r-{number}"), false).await.unwrap();
    }
    assert!(server.stop().await.success());
    server
}

pub async fn sql(server: &AuditLayer, query: &str) -> String {
    let output = server.run(&["sql", query, "--json"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let status = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_sound_directory_verifies() {
    let server = recorded(20).await;
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn one_flipped_bit_is_found_wherever_it_is() {
    let server = recorded(3).await;
    let mut all = Vec::new();
    files(&server.data().join("journal"), &mut all);
    all.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files(&server.data().join("ledger"), &mut all);
    // `leaves` and `synced` are hints: made again where they do not fit.
    all.retain(|path| !path.ends_with("leaves") && !path.ends_with("synced"));
    let mut tried = 0;
    for path in all {
        let sound = fs::read(&path).unwrap();
        let used = sound.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for number in 0..8_usize {
            let at = used * (2 * number + 1) / 16;
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << number;
            fs::write(&path, &bytes).unwrap();
            let (code, text) = verify(&server, &[]).await;
            assert_eq!(code, 1, "{} byte {at}: {text}", path.display());
            tried += 1;
        }
        fs::write(&path, &sound).unwrap();
    }
    assert!(tried >= 24, "{tried}");
    let (code, text) = verify(&server, &[]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn an_edited_index_row_is_found_and_a_rebuild_mends_it() {
    let server = recorded(10).await;
    let index = rusqlite::Connection::open(server.data().join("index.db")).unwrap();
    let triggers: Vec<String> = index
        .prepare(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_logs'",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for trigger in triggers {
        index.execute_batch(&format!("DROP TRIGGER \"{trigger}\"")).unwrap();
    }
    let changed = index
        .execute("UPDATE audit_logs SET source = 'other-app' WHERE request_id = 'r-3'", [])
        .unwrap();
    assert_eq!(changed, 1);
    drop(index);
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 1, "{text}");
    let output = server.run(&["rebuild"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn edited_sums_are_found() {
    let server = recorded(10).await;
    let path = server.data().join("index.db");
    settle(&path);
    let sound = fs::read(&path).unwrap();
    let edits = [
        ("UPDATE rollups SET requests = requests - 1 WHERE span = 86400 AND dims = 0", "by day"),
        ("UPDATE rollups SET cost_pico = 0, cost_unknown = 0 WHERE span = 3600", "by hour"),
        ("UPDATE rollups SET latency = x'' WHERE span = 60", "by minute"),
        ("UPDATE rollups SET source = 'other-app' WHERE dims = 1", "by hour"),
        ("UPDATE rollups SET start = start - 86400 WHERE span = 86400 AND dims = 0", "by day"),
        ("DELETE FROM rollups WHERE span = 86400 AND dims = 2", "by day"),
        (
            "INSERT INTO rollups SELECT span, 7, start, source, model, provider, decision_type, \
          outcome, requests, running, errors, blocked, escalated, input_tokens, output_tokens, \
          total_tokens, cost_pico, cost_unknown, latency FROM rollups WHERE dims = 31 \
          AND span = 86400",
            "by minute",
        ),
    ];
    for (edit, wanted) in edits {
        let index = rusqlite::Connection::open(&path).unwrap();
        assert!(index.execute(edit, []).unwrap() > 0, "{edit}");
        drop(index);
        let (code, text) = verify(&server, &["--index"]).await;
        assert_eq!(code, 1, "{edit}: {text}");
        assert!(text.contains("sums") && text.contains(wanted), "{edit}: {text}");
        fs::write(&path, &sound).unwrap();
    }
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn a_rolled_back_directory_is_found_by_a_kept_checkpoint_and_by_the_next_start() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = builder().upstream(&provider.url()).start().await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    let url = server.gateway_url().to_owned();
    call(&client, &url, &key, "r-1", false).await.unwrap();
    server.stop().await;
    let backup = server.data().with_extension("backup");
    copy(server.data(), &backup);
    server.start().await;
    let url = server.gateway_url().to_owned();
    call(&client, &url, &key, "r-2", false).await.unwrap();
    server.stop().await;
    let kept = server.data().with_extension("checkpoint");
    let checkpoint = server.run(&["checkpoint"]).await;
    assert!(checkpoint.status.success());
    fs::write(&kept, &checkpoint.stdout).unwrap();
    let (code, text) = verify(&server, &["--checkpoint", kept.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{text}");
    copy(&backup, server.data());
    let (code, text) = verify(&server, &["--checkpoint", kept.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{text}");
    let output = server.try_start().await.unwrap_err();
    assert!(output.contains("older than its last signed state"), "{output}");
    let recovered = server.run(&["recover", "--new-epoch"]).await;
    assert!(recovered.status.success(), "{}", String::from_utf8_lossy(&recovered.stderr));
    server.start().await;
    let url = server.gateway_url().to_owned();
    call(&client, &url, &key, "r-3", false).await.unwrap();
    assert!(server.stop().await.success());
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn a_damaged_proof_is_an_error_and_never_a_panic() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let server = builder().upstream(&provider.url()).start().await;
    let key = server.key("finance-app").await;
    let url = server.gateway_url().to_owned();
    call(&Client::new(), &url, &key, "r-1", false).await.unwrap();
    let token = server.token().await;
    let vkey = server.api_get(&token, "/ledger/vkey").await.text().trim().to_owned();
    let file = server.data().with_extension("proof");
    let made = server.run(&["proof", "r-1", "-o", file.to_str().unwrap()]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let check = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_audit-layer"))
            .args(["verify-proof", file.to_str().unwrap(), "--key", &vkey])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains("panicked"), "{text}");
        output.status.code().unwrap()
    };
    assert_eq!(check(), 0);
    let sound = fs::read(&file).unwrap();
    for number in 0..16 {
        let at = sound.len() * number / 16;
        fs::write(&file, &sound[..at]).unwrap();
        assert_eq!(check(), 1, "cut at {at}");
        let mut bytes = sound.clone();
        // Another character that JSON takes in most places.
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        fs::write(&file, &bytes).unwrap();
        assert_eq!(check(), 1, "changed at {at}");
    }
}
