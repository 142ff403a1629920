//! The demo: a built-in provider, and sample traffic through the gateway.

use crate::failure::{Failure, Outcome};
use control::{Control, NewKey, Scope};
use demo::{Pace, ProviderOptions, Traffic, TrafficOptions};
use gateway::Provider;
use http::Uri;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const HEAD_MS: u64 = 60;
const EVENT_MS: u64 = 15;
const ERROR_ONE_IN: u64 = 25;
const PAUSE_MS: u64 = 400;
const SEED: u64 = 2026;
/// The demo's key ends with the day.
const KEY_LIFETIME_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Starts the built-in provider; it serves until `stop`.
pub async fn start_provider(mut stop: watch::Receiver<bool>) -> Outcome<Provider> {
    let failure = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("the demo's provider cannot be started: {error}"))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| failure(&error))?;
    let address = listener.local_addr().map_err(|error| failure(&error))?;
    let options = ProviderOptions {
        pace: Pace { head: Duration::from_millis(HEAD_MS), event: Duration::from_millis(EVENT_MS) },
        error_one_in: ERROR_ONE_IN,
    };
    let provider = demo::Provider::new(options);
    tokio::spawn(async move {
        let stopped = async {
            // A sender that is gone means the same.
            let _stopped = stop.wait_for(|stop| *stop).await;
        };
        provider.serve(listener, stopped).await;
    });
    let url: Uri = format!("http://{address}").parse().map_err(|error| failure(&error))?;
    // Nothing leaves the machine, so the clinic's notes may go there.
    Ok(Provider { baa: true, ..super::settings::upstream(url) })
}

/// Starts the sample traffic; gives the key that it uses.
pub fn start_traffic(control: &Control, gateway: SocketAddr) -> Outcome<(String, JoinHandle<()>)> {
    let now = event::Timestamp::now().as_micros();
    let created = control
        .create_key(NewKey {
            source: None,
            scopes: vec![Scope::Gateway],
            expires_at: Some(event::Timestamp::from_micros(now + KEY_LIFETIME_US)),
            ..NewKey::default()
        })
        .map_err(|error| Failure::failed(error.to_string()))?;
    let key = created.secret.to_string();
    let traffic = Traffic::new(TrafficOptions {
        gateway_url: format!("http://{gateway}"),
        api_key: key.clone(),
        calls: None,
        pause: Duration::from_millis(PAUSE_MS),
        seed: SEED,
    });
    let task = tokio::spawn(async move {
        traffic.run().await;
    });
    Ok((key, task))
}
