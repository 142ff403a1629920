//! The listener: connections in, each to a lane, requests to the pipeline, drain on stop.

use crate::body::AnswerBody;
use crate::health;
use crate::lanes::Lanes;
use crate::pipeline;
use crate::policies::Guard;
use crate::settings::Settings;
use crate::shared::{Readiness, Shared};
use crate::targets::{ModelError, TargetHealth, Targets};
use crate::upstream::Upstream;
use control::Control;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use recorder::Recorder;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use wire::Prices;

/// Bytes of a request's head at most.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Streams on one HTTP/2 connection at once.
const H2_STREAMS_MAX: u32 = 256;
/// Bytes of a body that is read and recorded on its connection's thread. A larger one may take a
/// millisecond at a stretch, and goes where any thread takes over what waits behind it.
const SMALL_BYTES_MAX: u64 = 256 * 1024;
/// How long accepting pauses when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A gateway that is configured and not yet listening.
pub struct Gateway {
    shared: Arc<Shared>,
}

/// What every connection needs.
#[derive(Clone)]
struct Serving {
    shared: Arc<Shared>,
    /// The runtime whose threads share their work.
    workers: Handle,
}

/// Why a gateway cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// TLS trust roots or the listener.
    #[error("the gateway cannot start: {0}")]
    Io(#[from] std::io::Error),
    /// The models.
    #[error("models cannot be routed: {0}")]
    Models(#[from] ModelError),
    /// The price catalogue.
    #[error("the price catalogue cannot be read: {0}")]
    Prices(#[from] wire::PricesError),
}

impl Gateway {
    /// A gateway over a recorder.
    ///
    /// # Errors
    /// Where trust roots or prices cannot be read, or models make no sense.
    pub fn new(
        settings: Settings,
        recorder: Recorder,
        keys: Arc<Control>,
        ready: watch::Receiver<Readiness>,
    ) -> Result<Self, GatewayError> {
        let upstream = Upstream::new(settings.timeouts.connect)?;
        let detectors = settings.detectors.clone();
        let guard = settings
            .policies
            .clone()
            .map(|policies| Guard::new(policies, detectors.clone(), upstream.clone()));
        let shared = Shared {
            targets: Targets::new(&settings, &upstream)?,
            upstream,
            prices: Prices::bundled()?,
            redactor: policy::Redactor::new(detectors),
            refusals: Arc::default(),
            guard,
            settings,
            recorder,
            keys,
            ready,
            stopping: watch::Sender::new(false),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Tells how the targets of models are, at any time.
    pub fn targets(&self) -> impl Fn() -> Vec<TargetHealth> + Send + Sync + 'static + use<> {
        let shared = self.shared.clone();
        move || shared.targets.as_ref().map(Targets::health).unwrap_or_default()
    }

    /// Serves until `stop` is true, then lets requests under way end, for the configured time.
    /// Whoever owns the lanes keeps them for as long as the records of those may be written whose
    /// callers have left.
    ///
    /// # Errors
    /// Where the listener fails for good.
    pub async fn serve(
        self,
        listener: TcpListener,
        lanes: &Lanes,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), GatewayError> {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.shared.settings.connections_max));
        let workers = Handle::current();
        lanes.on_each(|| self.shared.recorder.journal().tell_here());
        let merging = tokio::spawn(crate::merge::flush_each_second(self.shared.refusals.clone()));
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &places) => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let gateway = Serving { shared: self.shared.clone(), workers: workers.clone() };
            let watcher = graceful.watcher();
            lanes.serve(async move {
                match TcpStream::from_std(stream) {
                    Ok(stream) => gateway.connection(stream, peer, watcher).await,
                    Err(error) => tracing::warn!(%error, "a connection was not accepted"),
                }
                drop(place);
            });
        }
        drop(listener);
        self.shared.stopping.send_replace(true);
        let drain = self.shared.settings.timeouts.drain;
        if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(?drain, "requests were still under way when the time to drain was over");
        }
        merging.abort();
        Ok(())
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(std::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    let accepted = listener.accept().await;
    // Another runtime will wait for it than the one that waits here.
    match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
        Ok((stream, peer)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was not set");
            }
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

// === impl Serving ===

impl Serving {
    fn connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
    ) -> impl Future<Output = ()> {
        let timeouts = self.shared.settings.timeouts;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(timeouts.header_read)
            .max_buf_size(HEAD_BYTES_MAX)
            .pipeline_flush(true);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(H2_STREAMS_MAX)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .keep_alive_interval(Some(Duration::from_secs(30)));
        let address = peer.ip().to_canonical();
        let service = service_fn(move |request| self.clone().respond(request, address));
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = watcher.watch(connection);
        async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        }
    }

    async fn respond(
        self,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Result<Response<AnswerBody>, Infallible> {
        if let Some(response) = health::answer(&self.shared, request.uri().path()) {
            return Ok(response);
        }
        // What is not known to be small may be as large as configured.
        let small = request.body().size_hint().upper().is_some_and(|n| n <= SMALL_BYTES_MAX);
        let runtime = if small { Handle::current() } else { self.workers };
        Ok(pipeline::handle(self.shared, request, peer, &runtime).await)
    }
}
