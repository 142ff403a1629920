//! The control socket, for the time that this process has the data directory.

use super::OpenFailure;
use crate::socket::SocketPath;
use api::{Api, ServeLimits};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A listener that is not there by then has failed.
const BIND_MS_MAX: u64 = 10_000;
const BIND_POLL_MS: u64 = 1;

/// Serves the API on the control socket until `stop`; returns once it can be connected to. The
/// caller has the directory's lock.
pub async fn serve(
    api: Api,
    data: &Path,
    limits: ServeLimits,
    stop: watch::Receiver<bool>,
) -> Result<JoinHandle<Result<(), OpenFailure>>, OpenFailure> {
    let socket = SocketPath::of(data)
        .map_err(|failure| OpenFailure::Other(failure.message.unwrap_or_default()))?;
    let path = socket.path().to_owned();
    let serving = tokio::spawn(async move {
        let served = api.serve_socket(socket.path(), limits, stop).await;
        served.map_err(OpenFailure::other)
    });
    let started = Instant::now();
    while UnixStream::connect(&path).await.is_err() {
        if serving.is_finished() {
            return serving.await.map_err(OpenFailure::other)?.and_then(|()| Err(gone()));
        }
        if started.elapsed() > Duration::from_millis(BIND_MS_MAX) {
            serving.abort();
            return Err(gone());
        }
        tokio::time::sleep(Duration::from_millis(BIND_POLL_MS)).await;
    }
    Ok(serving)
}

fn gone() -> OpenFailure {
    OpenFailure::Other(
        "the control socket takes no connections; check the data directory".to_owned(),
    )
}
