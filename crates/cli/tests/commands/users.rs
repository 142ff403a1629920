//! People from the command line, where no server runs: the first of them are made so.

use crate::support::{Ran, run_in};
use serde_json::Value;

fn users(directory: &std::path::Path, arguments: &[&str]) -> Ran {
    run_in(directory, &[&["users"], arguments, &["--data", "data"]].concat(), &[])
}

#[test]
fn people_are_added_listed_disabled_and_get_passwords() {
    let directory = tempfile::tempdir().unwrap();
    let on = |arguments: &[&str]| users(directory.path(), arguments);
    let add = ["add", "vera", "--role", "viewer", "--user-id", "u-42", "--json"];
    let made = on(&add).json();
    assert_eq!((&made["username"], &made["user_id"]), (&"vera".into(), &"u-42".into()));
    assert!(made["password"].as_str().unwrap().len() >= 20, "{made}");
    on(&add).failed(1, "exists already");
    on(&["add", "olga", "--role", "king"]).failed(2, "compliance_officer");
    on(&["add", "olga", "--role", "admin", "--password-stdin"]).failed(1, "10 characters");
    let shown = on(&["passwd", "vera"]);
    assert_eq!((shown.code, shown.stdout.trim().len()), (0, 24), "{shown:?}");
    assert_eq!(on(&["disable", "Vera"]).stdout, "disabled Vera\n");
    let listed = on(&["list", "--json"]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(listed["items"][0]["disabled_at"].is_string());
    let table = on(&["list"]);
    assert!(table.stdout.contains("disabled") && table.stdout.contains("u-42"), "{table:?}");
    assert_eq!(on(&["enable", "vera", "--json"]).json()["disabled_at"], Value::Null);
    assert_eq!(on(&["sign-out", "vera"]).stdout, "ended 0 sessions of vera\n");
    on(&["disable", "nobody"]).failed(1, "there is no user");
}
