//! `policy`: folders of policies, checked and tested.

use crate::support::policy;
use std::fs;
use tempfile::TempDir;

const GOOD: &str = "@id(\"late\") @outcome(\"BLOCK\")
forbid (principal, action, resource) when { context.hour >= 20 };\n";
const CASES: &str = "[[case]]
name = \"at night\"
facts = { at = 2026-03-04T22:00:00Z }
expect = { outcome = \"BLOCK\", violations = [\"late\"] }\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("p")).unwrap();
    for (name, text) in files {
        fs::write(dir.path().join("p").join(name), text).unwrap();
    }
    dir
}

#[test]
fn a_good_folder_is_listed_with_its_version() {
    let dir = folder(&[("a.cedar", GOOD)]);
    let ran = policy(dir.path(), &["check", "p"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.contains("late\tBLOCK\tmedium\trequest\tenforce\ta.cedar:1"), "{ran:?}");
    let json = policy(dir.path(), &["check", "p", "--json"]).json();
    assert_eq!((&json["ok"], &json["policies"][0]["id"]), (&true.into(), &"late".into()));
    assert!(json["bundle"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn every_fault_is_told_with_its_place() {
    let bad = format!(
        "{GOOD}@id(\"x\") @outcome(\"STOP\")\nforbid (principal, action, resource) when {{ context.colour }};\n"
    );
    let dir = folder(&[("a.cedar", &bad)]);
    let ran = policy(dir.path(), &["check", "p"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.stderr, "error: the policies of p cannot be used: 2 faults\n");
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("FAULT p/a.cedar:3:10: found @outcome(\"STOP\")"), "{ran:?}");
    assert!(
        lines[1].starts_with("FAULT p/a.cedar:4:45: ") && lines[1].contains("colour"),
        "{ran:?}"
    );
    let ran = policy(dir.path(), &["check", "p", "--json"]);
    assert_eq!((ran.code, &ran.json()["faults"][0]["line"]), (1, &3.into()));
}

#[test]
fn cases_are_run_and_the_wrong_ones_are_told() {
    let dir = folder(&[("a.cedar", GOOD), ("tests.toml", CASES)]);
    let ran = policy(dir.path(), &["test", "p"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "ok at night (p/tests.toml:1)\nOK 1 case\n"));
    fs::write(dir.path().join("p/b.test.toml"), CASES.replace("T22", "T12")).unwrap();
    let ran = policy(dir.path(), &["test", "p"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "error: 1 of 2 cases failed\n"));
    assert!(
        ran.stdout.contains(
            "FAILED at night (p/b.test.toml:1)\n  expected the outcome BLOCK, found ALLOW\n"
        ),
        "{ran:?}"
    );
    let json = policy(dir.path(), &["test", "p", "--json"]).json();
    assert_eq!((&json["ok"], &json["failed"]), (&false.into(), &1.into()));
}

#[test]
fn a_folder_that_is_none_is_refused() {
    let dir = folder(&[]);
    policy(dir.path(), &["check", "q"]).failed(1, "correct the path");
    policy(dir.path(), &["check", "p"]).failed(1, "there is no .cedar file in it");
    policy(dir.path(), &["check"]).failed(2, "<DIR>");
    fs::write(dir.path().join("p/a.cedar"), GOOD).unwrap();
    policy(dir.path(), &["test", "p"]).failed(1, "write some into tests.toml");
}

#[test]
fn the_schema_is_printed_for_editors() {
    let dir = folder(&[("a.cedar", GOOD)]);
    let ran = policy(dir.path(), &["schema"]);
    fs::write(dir.path().join("p/schema.cedarschema"), &ran.stdout).unwrap();
    assert_eq!(policy(dir.path(), &["check", "p"]).code, 0);
}

#[test]
fn cases_see_what_the_configured_detectors_find() {
    let policy_text = "@id(\"own\") @outcome(\"BLOCK\")
forbid (principal, action, resource) when { context.kinds.contains(\"project\") };\n";
    let cases = "[[case]]
name = \"a project\"
prompt = \"How is Bluebird?\"
expect = { outcome = \"BLOCK\" }\n";
    let dir = folder(&[("a.cedar", policy_text), ("tests.toml", cases)]);
    let ran = policy(dir.path(), &["test", "p"]);
    assert_eq!(ran.code, 1, "nothing is configured: {ran:?}");
    let own =
        "[[detectors.custom]]\nname = \"project\"\nclass = \"secret\"\nwords = [\"bluebird\"]\n";
    fs::write(dir.path().join("audit-layer.toml"), own).unwrap();
    let ran = policy(dir.path(), &["test", "p"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    fs::write(dir.path().join("audit-layer.toml"), own.replace("words", "colours")).unwrap();
    policy(dir.path(), &["test", "p"]).failed(2, "detectors.custom");
}
