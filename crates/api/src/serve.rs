//! Listeners: the network's, and the control socket of the data directory.

use crate::state::Api;
use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

/// Bytes of a request's head at most.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long accepting pauses when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// Connections at once at most; further ones wait.
    pub connections_max: usize,
    /// How long the head of a request may take.
    pub header_read: Duration,
    /// How long requests under way may take to end after the stop.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            header_read: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

/// Why a listener cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The socket's file.
    #[error("the control socket {path} cannot be made ({source}); check the data directory")]
    Socket {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Peer {
    /// Not known.
    #[default]
    Unknown,
    /// A network address.
    Network(IpAddr),
    /// The control socket, opened by this user of the machine.
    Socket {
        /// The user.
        uid: u32,
    },
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Network(address) => address.fmt(f),
            Self::Socket { .. } => f.write_str("control-socket"),
        }
    }
}

/// Tells streams, which end only when somebody ends them, that the listener stops.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

// === impl Stopping ===

impl Stopping {
    /// Waits until it stops; forever where nothing can stop it.
    pub(crate) async fn wait(stopping: Option<Self>) {
        match stopping {
            // Whoever could stop it is gone: that is a stop, too.
            Some(Self(mut stop)) => drop(stop.wait_for(|stop| *stop).await),
            None => std::future::pending().await,
        }
    }
}

// === impl Api ===

impl Api {
    /// Serves the network until `stop` is true, then lets requests under way end.
    pub async fn serve(
        &self,
        listener: TcpListener,
        limits: ServeLimits,
        stop: watch::Receiver<bool>,
    ) {
        serve(self.router(), Network(listener), limits, stop).await;
    }

    /// Serves the control socket, a file of mode 0600, until `stop` is true. Replaces a file that
    /// an earlier process left: call this only while holding the data directory's lock.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub async fn serve_socket(
        &self,
        path: &Path,
        limits: ServeLimits,
        stop: watch::Receiver<bool>,
    ) -> Result<(), ServeError> {
        let listener =
            bind(path).map_err(|source| ServeError::Socket { path: path.to_owned(), source })?;
        let ours = rustix::process::geteuid().as_raw();
        let socket = Socket { listener, ours };
        serve(self.router(), socket, limits, stop).await;
        // Left behind it would do no harm: the next start replaces it.
        let _removed = std::fs::remove_file(path);
        Ok(())
    }
}

/// Where connections come from.
trait Accept: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection; none where it was refused.
    fn accept(&self) -> impl Future<Output = io::Result<Option<(Self::Stream, Peer)>>> + Send;
}

struct Network(TcpListener);

impl Accept for Network {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<Option<(TcpStream, Peer)>> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok(Some((stream, Peer::Network(peer.ip().to_canonical()))))
    }
}

struct Socket {
    listener: UnixListener,
    ours: u32,
}

impl Accept for Socket {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<Option<(UnixStream, Peer)>> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        // The file's mode says so already; this also holds while it is being made.
        if uid != self.ours && uid != 0 {
            tracing::warn!(uid, "another user's connection to the control socket was refused");
            return Ok(None);
        }
        Ok(Some((stream, Peer::Socket { uid })))
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn serve<A: Accept>(
    router: Router,
    listener: A,
    limits: ServeLimits,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            match listener.accept().await {
                Ok(accepted) => accepted.map(|(stream, peer)| (stream, peer, place)),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    None
                }
            }
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let stopping = Stopping(stop.clone());
        let connection = connection(router.clone(), stream, peer, limits, stopping, &graceful);
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests of the API were still under way when the time to drain was over");
    }
}

fn connection<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    router: Router,
    stream: T,
    peer: Peer,
    limits: ServeLimits,
    stopping: Stopping,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<T> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(stopping.clone());
        routes.call(request)
    });
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection of the API ended");
        }
    }
}
