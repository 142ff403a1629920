//! What goes over from one epoch to the next.

use crate::support::{builder, call, verify};
use testkit::{AuditLayer, Behaviour, Client, Fault, MockProvider};

async fn vkey(server: &AuditLayer, path: &str) -> String {
    let token = server.token().await;
    let answer = server.api_get(&token, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().trim().to_owned()
}

/// Ends the server, and goes on under a new epoch.
async fn go_on(server: &mut AuditLayer) {
    server.stop().await;
    let recovered = server.run(&["recover", "--new-epoch"]).await;
    assert!(recovered.status.success(), "{}", String::from_utf8_lossy(&recovered.stderr));
    server.start().await;
}

#[tokio::test]
async fn a_decision_that_ends_in_a_later_epoch_is_proved() {
    let provider = MockProvider::start(Behaviour::fault(Fault::Silence)).await;
    let config = "[gateway]\ndrain_ms = 200\n";
    let mut server = builder().upstream(&provider.url()).config(config).start().await;
    let key = server.key("finance-app").await;
    let url = server.gateway_url().to_owned();
    let calling = tokio::spawn(async move { call(&Client::new(), &url, &key, "r-1", false).await });
    provider.wait_for(1).await;
    let first = vkey(&server, "/ledger/vkey").await;
    go_on(&mut server).await;
    let answer = calling.await.unwrap();
    assert!(answer.is_none_or(|answer| answer.status >= 500));
    assert_eq!(vkey(&server, "/ledger/1/vkey").await, first);
    let second = vkey(&server, "/ledger/2/vkey").await;
    assert_ne!(first, second);
    let file = server.data().with_extension("proof");
    let file = file.to_str().unwrap();
    let made = server.run(&["proof", "r-1", "-o", file]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let check = |keys: &[&str]| {
        let mut arguments = vec!["verify-proof", file, "--json"];
        keys.iter().for_each(|key| arguments.extend(["--key", key]));
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_audit-layer"))
            .args(&arguments)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), serde_json::from_str::<serde_json::Value>(&text).unwrap())
    };
    let (code, report) = check(&[&first, &second]);
    assert_eq!(code, Some(0), "{report}");
    let epochs: Vec<_> =
        report["records"].as_array().unwrap().iter().map(|r| &r["epoch"]).collect();
    assert_eq!(epochs, [1, 2]);
    let types: Vec<_> = report["records"][1]["events"].as_array().unwrap().iter().collect();
    assert_eq!(types[0]["event_type"], "request_failed");
    for one in [&first, &second] {
        let (code, report) = check(&[one]);
        assert_eq!(code, Some(1), "{report}");
    }
    assert!(server.stop().await.success());
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn a_proof_made_before_the_logs_key_was_replaced_stays_good() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = builder().upstream(&provider.url()).start().await;
    let key = server.key("finance-app").await;
    let url = server.gateway_url().to_owned();
    call(&Client::new(), &url, &key, "r-1", false).await.unwrap();
    let old = vkey(&server, "/ledger/vkey").await;
    let prove = async |server: &AuditLayer, id: &str| {
        let file = server.data().with_extension(id);
        let made = server.run(&["proof", id, "-o", file.to_str().unwrap()]).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        file
    };
    let first = prove(&server, "r-1").await;
    std::fs::remove_file(server.data().join("keys/signing")).unwrap();
    go_on(&mut server).await;
    let url = server.gateway_url().to_owned();
    call(&Client::new(), &url, &key, "r-2", false).await.unwrap();
    let new = vkey(&server, "/ledger/vkey").await;
    assert_ne!(old, new);
    let second = prove(&server, "r-2").await;
    assert!(server.stop().await.success());
    for (file, key, good) in
        [(&first, &old, true), (&first, &new, false), (&second, &new, true), (&second, &old, false)]
    {
        let file = file.to_str().unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_audit-layer"))
            .args(["verify-proof", file, "--key", key, "--json"])
            .output()
            .unwrap();
        assert_eq!(output.status.success(), good, "{}", String::from_utf8_lossy(&output.stdout));
    }
    // Both keys are trusted while old checkpoints are around; who pinned the old one sees the change.
    let (code, text) = verify(&server, &["--vkey", &old, "--vkey", &new]).await;
    assert_eq!(code, 0, "{text}");
    let (code, text) = verify(&server, &["--vkey", &old]).await;
    assert_eq!(code, 1, "{text}");
}
