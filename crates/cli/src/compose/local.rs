//! The data directory, opened for one command where no server runs.

use super::{OpenFailure, Store};
use super::{control_socket, settings};
use crate::config::Config;
use api::{Api, Parts, ServeLimits};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long the index may take to catch up with what a crash left before a command is answered.
const CATCH_UP_MAX: Duration = Duration::from_secs(600);

/// An open data directory, served to this process over the control socket.
#[derive(Debug)]
pub struct Local {
    store: Store,
    stop: watch::Sender<bool>,
    serving: JoinHandle<Result<(), OpenFailure>>,
}

// === impl Local ===

impl Local {
    /// Opens it. Must be called within a tokio runtime.
    pub async fn open(config: &Config) -> Result<Self, OpenFailure> {
        let store = Store::open(config).await?;
        // No server runs that would look at the time.
        store.desk.sweep(event::Timestamp::now()).await.map_err(OpenFailure::other)?;
        catch_up(&store).await;
        let parts = Parts::new(
            config.data.clone(),
            &store.running,
            store.index.clone(),
            store.control.clone(),
            store.desk.clone(),
            store.ingest.clone(),
        );
        let api = Api::new(parts, settings::api(config));
        let (stop, stopped) = watch::channel(false);
        let limits = ServeLimits::default();
        let serving = control_socket::serve(api, &config.data, limits, stopped).await?;
        Ok(Self { store, stop, serving })
    }

    /// Seals what was recorded and closes the directory.
    pub async fn close(self) -> Result<(), OpenFailure> {
        self.stop.send_replace(true);
        // It ends by itself; how is of no interest any more.
        let _ended = self.serving.await;
        self.store.close().await
    }
}

/// Waits until the index has everything that the journal holds.
async fn catch_up(store: &Store) {
    let end = store.running.progress.borrow().end;
    let mut indexed = store.running.indexed.clone();
    let reached = indexed.wait_for(|at| at.is_some_and(|at| at >= end));
    if tokio::time::timeout(CATCH_UP_MAX, reached).await.is_err() {
        tracing::warn!("the index is behind; newest decisions may be missing");
    }
}
