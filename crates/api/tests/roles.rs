//! Walks the OpenAPI document as everybody who can call: what each gets is what the table of
//! roles says, and what `docs/roles.md` shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{Answer, TestApp};
use control::{NewKey, Role, Scope};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Who calls, as the document's `x-grants` and the table's columns name them.
const CALLERS: [&str; 8] = [
    "nobody",
    "admin",
    "compliance_officer",
    "viewer",
    "read_key",
    "ingest_key",
    "gateway_key",
    "operator",
];
const HEAD: &str = "# Who may do what\n\n\
    Written by a test (`cargo test -p api --test roles`) that calls every route of the OpenAPI\n\
    document as everybody who can call, and compares with the table in `crates/api/src/roles.rs`;\n\
    it fails where this page is stale.\n\n\
    - **all**: everything; **own**: what is theirs. A viewer's are the decisions of the user that\n\
    \x20 the account stands for, a key's are those of the source that it was made for (all, where it\n\
    \x20 was made for none). What exists and is not theirs is 404, as if it did not, and recorded.\n\
    - **401**: asks for a credential; **403**: refused, and the refusal is recorded.\n\
    - *operator* is whoever may open the control socket of the data directory (mode 0600).\n\
    - Keys with several scopes may do what any one of these may.\n\n";

/// Credentials by who has them: signing in and making keys takes time.
type Wallet = BTreeMap<&'static str, String>;

async fn call(
    app: &TestApp,
    wallet: &mut Wallet,
    who: &'static str,
    method: &str,
    uri: &str,
) -> Answer {
    let body = if method == "GET" { Value::Null } else { json!({}) };
    if who == "operator" {
        return app.operator(method, uri, body).await;
    }
    // Some routes end their caller's session.
    let holds = |held: &String| {
        app.control.authenticate(held).is_some() || app.control.session(held).is_some()
    };
    let held = wallet.remove(who).filter(holds).or_else(|| credential(app, who));
    let answer = app.call(common::request(method, uri, held.as_deref(), &body)).await;
    wallet.extend(held.map(|held| (who, held)));
    answer
}

fn credential(app: &TestApp, who: &str) -> Option<String> {
    let key = |scope| {
        let new = NewKey { scopes: vec![scope], ..NewKey::default() };
        app.control.create_key(new).unwrap().secret.to_string()
    };
    Some(match who {
        "nobody" => return None,
        "admin" => app.admin(),
        "read_key" => key(Scope::Read),
        "ingest_key" => key(Scope::Ingest),
        "gateway_key" => key(Scope::Gateway),
        role => app.token(role.parse().unwrap()),
    })
}

/// What came of it: a refusal, or how much the table grants.
fn outcome<'a>(answer: &Answer, granted: &'a str) -> &'a str {
    match answer.status.as_u16() {
        status @ (401 | 403) => match (status, answer.problem().as_str()) {
            (401, "unauthenticated") => "401",
            (403, "forbidden") => "403",
            _ => granted,
        },
        _ => granted,
    }
}

/// What everybody got of one route, held against what the table grants; none: it is open.
async fn row(
    app: &TestApp,
    wallet: &mut Wallet,
    (method, uri): (&str, &str),
    grants: Option<&Value>,
) -> String {
    let mut row = String::new();
    for who in CALLERS {
        let granted = match (grants, who) {
            (None, _) | (_, "operator") => "all",
            (_, "nobody") => "401",
            (Some(grants), who) => grants[who].as_str().unwrap_or("403"),
        };
        let answer = call(app, wallet, who, method, uri).await;
        let let_in = if granted.starts_with('4') { "let in" } else { granted };
        let found = outcome(&answer, let_in);
        assert_eq!(found, granted, "{method} {uri} as {who}: {answer:?}");
        write!(row, " {found} |").unwrap();
    }
    row
}

#[tokio::test]
async fn every_route_gives_every_role_what_the_table_says() {
    let app = TestApp::new().await;
    let document: Value = serde_json::from_str(&api::openapi_json()).unwrap();
    let mut wallet = Wallet::new();
    let mut page = HEAD.to_owned();
    writeln!(page, "| route | action | {} |", CALLERS.join(" | ").replace('_', " ")).unwrap();
    writeln!(page, "|{}", " --- |".repeat(CALLERS.len() + 2)).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = method.to_uppercase();
            let action = operation["x-action"].as_str();
            let action = action.unwrap_or_else(|| panic!("{method} {path} names no action"));
            let uri = path.replace("{path}", "0/000").replace("{epoch}", "1").replace('{', "");
            // A feed would go on for ever; at a cursor that is none it ends with a 400.
            let mut uri = uri.replace('}', "");
            if uri == "/api/v1/feed" {
                uri.push_str("?since=x");
            }
            let is_open = operation["security"].is_null();
            let grants = if is_open { None } else { Some(&operation["x-grants"]) };
            let row = row(&app, &mut wallet, (&method, &uri), grants).await;
            writeln!(page, "| `{method} {path}` | {action} |{row}").unwrap();
            let reveal = &operation["x-grants-reveal"];
            if reveal.is_object() {
                let uri = format!("{uri}?reveal=true&purpose=audit");
                let row = self::row(&app, &mut wallet, (&method, &uri), Some(reveal)).await;
                writeln!(page, "| `{method} {path}?reveal=true&purpose=…` | reveal |{row}")
                    .unwrap();
            }
        }
    }
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/roles.md");
    if std::fs::read_to_string(&committed).ok().as_deref() != Some(page.as_str()) {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("roles.md");
        std::fs::write(&fresh, page).unwrap();
        panic!("{} is stale: copy {} over it", committed.display(), fresh.display());
    }
}

#[tokio::test]
async fn several_scopes_add_up() {
    let app = TestApp::new().await;
    let scopes = vec![Scope::Gateway, Scope::Read];
    let both = app.control.create_key(NewKey { scopes, ..NewKey::default() }).unwrap().secret;
    app.get(&both, "/api/v1/audit/logs").await.ok();
    assert_eq!(app.get(&both, "/api/v1/keys").await.problem(), "forbidden");
    assert_eq!(
        app.accesses(),
        ["list ok", "keys_list denied"]
            .map(|access| { format!("{access} {}", app.control.list_keys().unwrap()[0].id) })
    );
}

#[tokio::test]
async fn ledger_that_is_not_public_is_for_readers() {
    let app = TestApp::new().await;
    assert_eq!(app.anon("GET", "/ledger/vkey").await.problem(), "unauthenticated");
    app.get(&app.token(Role::Viewer), "/ledger/vkey").await.ok();
}
