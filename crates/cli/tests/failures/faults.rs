//! The process is killed, or told of an error, at calls into the system one after the other.

use crate::support::{builder, call, decisions, kill, verify};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use testkit::{AuditLayer, Behaviour, Client, MockProvider};

/// Runs the server so that calls of these names meet a fault.
fn strace(calls: &str, fault: &str) -> Vec<String> {
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e"];
    let mut words: Vec<String> = words.map(str::to_owned).to_vec();
    words.push(format!("trace={calls}"));
    words.push("-e".to_owned());
    words.push(format!("inject={calls}:{fault}"));
    words
}

fn server(provider: &MockProvider, data: &Path, wrapper: &[String]) -> AuditLayer {
    let words: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    // Small segments, so that the journal goes from one to the next.
    let config = "[journal]\nsegment_bytes = 65536\n";
    builder().upstream(&provider.url()).config(config).data(data).wrapper(&words).prepare()
}

/// What must hold whatever happened: answered calls are complete, what reached the provider is
/// known, every call has an end, nothing is damaged.
async fn check(provider: &MockProvider, data: &Path, answered: &[String]) {
    let mut sound = server(provider, data, &[]);
    sound.start().await;
    assert!(sound.stop().await.success());
    let told = decisions(data);
    for id in answered {
        let decision = &told.get(id).unwrap_or_else(|| panic!("{id} is not recorded")).decision;
        assert_eq!(decision.ending.as_deref(), Some("complete"), "{id}");
    }
    for received in provider.received() {
        let id = received.header("x-request-id").unwrap();
        assert!(told.contains_key(id), "{id} reached the provider and was not recorded");
    }
    for (id, told) in &told {
        assert!(told.decision.settled(), "{id} has no end");
    }
    let (code, text) = verify(&sound, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn a_kill_at_any_call_into_the_system_loses_nothing() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let mut first = server(&provider, &data, &[]);
    first.start().await;
    let key = first.key("finance-app").await;
    assert!(first.stop().await.success());
    let points: [(&str, &[u32]); 5] = [
        ("/^rename", &[1, 2, 3, 4, 5, 7, 9, 12, 15]),
        ("/^pwrite64", &[1, 5, 20, 60, 120, 250]),
        ("/^fdatasync", &[1, 4, 10, 25, 50]),
        ("/^fsync", &[1, 2, 3]),
        ("/^(ftruncate|unlink|mkdir)", &[1, 2, 4]),
    ];
    let mut answered = Vec::new();
    let mut killed = 0;
    for (calls, numbers) in points {
        for number in numbers {
            let wrapper = strace(calls, &format!("signal=SIGKILL:when={number}"));
            let mut server = server(&provider, &data, &wrapper);
            if server.try_start().await.is_err() {
                killed += 1;
                kill(&server).await;
                continue;
            }
            let (client, url) = (Client::new(), server.gateway_url().to_owned());
            for call_number in 0..60 {
                let id = format!("{calls}-{number}-{call_number}");
                match call(&client, &url, &key, &id, call_number % 2 == 0).await {
                    Some(answer) if answer.status == 200 => answered.push(id),
                    Some(answer) => panic!("{}: {}", answer.status, answer.text()),
                    None => break,
                }
            }
            let by_itself = tokio::time::timeout(Duration::from_secs(3), ended(&mut server)).await;
            killed += u32::from(by_itself.is_ok());
            kill(&server).await;
        }
    }
    assert!(killed >= 15, "only {killed} of the kills happened: the test shows little");
    assert!(!answered.is_empty());
    check(&provider, &data, &answered).await;
}

async fn ended(server: &mut AuditLayer) {
    while server.try_wait().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_error_of_any_call_into_the_system_is_no_answer_without_a_record() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let mut first = server(&provider, &data, &[]);
    first.start().await;
    let key = first.key("finance-app").await;
    assert!(first.stop().await.success());
    let points: [(&str, &[&str]); 4] = [
        ("/^rename", &["1", "2+", "4..6", "6+"]),
        ("/^fsync", &["1", "1+", "2+"]),
        ("/^pread64", &["1", "10", "60+"]),
        ("/^(ftruncate|unlink)", &["1+"]),
    ];
    let mut answered = Vec::new();
    let (mut refused, mut unstarted) = (0, 0);
    for (calls, numbers) in points {
        for when in numbers {
            let wrapper = strace(calls, &format!("error=EIO:when={when}"));
            let mut server = server(&provider, &data, &wrapper);
            if let Err(output) = server.try_start().await {
                assert!(!output.contains("panicked"), "{calls} {when}: {output}");
                // The last: SQLite, of a schema that it could not read.
                let said = ["nput/output error", "I/O error", "disk image is malformed"];
                let told = said.iter().any(|e| output.contains(e));
                assert!(told, "{calls} {when}: {output}");
                unstarted += 1;
                kill(&server).await;
                continue;
            }
            let (client, url) = (Client::new(), server.gateway_url().to_owned());
            for call_number in 0..60 {
                let id = format!("{calls}-{when}-{call_number}");
                match call(&client, &url, &key, &id, call_number % 2 == 0).await {
                    Some(answer) if answer.status == 200 => answered.push(id),
                    Some(answer) => {
                        assert_eq!(answer.status, 503, "{calls} {when}: {}", answer.text());
                        refused += 1;
                    }
                    None => refused += 1,
                }
            }
            assert!(!server.output().contains("panicked"), "{}", server.output());
            kill(&server).await;
        }
    }
    assert!(answered.len() > 60, "{} answered, {refused} refused", answered.len());
    assert!(unstarted > 0, "no start met an error");
    check(&provider, &data, &answered).await;
}

/// Sets how many files the process may have open.
fn limit_files(pid: i32, files: u32) {
    let pid = format!("--pid={pid}");
    let limit = format!("--nofile={files}:");
    assert!(Command::new("prlimit").args([pid, limit]).status().unwrap().success());
}

#[tokio::test]
async fn without_file_descriptors_nothing_is_lost_and_it_goes_on_when_there_are_some() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let mut server = server(&provider, &data, &[]);
    server.start().await;
    let key = server.key("finance-app").await;
    let (client, url) = (Client::new(), server.gateway_url().to_owned());
    // Connections on both sides exist before.
    call(&client, &url, &key, "first", false).await.unwrap();
    limit_files(server.pid(), 3);
    let mut answered = Vec::new();
    let mut refused = 0;
    for number in 0..400 {
        let id = format!("a-{number}");
        let answer = tokio::time::timeout(
            Duration::from_secs(20),
            call(&client, &url, &key, &id, number % 2 == 0),
        );
        match answer.await.expect("a call without descriptors gets an answer") {
            Some(answer) if answer.status == 200 => answered.push(id),
            Some(answer) => {
                assert!([502, 503].contains(&answer.status), "{}", answer.text());
                refused += 1;
            }
            None => refused += 1,
        }
        if refused > 20 {
            break;
        }
    }
    assert!(refused > 0, "no call met the limit");
    limit_files(server.pid(), 4096);
    let client = Client::new();
    for number in 0..50 {
        let id = format!("b-{number}");
        let answer = call(&client, &url, &key, &id, false).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answered.push(id);
    }
    assert!(!server.output().contains("panicked"), "{}", server.output());
    // What could not be sealed and indexed meanwhile is, without a restart.
    let proof = data.with_extension("proof");
    let made = server.run(&["proof", "b-49", "-o", proof.to_str().unwrap()]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(server.stop().await.success());
    check(&provider, &data, &answered).await;
}
