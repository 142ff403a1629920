//! The binary, run and waited for; calls through the gateway.

use http_body_util::Full;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use testkit::{Answer, AuditLayer, AuditLayerBuilder, Client};

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// One line on standard error, nothing on standard output.
    #[track_caller]
    pub fn failed(&self, code: i32, contains: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stderr.contains(contains), "{contains:?} is not in {self:?}");
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
    }
}

/// Runs the binary in an empty directory with an empty environment.
pub fn run(arguments: &[&str]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    run_in(directory.path(), arguments, &[])
}

pub fn run_in(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_audit-layer"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran::of(&output)
}

pub fn server() -> AuditLayerBuilder {
    AuditLayer::builder(env!("CARGO_BIN_EXE_audit-layer"))
}

/// Runs a command on the server's data directory.
pub async fn on(server: &AuditLayer, arguments: &[&str]) -> Ran {
    Ran::of(&server.run(arguments).await)
}

/// A chat call; panics where there is no answer.
pub async fn call(client: &Client, url: &str, key: &str, id: &str) -> Answer {
    let body =
        json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi \u{1b}[31m"}]});
    let request = http::Request::post(format!("{url}/v1/chat/completions"))
        .header("x-api-key", key)
        .header("x-llm-user", "u-42")
        .header("x-llm-request-type", "ask")
        .header("x-request-id", id)
        .header("content-type", "application/json")
        .body(Full::new(body.to_string().into()))
        .unwrap();
    client.send(request).await.unwrap().whole().await
}
