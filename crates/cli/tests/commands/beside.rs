//! Commands beside a running server, and after it.

use crate::support::{Ran, call, on, run, server};
use serde_json::Value;
use testkit::{AuditLayer, Behaviour, MockProvider};

const TERMINAL_ESCAPE: char = '\u{1b}';

/// Everything that reads, on a directory with the decision `r-1`.
async fn reads_everything(server: &AuditLayer) {
    let listed = on(server, &["logs", "--json", "--source", "finance-app"]).await.json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{listed}");
    let (id, trace) = (text(&items[0]["id"]), text(&items[0]["trace_id"]));
    let none = on(server, &["logs", "--json", "--source", "other"]).await.json();
    assert_eq!(none["items"], Value::Array(Vec::new()));

    let table = on(server, &["logs"]).await;
    assert!(table.stdout.contains(&id) && !table.stdout.contains(TERMINAL_ESCAPE), "{table:?}");

    for name in [id.as_str(), "r-1"] {
        let shown = on(server, &["show", name, "--json"]).await.json();
        assert_eq!((&shown["id"], &shown["user_id"]), (&items[0]["id"], &Value::from("u-42")));
        let plain = on(server, &["show", name]).await;
        assert!(plain.stdout.contains("request_completed"), "{plain:?}");
        assert!(!plain.stdout.contains(TERMINAL_ESCAPE), "{plain:?}");
    }
    let events = on(server, &["trace", &trace, "--json"]).await.json();
    assert!(events["items"].as_array().unwrap().len() >= 3, "{events}");

    let query = "SELECT count(*) AS n FROM audit_logs WHERE source = 'finance-app'";
    let rows = on(server, &["sql", query, "--json"]).await.json();
    assert_eq!((&rows["columns"][0], &rows["rows"][0][0]), (&Value::from("n"), &Value::from(1)));
    on(server, &["sql", "DROP TABLE audit_logs"]).await.failed(1, "SELECT");

    on(server, &["show", "nobody"]).await.failed(1, "no decision");
    for flags in [&[][..], &["--ledger"], &["--index"], &["--sealed"]] {
        let report = on(server, &[&["verify", "--json"], flags].concat()).await;
        assert_eq!((report.code, &report.json()["ok"]), (0, &Value::Bool(true)), "{report:?}");
    }
    proves(server, &id).await;
}

async fn proves(server: &AuditLayer, id: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proof.json");
    let file = file.to_str().unwrap();
    let checkpoint = on(server, &["checkpoint", "--json"]).await.json();
    let vkey = text(&checkpoint["vkey"]);
    for flags in [&[][..], &["--sealed"]] {
        let made = on(server, &[&["proof", id, "-o", file], flags].concat()).await;
        assert_eq!((made.code, made.stdout.as_str()), (0, ""), "{made:?}");
        let good = run(&["verify-proof", file, "--key", &vkey, "--json"]);
        assert_eq!((good.code, &good.json()["ok"]), (0, &Value::Bool(true)), "{good:?}");
        let opened = good.stdout.contains("u-42");
        assert_eq!(opened, flags.is_empty(), "{good:?}");
    }
    let bundle = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, bundle.replacen("gpt-4o", "gpt-4x", 1)).unwrap();
    let bad = run(&["verify-proof", file, "--key", &vkey]);
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(bad.stderr.starts_with("error: verification failed"), "{bad:?}");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Accesses recorded so far, by action.
async fn accesses(server: &AuditLayer, action: &str) -> u64 {
    let query = format!(
        "SELECT count(*) FROM audit_events WHERE event_type = 'access' \
         AND event_data->>'action' = '{action}'"
    );
    let counted = on(server, &["sql", &query, "--json"]).await.json();
    counted["rows"][0][0].as_u64().unwrap_or_else(|| panic!("{counted}"))
}

#[tokio::test]
async fn every_command_works_beside_the_server_and_after_it() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = server().upstream(&provider.url()).start().await;
    let key = server.key("finance-app").await;
    let answer = call(server.client(), server.gateway_url(), &key, "r-1").await;
    // Lists may lag behind; one decision is waited for.
    on(&server, &["show", "r-1", "--json"]).await.json();
    assert_eq!(answer.status, 200, "{}", answer.text());
    reads_everything(&server).await;
    on(&server, &["rebuild"]).await.failed(1, "in use by process");
    let before = accesses(&server, "show").await;
    assert!(before >= 5, "{before} accesses were recorded");

    assert!(server.stop().await.success());
    reads_everything(&server).await;
    assert!(accesses(&server, "show").await >= before + 5);
    on(&server, &["logs", "--follow"]).await.failed(1, "no server");

    let rebuilt = on(&server, &["rebuild", "--json"]).await.json();
    assert!(rebuilt["records"].as_u64().unwrap() > 10, "{rebuilt}");
    reads_everything(&server).await;
}

#[tokio::test]
async fn keys_are_made_once_shown_rotated_and_revoked() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = server().upstream(&provider.url()).prepare();
    let made = on(&server, &["keys", "create", "--source", "a", "--json"]).await.json();
    server.start().await;
    let url = server.gateway_url().to_owned();
    let status = async |key: &str| call(server.client(), &url, key, "r").await.status;
    let first = text(&made["key"]);
    assert_eq!(status(&first).await, 200);

    let plain = on(&server, &["keys", "create", "--source", "a", "--scope", "read"]).await;
    assert!(plain.stdout.starts_with("al_rd_") && plain.stdout.lines().count() == 1, "{plain:?}");
    assert_eq!(status(plain.stdout.trim()).await, 401);

    let rotated = on(&server, &["keys", "rotate", &text(&made["id"]), "--json"]).await.json();
    assert_eq!((status(&first).await, status(&text(&rotated["key"])).await), (401, 200));
    let revoked = on(&server, &["keys", "revoke", &text(&rotated["id"])]).await;
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert_eq!(status(&text(&rotated["key"])).await, 401);

    let listed: Ran = on(&server, &["keys", "list"]).await;
    assert!(!listed.stdout.contains(&first) && listed.stdout.contains("revoked"), "{listed:?}");
    on(&server, &["keys", "revoke", "key_none"]).await.failed(1, "key_none");
}
