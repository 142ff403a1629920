//! `serve -- COMMAND`.

use crate::support::{call, on, server};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use testkit::MockProvider;
use testkit::{Behaviour, refused_url};

/// How often and how many times a file is looked at.
const POLL: Duration = Duration::from_millis(20);
const POLLS_MAX: usize = 1_000;

/// A shell that waits, and says on a file what reached it.
fn waiting(note: &std::path::Path) -> String {
    format!(
        "trap 'echo term >> {0}; exit 0' TERM; echo up >> {0}; while :; do sleep 0.05; done",
        note.display()
    )
}

/// Until the shell runs, and so has its trap.
async fn up(note: &std::path::Path) {
    for _ in 0..POLLS_MAX {
        if std::fs::read_to_string(note).is_ok_and(|text| text == "up\n") {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("the command was not started");
}

#[tokio::test]
async fn readiness_follows_the_command_and_sigterm_reaches_it() {
    let directory = tempfile::tempdir().unwrap();
    let note = directory.path().join("note");
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = server().upstream(&provider.url());
    for word in ["--", "/bin/sh", "-c", &waiting(&note)] {
        server = server.argument(word);
    }
    let mut server = server.start().await;
    let key = server.key("finance-app").await;
    assert_eq!(call(server.client(), server.gateway_url(), &key, "r-1").await.status, 200);
    assert!(server.stop().await.success());
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "up\nterm\n");
}

#[tokio::test]
async fn nothing_is_ready_while_the_command_does_not_listen() {
    let directory = tempfile::tempdir().unwrap();
    let note = directory.path().join("note");
    let nobody = refused_url().await;
    let listen = ["--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"];
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_audit-layer"))
        .args(["serve", "--data", "data", "--upstream", &nobody])
        .args(listen)
        .args(["--", "/bin/sh", "-c", &waiting(&note)])
        .current_dir(directory.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("an address");
        if let Some((_, url)) = line.split_once("gateway listening on ") {
            break url.to_owned();
        }
    };
    let client = testkit::Client::new();
    let ready = client.get(&format!("{url}/readyz"), &[]).await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("does not listen"), "{}", ready.text());
    assert_eq!(client.get(&format!("{url}/healthz"), &[]).await.status, 200);
    up(&note).await;
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().await.unwrap().success());
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "up\nterm\n");
}

#[tokio::test]
async fn a_command_that_keeps_ending_ends_the_server() {
    let server = server().prepare();
    let arguments =
        ["serve", "--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--data"];
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_audit-layer"))
        .args(arguments)
        .arg(server.data())
        .args(["--", "/bin/sh", "-c", "exit 3"])
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("ended 5 times") && errors.contains("exit status: 3"), "{errors}");
    assert_eq!(on(&server, &["verify"]).await.code, 0);
}
