//! Full disks, failing syncs, directories that cannot be used.

use crate::support::{builder, call, decisions, kill, verify};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use testkit::{Behaviour, Client, Fault, MockProvider};

/// A small file system of its own; unmounted when dropped.
pub struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    pub fn new(mebibytes: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "this test mounts a tmpfs and so needs to run as root");
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_calls_and_recovers_without_a_restart() {
    let disk = Tmpfs::new(64);
    let data = disk.path().join("data");
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = builder().upstream(&provider.url()).data(&data).start().await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let url = server.gateway_url().to_owned();
    let mut refused = None;
    for number in 0..20_000 {
        let answer = call(&client, &url, &key, &format!("a-{number}"), false).await.unwrap();
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a full disk is met");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "audit_unavailable");
    assert!(refused.header("retry-after").is_some());
    std::fs::remove_file(&ballast).unwrap();
    let mut recovered = false;
    for number in 0..200 {
        let answer = call(&client, &url, &key, &format!("b-{number}"), false).await.unwrap();
        recovered |= answer.status == 200;
    }
    assert!(recovered, "calls are taken again when there is room");
    assert!(server.stop().await.success());
    let (code, text) = verify(&server, &[]).await;
    assert_eq!(code, 0, "{text}");
    let told = decisions(server.data());
    for received in provider.received() {
        let id = received.header("x-request-id").unwrap();
        assert!(told.contains_key(id), "{id} reached the provider and was not recorded");
    }
}

/// Fills a file system to the last block.
fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).unwrap();
    for size in [1 << 20, 4096] {
        let zeros = vec![0; size];
        while file.write_all(&zeros).is_ok() {}
    }
}

#[tokio::test]
async fn a_failed_sync_is_the_end_of_writing_and_not_of_reading() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let log = tempfile::tempdir().unwrap();
    let trace = log.path().join("strace");
    // The journal syncs with fdatasync; SQLite may too, so the fault comes after the start.
    let server = builder()
        .upstream(&provider.url())
        .wrapper(&[
            "strace",
            "-f",
            "-qq",
            "-o",
            trace.to_str().unwrap(),
            "-e",
            "trace=fdatasync",
            "-e",
            "inject=fdatasync:error=EIO:when=60+",
        ])
        .start()
        .await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    let url = server.gateway_url().to_owned();
    let mut answered = Vec::new();
    let mut refused = 0;
    for number in 0..200 {
        let id = format!("r-{number}");
        match call(&client, &url, &key, &id, false).await {
            Some(answer) if answer.status == 200 => {
                assert_eq!(refused, 0, "a call was answered after a failed sync");
                answered.push(id);
            }
            Some(answer) => {
                assert_eq!(answer.status, 503, "{}", answer.text());
                refused += 1;
            }
            None => refused += 1,
        }
    }
    assert!(!answered.is_empty() && refused > 0, "{} answered, {refused} refused", answered.len());
    let unready = async {
        while client.get(&format!("{url}/readyz"), &[]).await.status != 503 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), unready).await.expect("it says that it is not");
    assert_eq!(client.get(&format!("{url}/healthz"), &[]).await.status, 200);
    kill(&server).await;
    let told = decisions(server.data());
    for id in &answered {
        assert_eq!(told[id].decision.ending.as_deref(), Some("complete"), "{id}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_directory_is_refused() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let first = builder().upstream(&provider.url()).start().await;
    let mut second = builder().upstream(&provider.url()).data(first.data()).prepare();
    let output = second.try_start().await.unwrap_err();
    assert!(output.contains("in use by process"), "{output}");
}

#[tokio::test]
async fn a_directory_of_a_newer_version_is_refused() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = builder().upstream(&provider.url()).start().await;
    server.stop().await;
    let meta = server.data().join("journal/meta.json");
    let text = std::fs::read_to_string(&meta).unwrap();
    std::fs::write(&meta, text.replace("journal/1", "journal/9")).unwrap();
    let output = server.try_start().await.unwrap_err();
    assert!(output.contains("newer"), "{output}");
}

#[tokio::test]
async fn without_records_a_call_goes_through_where_the_operator_chose_so_and_a_gap_is_recorded() {
    let disk = Tmpfs::new(48);
    let data = disk.path().join("data");
    let provider = MockProvider::start(Behaviour::good()).await;
    let config = "[gateway]\non_record_failure = \"forward\"\n";
    let mut server = builder().upstream(&provider.url()).config(config).data(&data).start().await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    let url = server.gateway_url().to_owned();
    // A key for the caller exists before the disk is full.
    call(&client, &url, &key, "first", false).await.unwrap();
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let mut sent = 0_usize;
    for number in 0..6_000 {
        let answer = call(&client, &url, &key, &format!("r-{number}"), false).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        sent += 1;
    }
    std::fs::remove_file(&ballast).unwrap();
    for number in 0..50 {
        call(&client, &url, &key, &format!("s-{number}"), false).await.unwrap();
    }
    assert!(server.stop().await.success());
    let recorded = decisions(server.data());
    let missing = (0..sent).filter(|number| !recorded.contains_key(&format!("r-{number}"))).count();
    assert!(missing > 0, "the disk was never full");
    let gaps = crate::tamper::sql(
        &server,
        "SELECT event_data FROM audit_events WHERE event_type = 'recording_gap'",
    )
    .await;
    assert!(gaps.contains("write_failed"), "{gaps}");
}

/// Waits until a query has an answer that contains this text.
async fn wait_for_row(server: &testkit::AuditLayer, query: &str, wanted: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let output = server.run(&["sql", query, "--json"]).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() && text.contains(wanted) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_call_whose_outcome_finds_no_room_is_ended_without_a_restart() {
    let disk = Tmpfs::new(64);
    let data = disk.path().join("data");
    // Long, and it does not compress: the intent finds room where the outcome finds none.
    let mut seed = 1_u64;
    let words = (0..768 << 10).flat_map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed ^ (seed >> 31)).to_le_bytes()
    });
    let answer = bytes::Bytes::from(words.collect::<Vec<u8>>());
    let octets = "application/octet-stream".to_owned();
    let provider = MockProvider::start(Behaviour::good()).await;
    // Little is prepared ahead.
    let config = "[journal]\nsegment_bytes = 65536\n";
    let mut server = builder().upstream(&provider.url()).config(config).data(&data).start().await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    let url = server.gateway_url().to_owned();
    for number in 0..5 {
        let whole = call(&client, &url, &key, &format!("whole-{number}"), false).await.unwrap();
        assert_eq!(whole.status, 200, "{}", whole.text());
    }
    provider.set(Behaviour::fault(Fault::Raw(200, octets, answer)));
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let lost = call(&client, &url, &key, "lost", false).await;
    assert!(lost.is_none_or(|answer| answer.status == 503), "an answer without its record");
    assert_eq!(provider.count(), 6, "the provider was called");
    std::fs::remove_file(&ballast).unwrap();
    let query = "SELECT error_code FROM audit_logs WHERE request_id = 'lost'";
    wait_for_row(&server, query, "audit_unavailable").await;
    assert!(server.stop().await.success());
    let told = decisions(server.data());
    assert_eq!(told["lost"].records, 2);
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn an_access_that_cannot_be_recorded_is_refused() {
    let disk = Tmpfs::new(64);
    let data = disk.path().join("data");
    let provider = MockProvider::start(Behaviour::good()).await;
    let unlimited = "[api]\nuser_limits = { rate = \"100000/s\", burst = 100000 }\n";
    let server = builder().upstream(&provider.url()).data(&data).config(unlimited);
    let mut server = server.start().await;
    let token = server.token().await;
    let reads = ["/api/v1/audit/logs", "/api/v1/audit/events", "/api/v1/metrics"];
    for path in reads {
        assert_eq!(server.api_get(&token, path).await.status, 200, "{path}");
    }
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let mut refused = None;
    for _ in 0..20_000 {
        let answer = server.api_get(&token, reads[0]).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a full disk is met");
    for answer in [refused, server.api_get(&token, reads[1]).await] {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.json()["code"], "audit_unavailable");
        assert!(answer.header("retry-after").is_some());
        assert!(answer.json().get("items").is_none(), "nothing is shown");
    }
    let login = serde_json::json!({"username": "admin", "password": "test-admin-password"});
    let url = format!("{}/api/v1/auth/login", server.api_url());
    let answer = server.client().post_json(&url, &[], &login).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    std::fs::remove_file(&ballast).unwrap();
    let mut read = false;
    for _ in 0..200 {
        read |= server.api_get(&token, reads[0]).await.status == 200;
    }
    assert!(read, "it goes on when there is room");
    assert!(server.stop().await.success());
}
