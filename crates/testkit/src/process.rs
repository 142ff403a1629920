//! The product as a child process, with a data directory of its own.

use crate::client::{Answer, Client};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A start that takes longer has failed.
const READY_MS_MAX: u64 = 60_000;
/// A stop that takes longer has failed.
const STOP_MS_MAX: u64 = 60_000;
const POLL_MS: u64 = 20;
/// The administrator's password in tests.
const ADMIN_PASSWORD: &str = "test-admin-password";

/// What to start and how.
#[derive(Debug, Clone)]
pub struct AuditLayerBuilder {
    binary: PathBuf,
    upstream: Option<String>,
    config: Option<String>,
    data: Option<PathBuf>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
}

/// The running product. It is killed when dropped.
#[derive(Debug)]
pub struct AuditLayer {
    builder: AuditLayerBuilder,
    // Kept so that the directory outlives restarts.
    _directory: Option<TempDir>,
    data: PathBuf,
    running: Option<Running>,
    client: Client,
}

#[derive(Debug)]
struct Running {
    child: Child,
    pid: Pid,
    gateway: String,
    api: String,
    output: Arc<Mutex<String>>,
}

// === impl AuditLayerBuilder ===

impl AuditLayerBuilder {
    /// One provider for everything.
    #[must_use]
    pub fn upstream(mut self, url: &str) -> Self {
        self.upstream = Some(url.to_owned());
        self
    }

    /// The text of the configuration file.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config = Some(toml.to_owned());
        self
    }

    /// An existing data directory, which is kept.
    #[must_use]
    pub fn data(mut self, directory: &Path) -> Self {
        self.data = Some(directory.to_owned());
        self
    }

    /// One more argument of `serve`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A program that runs the product: `strace` with its arguments, say.
    #[must_use]
    pub fn wrapper(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// Where it does not become ready.
    pub async fn start(self) -> AuditLayer {
        let mut server = self.prepare();
        server.start().await;
        server
    }

    /// Makes the data directory, starts nothing.
    ///
    /// # Panics
    /// Where the directory cannot be made.
    pub fn prepare(self) -> AuditLayer {
        let (directory, data) = if let Some(data) = &self.data {
            (None, data.clone())
        } else {
            let directory = TempDir::new().expect("a temporary directory");
            let data = directory.path().join("data");
            (Some(directory), data)
        };
        AuditLayer {
            builder: self,
            _directory: directory,
            data,
            running: None,
            client: Client::new(),
        }
    }
}

// === impl AuditLayer ===

impl AuditLayer {
    /// The product at this path (`env!("CARGO_BIN_EXE_audit-layer")` in tests of `cli`).
    pub fn builder(binary: impl Into<PathBuf>) -> AuditLayerBuilder {
        AuditLayerBuilder {
            binary: binary.into(),
            upstream: None,
            config: None,
            data: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// Starts it (again) and waits until it is ready.
    ///
    /// # Panics
    /// Where it does not become ready; the message holds what it printed.
    pub async fn start(&mut self) {
        if let Err(output) = self.try_start().await {
            panic!("the server did not become ready:\n{output}");
        }
    }

    /// Starts it; the error is what it printed where it ended or did not become ready in time.
    pub async fn try_start(&mut self) -> Result<(), String> {
        let mut child = self.command().spawn().expect("the binary can be run");
        let pid = pid_of(&child);
        let output = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let errors = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (found, addresses) = tokio::sync::oneshot::channel();
        tokio::spawn(collect(lines, Arc::clone(&output), Some(found)));
        let errors = tokio::spawn(collect(errors, Arc::clone(&output), None));
        let limit = Duration::from_millis(READY_MS_MAX);
        let Ok(Ok((gateway, api))) = tokio::time::timeout(limit, addresses).await else {
            // It has ended or never will start; either way its last words are of interest.
            let _ = child.kill().await;
            let _ = errors.await;
            return Err(text(&output));
        };
        self.running = Some(Running { child, pid, gateway, api, output });
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_millis(READY_MS_MAX);
        let urls = [format!("{}/readyz", self.gateway_url()), format!("{}/readyz", self.api_url())];
        for url in urls {
            while !self.is_ready(&url).await {
                let ended = self.try_wait();
                if ended.is_some() || Instant::now() > deadline {
                    return Err(format!("{}\nstatus: {ended:?}", self.output()));
                }
                tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
            }
        }
        Ok(())
    }

    async fn is_ready(&self, url: &str) -> bool {
        let request = http::Request::get(url).body(http_body_util::Full::default());
        matches!(self.client.send(request.expect("a URL")).await, Ok(answer) if answer.status == 200)
    }

    fn command(&self) -> Command {
        let builder = &self.builder;
        let mut words = builder.wrapper.iter().map(PathBuf::from).chain([builder.binary.clone()]);
        let mut command = Command::new(words.next().expect("the binary itself"));
        command.args(words).arg("serve").arg("--data").arg(&self.data);
        command.args(["--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]);
        if let Some(upstream) = &builder.upstream {
            command.args(["--upstream", upstream]);
        }
        if let Some(config) = &builder.config {
            let path = self.data.with_extension("toml");
            std::fs::write(&path, config).expect("the directory can be written");
            command.arg("--config").arg(path);
        }
        command.args(&builder.arguments).env("AUDIT_LAYER_ADMIN_PASSWORD", ADMIN_PASSWORD);
        command.envs(builder.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    /// Runs another command of the product on this data directory, beside the server or after it.
    ///
    /// # Panics
    /// Where the binary cannot be run.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.builder.binary);
        command.args(arguments).arg("--data").arg(&self.data).stdin(Stdio::null());
        command.output().await.expect("the binary can be run")
    }

    /// Runs a command that has to succeed and to print JSON.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn run_json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stdout))
        })
    }

    /// Makes a gateway key for a source.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn key(&self, source: &str) -> String {
        let made = self.run_json(&["keys", "create", "--source", source, "--json"]).await;
        made["key"].as_str().expect("a key").to_owned()
    }

    /// Signs in as `admin` and returns the token.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn token(&self) -> String {
        let body = serde_json::json!({"username": "admin", "password": ADMIN_PASSWORD});
        let url = format!("{}/api/v1/auth/login", self.api_url());
        let answer = self.client.post_json(&url, &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }

    /// Reads from the API with a token.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn api_get(&self, token: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.client.get(&format!("{}{path}", self.api_url()), &[("authorization", &bearer)]).await
    }

    /// The gateway's base URL.
    ///
    /// # Panics
    /// Where the server does not run.
    pub fn gateway_url(&self) -> &str {
        &self.running().gateway
    }

    /// The API's base URL.
    ///
    /// # Panics
    /// Where the server does not run.
    pub fn api_url(&self) -> &str {
        &self.running().api
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The client that its own calls use.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the server printed since its last start.
    pub fn output(&self) -> String {
        self.running.as_ref().map(|running| text(&running.output)).unwrap_or_default()
    }

    /// The server's process id (that of the wrapper, where there is one).
    ///
    /// # Panics
    /// Where the server does not run.
    pub fn pid(&self) -> i32 {
        self.running().pid.as_raw_nonzero().get()
    }

    /// `kill -9`, and waits until the process is gone.
    ///
    /// # Panics
    /// Where it cannot be killed.
    pub async fn kill(&mut self) {
        let mut running = self.running.take().expect("the server runs");
        running.child.kill().await.expect("a child can be killed");
        self.client = Client::new();
    }

    /// SIGTERM, and waits until the process has ended.
    ///
    /// # Panics
    /// Where it does not end in time.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("the server runs");
        kill_process(running.pid, Signal::TERM).expect("a child can be signalled");
        let limit = Duration::from_millis(STOP_MS_MAX);
        let ended = tokio::time::timeout(limit, running.child.wait()).await;
        self.client = Client::new();
        ended.expect("SIGTERM ends the server").expect("a child can be waited for")
    }

    /// The exit status where the server has ended by itself.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.running.as_mut().and_then(|running| running.child.try_wait().ok().flatten())
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }
}

fn pid_of(child: &Child) -> Pid {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    pid.expect("the process has just been started")
}

fn text(output: &Mutex<String>) -> String {
    crate::mock::lock(output).clone()
}

type Addresses = tokio::sync::oneshot::Sender<(String, String)>;

/// Keeps what the server prints, and finds the addresses on which it listens.
async fn collect(
    mut lines: tokio::io::Lines<BufReader<impl tokio::io::AsyncRead + Unpin>>,
    output: Arc<Mutex<String>>,
    mut found: Option<Addresses>,
) {
    let (mut gateway, mut api) = (None, None);
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, url)) = line.split_once("gateway listening on ") {
            gateway = Some(url.trim().to_owned());
        } else if let Some((_, url)) = line.split_once("api listening on ") {
            api = Some(url.trim().to_owned());
        }
        let mut output = crate::mock::lock(&output);
        output.push_str(&line);
        output.push('\n');
        if let (Some(gateway), Some(api), Some(_)) = (&gateway, &api, &found)
            && let Some(found) = found.take()
        {
            let _ = found.send((gateway.clone(), api.clone()));
        }
    }
}
