//! What calls are judged by: detectors, and the policies in force, looked at again as their files
//! change.

use super::Store;
use crate::config::{Config, RecordPolicies};
use crate::failure::{Failure, Outcome};
use event::ConfigLoaded;
use gateway::PolicySettings;
use policy::{Bundle, Changed, Detectors, LoadError, Policies};
use recorder::Recorder;
use std::sync::Arc;
use std::time::Duration;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What calls are judged by.
pub struct Guarding {
    /// What is looked for in bodies and previews.
    pub detectors: Arc<Detectors>,
    /// None where there are no policies.
    pub policies: Option<PolicySettings>,
}

/// Loads what is configured and records it. The demo without a folder has the starter bundle.
pub async fn open(config: &Config, demo: bool, store: &Store) -> Outcome<Guarding> {
    let loaded = match config.policies.folder() {
        _ if !config.policies.enabled => None,
        _ if demo && config.policies.directory.is_none() => {
            Some(Bundle::starter().map(Policies::of))
        }
        folder => folder.map(Policies::open),
    };
    let recorder = &store.running.recorder;
    let policies = match loaded {
        None => None,
        Some(Ok(policies)) => {
            let bundle = policies.current();
            let (count, version) = (bundle.policies().len(), bundle.hash());
            tracing::info!(count, version, "policies loaded");
            record(recorder, version, None).await;
            Some(PolicySettings {
                policies: Arc::new(policies),
                record_all: config.policies.record == RecordPolicies::All,
            })
        }
        Some(Err(error)) => {
            record(recorder, "", Some(&error)).await;
            return Err(Failure::failed(format!(
                "the policies cannot be used, so nothing is served: {error}"
            )));
        }
    };
    Ok(Guarding { detectors: store.detectors.clone(), policies })
}

/// What is looked for, as configured.
pub fn detectors(config: &Config) -> Outcome<Detectors> {
    Detectors::new(&config.detectors)
        .map_err(|error| Failure::usage(format!("the configuration: {error}")))
}

/// Takes up changed files, until it is aborted. What is broken changes nothing, and is said.
pub async fn follow(policies: Option<PolicySettings>, recorder: Recorder) {
    let Some(PolicySettings { policies, .. }) = policies else { return };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let looked = policies.clone();
        let Ok(reloaded) = tokio::task::spawn_blocking(move || looked.reload()).await else {
            tracing::error!("the thread that looks for changed policies failed; they stay");
            return;
        };
        let in_force = policies.current();
        match reloaded {
            Ok(Changed::No) => continue,
            Ok(Changed::Replaced { from, to }) => {
                tracing::info!(from, to, "other policies are in force");
                record(&recorder, &to, None).await;
            }
            Ok(Changed::Restored) => {
                tracing::info!(version = in_force.hash(), "the policies can be used again");
                record(&recorder, in_force.hash(), None).await;
            }
            Err(error) => {
                let version = in_force.hash();
                tracing::error!(%error, version, "changed policies cannot be used; those before stay in force");
                record(&recorder, version, Some(&error)).await;
            }
        }
        let broken = if policies.broken().is_some() { 1.0 } else { 0.0 };
        metrics::gauge!("audit_layer_policies_broken").set(broken);
    }
}

/// Records which policies are in force, and why others are not.
async fn record(recorder: &Recorder, version: &str, error: Option<&LoadError>) {
    let loaded = ConfigLoaded {
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        fingerprint: (!version.is_empty()).then(|| version.to_owned()),
        kind: Some("policies".to_owned()),
        error: error.map(ToString::to_string),
    };
    if let Err(error) = recorder.control(loaded).await {
        // A full disk refuses calls until there is room; policies hold all the same.
        tracing::error!(%error, "that policies were loaded could not be recorded");
    }
}
