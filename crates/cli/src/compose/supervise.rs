//! The supervised upstream: `serve … -- COMMAND`.

use crate::failure::{Failure, Outcome};
use http::Uri;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Whether the command listens is looked up this often.
const PROBE_EVERY: Duration = Duration::from_millis(200);
const PROBE_MS_MAX: u64 = 1_000;
/// A command that ran shorter than this counts as failing to start.
const SHORT_RUN: Duration = Duration::from_secs(10);
/// After so many short runs one after the other nobody tries again.
const SHORT_RUNS_MAX: u32 = 5;
const BACKOFF_MS_MIN: u64 = 250;
const BACKOFF_MS_MAX: u64 = 10_000;

/// A command that is kept running.
#[derive(Debug)]
pub struct Supervisor {
    command: Vec<OsString>,
    address: String,
    state: watch::Sender<Option<String>>,
    grace: Duration,
}

/// How one run of the command ended.
enum Run {
    Stopped,
    Ended(String),
}

// === impl Supervisor ===

impl Supervisor {
    /// Supervises the command that is to listen where the provider does.
    pub fn new(command: Vec<OsString>, base_url: &Uri, grace: Duration) -> Self {
        let port = base_url.port_u16().unwrap_or(80);
        let address = format!("{}:{port}", base_url.host().unwrap_or("127.0.0.1"));
        let (state, _) =
            watch::channel(Some(format!("the command does not listen on {address} yet")));
        Self { command, address, state, grace }
    }

    /// Why the command does not answer; none where it does.
    pub fn state(&self) -> watch::Receiver<Option<String>> {
        self.state.subscribe()
    }

    /// Runs the command, again after it ended, until `stop`; fails where it keeps ending.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Outcome {
        let mut short_runs = 0;
        let mut backoff_ms = BACKOFF_MS_MIN;
        loop {
            let started = Instant::now();
            let how = match self.run_once(&mut stop).await? {
                Run::Stopped => return Ok(()),
                Run::Ended(how) => how,
            };
            self.state.send_replace(Some(format!("the command ended ({how})")));
            if started.elapsed() >= SHORT_RUN {
                (short_runs, backoff_ms) = (0, BACKOFF_MS_MIN);
            }
            short_runs += 1;
            if short_runs >= SHORT_RUNS_MAX {
                return Err(Failure::failed(format!(
                    "the command {} ended {short_runs} times soon after its start, last with {how}; correct it and start again",
                    self.name()
                )));
            }
            tracing::warn!(how, backoff_ms, "the supervised command ended and is started again");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(backoff_ms)) => {}
                () = asked(&mut stop) => return Ok(()),
            }
            backoff_ms = (backoff_ms * 2).min(BACKOFF_MS_MAX);
        }
    }

    async fn run_once(&self, stop: &mut watch::Receiver<bool>) -> Outcome<Run> {
        let mut child = self.spawn()?;
        tracing::info!(
            command = self.name(),
            pid = child.id(),
            "the supervised command was started"
        );
        loop {
            tokio::select! {
                ended = child.wait() => {
                    return Ok(Run::Ended(ended.map_or_else(|e| e.to_string(), |status| status.to_string())));
                }
                () = asked(stop) => {
                    self.end(child).await;
                    return Ok(Run::Stopped);
                }
                () = tokio::time::sleep(PROBE_EVERY) => self.probe().await,
            }
        }
    }

    fn spawn(&self) -> Outcome<Child> {
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| Failure::usage("a command is missing after --"))?;
        // Standard output is ours. A group of its own keeps a terminal's Ctrl-C from ending the
        // command before the calls that need it.
        let spawned = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(io::stderr())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        spawned.map_err(|error| {
            Failure::failed(format!(
                "the command {} cannot be started: {error}; correct it",
                self.name()
            ))
        })
    }

    async fn probe(&self) {
        let limit = Duration::from_millis(PROBE_MS_MAX);
        let connected = tokio::time::timeout(limit, TcpStream::connect(&self.address)).await;
        let state = match connected {
            Ok(Ok(_)) => None,
            _ => Some(format!("the command does not listen on {}", self.address)),
        };
        self.state.send_if_modified(|value| {
            let changed = *value != state;
            *value = state;
            changed
        });
    }

    /// SIGTERM, then SIGKILL for it and its children.
    async fn end(&self, mut child: Child) {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return };
        if let Err(error) = kill_process(pid, Signal::TERM) {
            tracing::warn!(%error, "SIGTERM did not reach the supervised command");
        }
        if tokio::time::timeout(self.grace, child.wait()).await.is_err() {
            tracing::warn!(grace = ?self.grace, "the supervised command did not end and is killed");
        }
        // Its children may outlive it; an error says that none did.
        let _killed = kill_process_group(pid, Signal::KILL);
        let _waited = child.wait().await;
    }

    fn name(&self) -> String {
        self.command
            .first()
            .map(|program| program.to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}

/// Waits until the process is to stop.
async fn asked(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _asked = stop.wait_for(|stop| *stop).await;
}
