//! `serve`: gateway, recorder, indexer and API in one process.

use super::figures::Figures;
use super::policies::Guarding;
use super::readiness::Watch;
use super::signals::Signals;
use super::supervise::Supervisor;
use super::webhook::Webhook;
use super::{Store, control_socket, demo, figures, policies, reviews, settings};
use crate::config::{Config, Listen};
use crate::env;
use crate::failure::{Failure, Outcome};
use crate::output::Out;
use api::{Api, Parts, ServeLimits};
use event::ConfigLoaded;
use gateway::{Gateway, Lanes, Provider, Readiness};
use metrics_exporter_prometheus::PrometheusHandle;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

const ADMIN_PASSWORD: &str = "AUDIT_LAYER_ADMIN_PASSWORD";
/// When keys were last used is saved this often.
const FLUSH_EVERY: Duration = Duration::from_secs(60);
/// The API's answers under way get this long at the end.
const API_DRAIN: Duration = Duration::from_secs(5);

/// What `serve` is told beside the configuration.
#[derive(Debug)]
pub struct Serve {
    /// Built-in provider and sample traffic.
    pub demo: bool,
    /// The supervised upstream.
    pub command: Vec<OsString>,
}

/// The parts that run until the end.
struct Server {
    store: Store,
    stop: watch::Sender<bool>,
    /// The data plane; it drains first.
    gateway: JoinHandle<Outcome>,
    /// Its threads; they end after the store, so that records of callers who left are written.
    lanes: Arc<Lanes>,
    supervisor: Option<(JoinHandle<Outcome>, watch::Sender<bool>)>,
    /// The control plane; it ends last, so that operators see the end.
    planes: JoinSet<Outcome>,
    stop_planes: watch::Sender<bool>,
    /// Aborted at the end.
    background: JoinSet<()>,
}

/// Serves until a signal or a failure.
pub async fn serve(config: &Config, options: Serve) -> Outcome {
    let mut signals = Signals::listen()?;
    let handle = figures::install()?;
    let started = tokio::select! {
        server = Server::start(config, options, handle) => server,
        signal = signals.next() => {
            tracing::info!(signal, "stopped while starting");
            return Ok(());
        }
    };
    let mut server = started?;
    let failed = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping; a second signal stops at once");
            None
        }
        failure = server.failure() => Some(failure),
    };
    let ended = tokio::select! {
        ended = server.end(Duration::from_millis(config.gateway.drain_ms)) => ended,
        signal = signals.next() => {
            tracing::warn!(signal, "stopping at once");
            // What is acknowledged is durable; anything else the next start ends as interrupted.
            std::process::exit(i32::from(crate::failure::FAILED));
        }
    };
    failed.map_or(ended, Err)
}

// === impl Server ===

impl Server {
    async fn start(config: &Config, options: Serve, handle: PrometheusHandle) -> Outcome<Self> {
        let store = Store::open(config).await?;
        let out = Out::new();
        first_user(&store, &out)?;
        record_configuration(config, &store).await?;
        let guarding = policies::open(config, options.demo, &store).await?;
        let (stop, stopped) = watch::channel(false);
        let (stop_planes, planes_stopped) = watch::channel(false);
        let providers = if options.demo {
            vec![demo::start_provider(planes_stopped.clone()).await?]
        } else {
            settings::providers(config)?
        };
        let supervisor = supervisor(options.command, &providers, config);
        let command = supervisor.as_ref().map(|(supervisor, _)| supervisor.state());
        let (ready, following) = readiness(&store, command, stopped.clone());
        let mut background = JoinSet::new();
        background.spawn(following);
        background.spawn(housekeeping(&store, handle.clone()));
        look_after(config, &store, &guarding, &mut background)?;
        background
            .spawn(policies::follow(guarding.policies.clone(), store.running.recorder.clone()));

        let gateway_listener = bind("gateway.listen", config.gateway.listen).await?;
        let api_listener = bind("api.listen", config.api.listen).await?;
        let (gateway_at, api_at) = (address(&gateway_listener)?, address(&api_listener)?);

        let detectors = guarding.detectors.clone();
        let gateway = Gateway::new(
            settings::gateway(config, providers, guarding, &store.desk),
            store.running.recorder.clone(),
            store.control.clone(),
            ready.clone(),
        )
        .map_err(|error| Failure::failed(error.to_string()))?;
        let lanes = Arc::new(lanes()?);
        let gateway = tokio::spawn(data_plane(gateway, gateway_listener, lanes.clone(), stopped));
        let api = api(config, &store, handle, ready, detectors);
        let mut planes = JoinSet::new();
        let limits = api_limits(config);
        let over_socket = (api.clone(), planes_stopped.clone());
        let socket =
            control_socket::serve(over_socket.0, &config.data, limits, over_socket.1).await?;
        planes.spawn(async move {
            let served = socket.await.map_err(|error| Failure::failed(error.to_string()))?;
            served.map_err(Failure::from)
        });
        planes.spawn(async move {
            api.serve(api_listener, limits, planes_stopped).await;
            Ok(())
        });
        out.line(format!("gateway listening on http://{gateway_at}"))?;
        out.line(format!("api listening on http://{api_at}"))?;
        if options.demo {
            let (key, traffic) = demo::start_traffic(&store.control, gateway_at)?;
            background.spawn(async move {
                // Ends with the process.
                let _ended = traffic.await;
            });
            demo_hints(config, gateway_at, &key, &out)?;
        }
        let supervisor = supervisor.map(|(supervisor, stop)| {
            let stopped = stop.subscribe();
            (tokio::spawn(supervisor.run(stopped)), stop)
        });
        Ok(Self { store, stop, gateway, lanes, supervisor, planes, stop_planes, background })
    }

    /// Waits until a part ends that should not.
    async fn failure(&mut self) -> Failure {
        let supervisor = async {
            match &mut self.supervisor {
                Some((task, _)) => task.await,
                None => std::future::pending().await,
            }
        };
        let (part, ended) = tokio::select! {
            ended = &mut self.gateway => ("gateway", ended),
            Some(ended) = self.planes.join_next() => ("API", ended),
            ended = supervisor => ("supervisor", ended),
        };
        match ended {
            Ok(Err(failure)) => failure,
            Ok(Ok(())) => Failure::failed(format!("the {part} ended unexpectedly; see the log")),
            Err(error) => Failure::failed(format!("the {part} failed ({error}); see the log")),
        }
    }

    /// Lets calls under way end, then everything else, and closes the journal.
    async fn end(mut self, drain: Duration) -> Outcome {
        self.stop.send_replace(true);
        // A part that failed has said so already.
        if !self.gateway.is_finished() {
            let _drained = (&mut self.gateway).await;
        }
        if let Some((task, stop)) = self.supervisor.take() {
            stop.send_replace(true);
            if !task.is_finished() {
                let _ended = tokio::time::timeout(drain + API_DRAIN, task).await;
            }
        }
        self.stop_planes.send_replace(true);
        let planes = async { while self.planes.join_next().await.is_some() {} };
        if tokio::time::timeout(API_DRAIN * 2, planes).await.is_err() {
            tracing::warn!("answers of the API were still under way");
        }
        self.planes.shutdown().await;
        self.background.shutdown().await;
        self.store.close().await?;
        drop(self.lanes);
        tracing::info!("stopped");
        Ok(())
    }
}

async fn data_plane(
    gateway: Gateway,
    listener: TcpListener,
    lanes: Arc<Lanes>,
    stop: watch::Receiver<bool>,
) -> Outcome {
    let served = gateway.serve(listener, &lanes, stop).await;
    served.map_err(|error| Failure::failed(error.to_string()))
}

/// As many as there are processors.
fn lanes() -> Outcome<Lanes> {
    let count = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Lanes::start(count, crate::turns::take_short)
        .map_err(|error| Failure::failed(format!("no threads can be started: {error}")))
}

fn supervisor(
    command: Vec<OsString>,
    providers: &[Provider],
    config: &Config,
) -> Option<(Supervisor, watch::Sender<bool>)> {
    let upstream = providers.first().filter(|_| !command.is_empty())?;
    let grace = Duration::from_millis(config.gateway.drain_ms);
    let (stop, _) = watch::channel(false);
    Some((Supervisor::new(command, &upstream.base_url, grace), stop))
}

fn readiness(
    store: &Store,
    command: Option<watch::Receiver<Option<String>>>,
    stop: watch::Receiver<bool>,
) -> (watch::Receiver<Readiness>, impl Future<Output = ()> + use<>) {
    let journal = store.running.recorder.journal().clone();
    let follower = Watch { journal, command, stop };
    let (sender, receiver) = watch::channel(follower.now());
    (receiver, follower.follow(sender))
}

fn api(
    config: &Config,
    store: &Store,
    handle: PrometheusHandle,
    ready: watch::Receiver<Readiness>,
    detectors: Arc<policy::Detectors>,
) -> Api {
    let parts = Parts {
        detectors,
        figures: Arc::new(move || handle.render()),
        ready: Arc::new(move || match &*ready.borrow() {
            Readiness::Ready => Ok(()),
            Readiness::NotReady(reason) => Err(reason.clone()),
        }),
        models: settings::model_facts(config),
        ..Parts::new(
            config.data.clone(),
            &store.running,
            store.index.clone(),
            store.control.clone(),
            store.desk.clone(),
            store.ingest.clone(),
        )
    };
    Api::new(parts, settings::api(config))
}

fn api_limits(config: &Config) -> ServeLimits {
    ServeLimits {
        header_read: Duration::from_millis(config.gateway.header_read_ms),
        drain: API_DRAIN,
        ..ServeLimits::default()
    }
}

async fn bind(key: &str, listen: Listen) -> Outcome<TcpListener> {
    TcpListener::bind(listen.0).await.map_err(|error| {
        Failure::failed(format!(
            "{key}: {listen} cannot be listened on: {error}; stop what listens there, or choose another address"
        ))
    })
}

fn address(listener: &TcpListener) -> Outcome<SocketAddr> {
    listener.local_addr().map_err(|error| Failure::failed(format!("no local address: {error}")))
}

/// Makes the user `admin` at the first start.
fn first_user(store: &Store, out: &Out) -> Outcome {
    let given = env::var(ADMIN_PASSWORD);
    let made = store.control.ensure_admin(given.as_deref()).map_err(|error| {
        Failure::failed(format!("the user admin cannot be made ({ADMIN_PASSWORD}): {error}"))
    })?;
    match made {
        Some(password) => out.line(format!(
            "user admin was made with the password {}; it is not shown again",
            password.as_str()
        )),
        None => Ok(()),
    }
}

async fn record_configuration(config: &Config, store: &Store) -> Outcome {
    let json = serde_json::to_vec(config)
        .map_err(|error| Failure::failed(format!("the configuration has no JSON form: {error}")))?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &json);
    let loaded = ConfigLoaded {
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        fingerprint: Some(format!("sha256:{}", hex::encode(digest))),
        kind: Some("configuration".to_owned()),
        ..ConfigLoaded::default()
    };
    match store.running.recorder.control(loaded).await {
        Ok(_) => Ok(()),
        Err(error) => {
            // A full disk refuses calls until there is room; the server starts all the same.
            tracing::error!(%error, "that the configuration was loaded could not be recorded");
            Ok(())
        }
    }
}

async fn flush_now_and_then(control: Arc<control::Control>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let control = control.clone();
        match tokio::task::spawn_blocking(move || control.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "when keys were last used was not saved"),
            Err(_) => return,
        }
    }
}

fn housekeeping(store: &Store, handle: PrometheusHandle) -> impl Future<Output = ()> + use<> {
    let figures = Figures {
        progress: store.running.progress.clone(),
        indexed: store.running.indexed.clone(),
    };
    let control = store.control.clone();
    async move {
        tokio::join!(figures.follow(handle), flush_now_and_then(control));
    }
}

/// Reviews and policies change with time.
fn look_after(
    config: &Config,
    store: &Store,
    guarding: &Guarding,
    background: &mut JoinSet<()>,
) -> Outcome {
    let (policies, recorder) = (guarding.policies.clone(), store.running.recorder.clone());
    background.spawn(policies::follow(policies, recorder));
    let webhook = Webhook::configured(config)?;
    if webhook.is_some() {
        store.desk.reviews().keep_hooks();
    }
    background.spawn(reviews::sweep(store.desk.clone()));
    background.spawn(reviews::tell(store.desk.clone(), webhook));
    Ok(())
}

fn demo_hints(config: &Config, gateway: SocketAddr, key: &str, out: &Out) -> Outcome {
    let data = config.data.display();
    // As this program was called, so that the lines can be run as they stand.
    let called = env::called();
    out.line("")?;
    out.line("Sample traffic is running. Try, in another terminal:")?;
    out.line("")?;
    out.line(format!("  curl http://{gateway}/v1/chat/completions -H 'x-api-key: {key}' \\"))?;
    out.line("    -H 'x-llm-source: my-app' -H 'x-llm-user: me' -H 'x-llm-request-type: chat' \\")?;
    out.line("    -d '{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'")?;
    out.line(format!("  {called} logs --follow --data {data}"))?;
    out.line(format!("  {called} verify --data {data}"))
}
