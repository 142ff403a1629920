//! Help, wrong usage, wrong configuration.

use crate::support::{run, run_in};

const COMMANDS: [&[&str]; 25] = [
    &["serve"],
    &["keys"],
    &["keys", "create"],
    &["keys", "list"],
    &["keys", "rotate"],
    &["keys", "revoke"],
    &["logs"],
    &["show"],
    &["trace"],
    &["sql"],
    &["verify"],
    &["proof"],
    &["verify-proof"],
    &["checkpoint"],
    &["policy", "check"],
    &["policy", "test"],
    &["policy", "backtest"],
    &["policy", "schema"],
    &["rebuild"],
    &["recover"],
    &["reviews", "list"],
    &["reviews", "show"],
    &["reviews", "approve"],
    &["reviews", "reject"],
    &["doctor"],
];

#[test]
fn every_command_explains_itself_and_every_flag() {
    for command in COMMANDS {
        let help = run(&[command, &["--help"]].concat());
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command:?}");
        assert!(help.stdout.contains("Usage: audit-layer"), "{help:?}");
        assert!(!help.stdout.contains('\u{1b}'), "{help:?}");
        let lines: Vec<_> = help.stdout.lines().map(str::trim_start).collect();
        let is_flag = |line: &str| line.starts_with('-') && !line.starts_with("- ");
        for (at, flag) in lines.iter().enumerate().filter(|(_, line)| is_flag(line)) {
            // The description stands behind the flag or below it.
            let below =
                lines.get(at + 1).is_some_and(|below| below.starts_with(char::is_alphabetic));
            let described = flag.split("  ").count() > 1 || below;
            assert!(described, "{command:?}: {flag:?} has no description");
        }
    }
}

#[test]
fn every_command_that_prints_data_has_json() {
    for command in COMMANDS {
        if matches!(command, ["serve" | "keys"]) {
            continue;
        }
        let help = run(&[command, &["--help"]].concat());
        assert!(help.stdout.contains("--json"), "{command:?} has no --json");
    }
}

#[test]
fn wrong_usage_is_one_line_and_code_2() {
    run(&["logs", "--nonsense"]).failed(2, "unexpected argument '--nonsense'");
    run(&["lgos"]).failed(2, "logs");
    run(&["show"]).failed(2, "<ID>");
    run(&["trace", "not-a-uuid"]).failed(2, "not-a-uuid");
    run(&["logs", "--from", "yesterday"]).failed(2, "RFC 3339");
    run(&["logs", "--query", "source:a latency:>fast"]).failed(2, "character 19: \"fast\"");
    run(&["logs", "--limit", "501"]).failed(2, "501");
    run(&["keys", "create"]).failed(2, "--source");
    run(&["reviews", "approve", "rev_1"]).failed(2, "--rationale");
    run(&["keys", "create", "--source", "a", "--scope", "root"]).failed(2, "gateway, ingest, read");
    run(&["verify-proof", "x"]).failed(2, "--key");
    run(&["serve", "--demo", "--upstream", "http://h"]).failed(2, "--upstream");
}

#[test]
fn without_a_command_it_says_what_there_is() {
    let nothing = run(&[]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""));
    assert!(nothing.stderr.contains("verify-proof"), "{nothing:?}");
    assert_eq!(run(&["--version"]).stdout, format!("audit-layer {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_configuration_is_one_line_and_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    std::fs::write(dir.join("audit-layer.toml"), "[gateway]\nlisten = \"nowhere\"\n").unwrap();
    for command in [&["serve"][..], &["logs"], &["checkpoint"]] {
        run_in(dir, command, &[]).failed(2, "gateway.listen: found \"nowhere\"");
    }
    std::fs::write(dir.join("audit-layer.toml"), "").unwrap();
    let listen = [("AUDIT_LAYER__API__LISTEN", "0.0.0.0:8080")];
    run_in(dir, &["serve"], &listen).failed(2, "tls.terminated");
    run_in(dir, &["serve", "--config", "missing.toml"], &[]).failed(2, "missing.toml");
    run_in(dir, &["serve", "--upstream", "127.0.0.1:1"], &[]).failed(2, "http://HOST");
    run_in(dir, &["serve"], &[("AUDIT_LAYER__LOG__LEVEL", "a=b=c")]).failed(2, "log.level");
    assert!(!dir.join("audit-data").exists());
}
