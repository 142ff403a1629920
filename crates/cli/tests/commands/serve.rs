//! The server as a process: addresses, signals, readiness, logs.

use crate::support::{call, on, server};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use testkit::{Behaviour, MockProvider};

#[tokio::test]
async fn a_second_server_on_the_directory_is_refused() {
    let server = server().upstream("http://127.0.0.1:9").start().await;
    let second = on(&server, &["serve", "--gateway-listen", "127.0.0.1:0"]).await;
    second.failed(1, &format!("in use by process {}", server.pid()));
    let taken = server.gateway_url().strip_prefix("http://").unwrap().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let third = crate::support::run_in(
        directory.path(),
        &["serve", "--gateway-listen", &taken, "--api-listen", "127.0.0.1:0"],
        &[("AUDIT_LAYER_ADMIN_PASSWORD", "a-long-password"), ("AUDIT_LAYER__LOG__LEVEL", "error")],
    );
    third.failed(1, "gateway.listen");
}

#[tokio::test]
async fn sigterm_lets_a_call_end_and_records_it() {
    let slow = Behaviour::slow(Duration::from_millis(700), Duration::ZERO);
    let provider = MockProvider::start(slow).await;
    let mut server = server().upstream(&provider.url()).start().await;
    let key = server.key("finance-app").await;
    let (client, url) = (server.client().clone(), server.gateway_url().to_owned());
    let called = tokio::spawn(async move { call(&client, &url, &key, "r-1").await });
    provider.wait_for(1).await;
    assert!(server.stop().await.success());
    let answer = called.await.unwrap();
    assert!(answer.status == 200 && answer.complete, "{answer:?}");
    let shown = on(&server, &["show", "r-1", "--json"]).await.json();
    assert_eq!((&shown["status_code"], &shown["ending"]), (&200.into(), &"complete".into()));
    assert_eq!(on(&server, &["verify"]).await.code, 0);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let provider =
        MockProvider::start(Behaviour::slow(Duration::from_secs(600), Duration::ZERO)).await;
    let mut server = server().upstream(&provider.url()).start().await;
    let key = server.key("finance-app").await;
    let (client, url) = (server.client().clone(), server.gateway_url().to_owned());
    let called = tokio::spawn(async move {
        let call = call(&client, &url, &key, "r-1");
        tokio::time::timeout(Duration::from_secs(600), call).await
    });
    provider.wait_for(1).await;
    let pid = Pid::from_raw(server.pid()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    // The second counts once the first was seen.
    while !server.output().contains("a second signal stops at once") {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.stop().await.code(), Some(1));
    called.abort();
    server.start().await;
    let shown = on(&server, &["show", "r-1", "--json"]).await.json();
    assert_eq!(shown["error_code"], "interrupted", "{shown}");
}

#[tokio::test]
async fn figures_and_logs_tell_no_secrets() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let server = server()
        .upstream(&provider.url())
        .environment("AUDIT_LAYER__LOG__FORMAT", "json")
        .environment("AUDIT_LAYER__LOG__LEVEL", "debug")
        .start()
        .await;
    let key = server.key("finance-app").await;
    assert_eq!(call(server.client(), server.gateway_url(), &key, "r-1").await.status, 200);
    let figures = server.client().get(&format!("{}/metrics", server.api_url()), &[]).await.text();
    for name in
        ["audit_layer_requests_total", "audit_layer_overhead_seconds", "audit_layer_journal_bytes"]
    {
        assert!(figures.contains(name), "{name} is not in {figures}");
    }
    let mut samples: Vec<&str> = figures
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' ').map(|(sample, _)| sample))
        .collect();
    samples.sort_unstable();
    for pair in samples.windows(2) {
        assert_ne!(pair[0], pair[1], "Prometheus refuses a sample that stands twice");
    }
    let output = server.output();
    let logged: Vec<_> = output.lines().filter(|line| line.starts_with('{')).collect();
    assert!(!logged.is_empty(), "{output}");
    for line in logged {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    for secret in [key.as_str(), "u-42", "test-admin-password"] {
        assert!(!output.contains(secret), "{secret} is in {output}");
        assert!(!figures.contains(secret), "{secret} is in the figures");
    }
}
