//! The local operator's way in: HTTP over the data directory's `control.sock`, served by the
//! running server, or by this process where none runs.

mod answer;
mod events;
mod query;

use crate::socket::SocketPath;
pub use answer::Answer;
pub use events::Ended;
pub use query::Query;

use crate::compose::{self, Local};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::cell::RefCell;
use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

/// Bytes of an answer at most (a proof holds bodies).
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;
/// How long a server that is starting or stopping is waited for.
const BUSY_WAIT_MS: u64 = 10_000;
const BUSY_POLL_MS: u64 = 100;

/// A connection to the audit, as the local operator.
#[derive(Debug)]
pub struct Operator {
    // Dropped first: it needs the runtime to close.
    local: RefCell<Option<Local>>,
    socket: SocketPath,
    runtime: Runtime,
    config: Config,
}

/// Why there is no answer.
enum Unanswered {
    /// Nobody got the request.
    Unsent(Box<dyn std::error::Error + Send + Sync>),
    /// Somebody may have.
    Sent(Box<dyn std::error::Error + Send + Sync>),
}

// === impl Operator ===

impl Operator {
    /// Reaches the running server, or opens the data directory where none runs.
    pub fn open(config: &Config) -> Outcome<Self> {
        check_directory(config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("no threads can be started: {error}")))?;
        let socket = SocketPath::of(&config.data)?;
        let local = RefCell::new(reach(config, &socket, &runtime)?);
        Ok(Self { local, socket, runtime, config: config.clone() })
    }

    /// As [`open`](Self::open), and makes the data directory where there is none.
    pub fn open_or_create(config: &Config) -> Outcome<Self> {
        compose::prepare_directory(&config.data)?;
        Self::open(config)
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Outcome<Answer> {
        self.send(&Method::GET, path, None)
    }

    /// Reads JSON.
    pub fn get_json(&self, path: &str) -> Outcome<Value> {
        self.get(path)?.json()
    }

    /// Sends JSON and reads JSON.
    pub fn post_json(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.send(&Method::POST, path, Some(body))?.json()
    }

    /// Follows a feed: hands over each event's data until the stream ends, or `each` fails.
    pub fn events(&self, path: &str, each: impl FnMut(&Value) -> Outcome) -> Outcome<Ended> {
        self.runtime.block_on(events::follow(&self.socket, path, each))
    }

    /// Changes with JSON and reads JSON.
    pub fn patch_json(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.send(&Method::PATCH, path, Some(body))?.json()
    }

    /// Removes and reads JSON.
    pub fn delete_json(&self, path: &str) -> Outcome<Value> {
        self.send(&Method::DELETE, path, None)?.json()
    }

    /// Whether a server runs (and this process only talks to it).
    pub fn is_remote(&self) -> bool {
        self.local.borrow().is_none()
    }

    /// Ends, so that everything that was recorded is sealed.
    pub fn close(mut self) -> Outcome {
        match self.local.get_mut().take() {
            Some(local) => self.runtime.block_on(local.close()).map_err(Failure::from),
            None => Ok(()),
        }
    }

    fn send(&self, method: &Method, path: &str, body: Option<&Value>) -> Outcome<Answer> {
        let started = Instant::now();
        loop {
            match self.runtime.block_on(send(&self.socket, method, path, body)) {
                Ok(answer) => return Ok(answer),
                // Whoever served the directory when this command began has ended: another
                // command, most likely.
                Err(Unanswered::Unsent(_)) if self.is_remote() && is_early(started) => {
                    std::thread::sleep(Duration::from_millis(BUSY_POLL_MS));
                    let local = reach(&self.config, &self.socket, &self.runtime)?;
                    self.local.replace(local);
                }
                Err(Unanswered::Unsent(error) | Unanswered::Sent(error)) => {
                    return Err(Failure::failed(format!(
                        "the server at {} does not answer ({error}); see its log, then try again",
                        self.socket.path().display()
                    )));
                }
            }
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(local) = self.local.get_mut().take() {
            // The command failed and says why; closing cannot add to that.
            let _closed = self.runtime.block_on(local.close());
        }
    }
}

/// Finds the directory served, or opens it for this process.
fn reach(config: &Config, socket: &SocketPath, runtime: &Runtime) -> Outcome<Option<Local>> {
    let started = Instant::now();
    loop {
        if runtime.block_on(UnixStream::connect(socket.path())).is_ok() {
            return Ok(None);
        }
        match runtime.block_on(Local::open(config)) {
            Ok(local) => return Ok(Some(local)),
            Err(failure) if failure.is_locked() && is_early(started) => {
                std::thread::sleep(Duration::from_millis(BUSY_POLL_MS));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}

fn is_early(started: Instant) -> bool {
    started.elapsed() < Duration::from_millis(BUSY_WAIT_MS)
}

/// Whether there is a data directory at all.
pub fn check_directory(config: &Config) -> Outcome {
    let data = config.data.display();
    match std::fs::metadata(&config.data) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            return Err(Failure::failed(format!(
                "{data} is no directory; give the data directory with --data"
            )));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::failed(format!(
                "there is no data directory {data}; give it with --data, or start `audit-layer serve` to make one"
            )));
        }
        Err(error) => return Err(Failure::file("read", &config.data, &error)),
    }
    Ok(())
}

async fn send(
    socket: &SocketPath,
    method: &Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Answer, Unanswered> {
    let stream =
        UnixStream::connect(socket.path()).await.map_err(|e| Unanswered::Unsent(e.into()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unanswered)?;
    // It ends with the answer; what goes wrong on it shows there.
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    let bytes = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    let request = request.body(Full::new(bytes)).map_err(|e| Unanswered::Sent(e.into()))?;
    let response = sender.send_request(request).await.map_err(unanswered)?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(Unanswered::Sent)?;
    drop(sender);
    connection.abort();
    Ok(Answer::new(head.status, body.to_bytes()))
}

/// A Unix socket is reset, and not just closed, where what was sent had not been read.
fn unanswered(error: hyper::Error) -> Unanswered {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let unread = io.is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
    });
    if error.is_canceled() || unread {
        Unanswered::Unsent(error.into())
    } else {
        Unanswered::Sent(error.into())
    }
}
