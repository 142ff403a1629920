//! Nothing in the repository tells of the machine it was made on, or ties it to one registry.

use crate::tree::{Source, assert_none, tracked};

/// Directories of build machines.
const DIRECTORIES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Hosts of package registries: which one is used is the machine's matter.
const HOSTS: &[&str] = &[
    concat!("registry.np", "mjs"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("python", "hosted"),
    concat!("deb.deb", "ian.org"),
];

/// Recorded answers of real providers: data, kept as they came.
const RECORDED: &[&str] = &["crates/wire/tests/fixtures/", "crates/wire/tests/snapshots/"];

fn faults(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for Source { path, text } in files {
        for (number, line) in text.lines().enumerate() {
            let recorded = RECORDED.iter().any(|folder| path.starts_with(folder));
            let traces =
                DIRECTORIES.iter().filter(|_| !recorded).filter(|trace| is_absolute(line, trace));
            let hosts = HOSTS.iter().filter(|host| line.contains(**host));
            faults
                .extend(traces.chain(hosts).map(|found| format!("{path}:{}: {found}", number + 1)));
        }
    }
    faults
}

/// Whether a directory stands at the start of a path, not inside of one.
fn is_absolute(line: &str, directory: &str) -> bool {
    line.match_indices(directory).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-}$".contains(before))
    })
}

#[test]
fn no_traces_of_a_machine() {
    assert_none("paths of a machine or hosts of a registry", &faults(&tracked()));
}

#[test]
fn traces_are_found() {
    let file = |text: String| [Source { path: "a.md".to_owned(), text }];
    for trace in DIRECTORIES.iter().chain(HOSTS) {
        assert_eq!(faults(&file(format!("see {trace}x"))).len(), 1, "{trace}");
    }
    assert!(faults(&file(format!("src{}x", DIRECTORIES[1]))).is_empty());
}
