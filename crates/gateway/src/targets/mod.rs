//! The targets of logical models and what is known of them: circuits, latencies, places. Shared
//! by all calls, in memory; knows nothing of calls.

mod breaker;
mod choice;
mod latency;
mod target;

pub(crate) use choice::Dice;
pub use target::TargetHealth;
pub(crate) use target::{Lease, Skipped, Target};

use crate::settings::{Dialect, Model, Retry, Settings, Strategy};
use crate::upstream::Upstream;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Targets of one model at most; more events than a record holds could come of more.
pub const TARGETS_MAX: usize = 16;
/// Attempts of one call at most, likewise.
pub const ATTEMPTS_MAX: u32 = 16;

/// All models with the state of their targets.
pub(crate) struct Targets {
    models: Vec<LogicalModel>,
    by_name: HashMap<String, usize>,
    dice: Dice,
}

/// A configured model.
pub(crate) struct LogicalModel {
    pub name: String,
    pub strategy: Strategy,
    pub retry: Retry,
    /// At least one.
    pub targets: Vec<Target>,
    pub dialect: Dialect,
}

/// Why models cannot be routed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The model's name is empty or taken.
    #[error("the model {0:?} has no name of its own; give each model one")]
    Name(String),
    /// The model has no target, or too many.
    #[error("the model {model:?} has {found} targets; give it 1 to {TARGETS_MAX}")]
    Targets {
        /// The model.
        model: String,
        /// How many.
        found: usize,
    },
    /// A target's provider is not configured.
    #[error("the model {model:?} names the provider {provider:?}, which is not configured")]
    Provider {
        /// The model.
        model: String,
        /// The provider.
        provider: String,
    },
    /// The targets speak different formats.
    #[error(
        "the model {model:?} mixes {first:?} and {second:?}, which speak different formats; make one model for each format"
    )]
    Mixed {
        /// The model.
        model: String,
        /// Name of the first provider.
        first: String,
        /// Name of one that speaks another format.
        second: String,
    },
    /// TLS trust roots.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

// === impl Targets ===

impl Targets {
    /// The targets of the configured models; none where there are none. `upstream` is the client
    /// that waits for connections as long as configured for all.
    pub(crate) fn new(
        settings: &Settings,
        upstream: &Upstream,
    ) -> Result<Option<Self>, ModelError> {
        if settings.models.is_empty() {
            return Ok(None);
        }
        let mut clients = HashMap::from([(settings.timeouts.connect, upstream.clone())]);
        let mut models = Vec::with_capacity(settings.models.len());
        let mut by_name = HashMap::with_capacity(settings.models.len());
        for model in &settings.models {
            let known = by_name.insert(model.name.clone(), models.len());
            if model.name.is_empty() || known.is_some() {
                return Err(ModelError::Name(model.name.clone()));
            }
            models.push(logical(model, settings, &mut clients)?);
        }
        Ok(Some(Self { models, by_name, dice: Dice::default() }))
    }

    pub(crate) fn model(&self, name: &str) -> Option<&LogicalModel> {
        self.by_name.get(name).map(|at| &self.models[*at])
    }

    /// Every target's health, in the order configured.
    pub(crate) fn health(&self) -> Vec<TargetHealth> {
        let of = |model: &LogicalModel| -> Vec<TargetHealth> {
            model.targets.iter().map(|target| target.health(&model.name)).collect()
        };
        self.models.iter().flat_map(of).collect()
    }

    pub(crate) fn models(&self) -> &[LogicalModel] {
        &self.models
    }

    pub(crate) const fn dice(&self) -> &Dice {
        &self.dice
    }
}

// === impl LogicalModel ===

impl LogicalModel {
    /// Every target's place, best first.
    pub(crate) fn order(&self, dice: &Dice) -> Vec<usize> {
        let now = Instant::now();
        let candidates: Vec<_> = self.targets.iter().map(|target| target.candidate(now)).collect();
        choice::order(self.strategy, &candidates, dice)
    }
}

fn logical(
    model: &Model,
    settings: &Settings,
    clients: &mut HashMap<Duration, Upstream>,
) -> Result<LogicalModel, ModelError> {
    let (name, found) = (model.name.clone(), model.targets.len());
    if !(1..=TARGETS_MAX).contains(&found) {
        return Err(ModelError::Targets { model: name, found });
    }
    let mut targets: Vec<Target> = Vec::with_capacity(found);
    for target in &model.targets {
        let provider = settings.providers.iter().find(|known| known.name == target.provider);
        let Some(provider) = provider else {
            return Err(ModelError::Provider { model: name, provider: target.provider.clone() });
        };
        if let Some(first) = targets.first()
            && first.provider.dialect() != provider.dialect()
        {
            return Err(ModelError::Mixed {
                model: name,
                first: first.provider.name.clone(),
                second: provider.name.clone(),
            });
        }
        let client = match clients.get(&target.connect) {
            Some(client) => client.clone(),
            None => {
                let client = Upstream::new(target.connect)?;
                clients.entry(target.connect).or_insert(client).clone()
            }
        };
        targets.push(Target::new(&name, target, provider.clone(), model.breaker, client));
    }
    let mut retry = model.retry;
    retry.attempts_max = retry.attempts_max.clamp(1, ATTEMPTS_MAX);
    let dialect = targets.first().map_or(Dialect::Any, |first| first.provider.dialect());
    Ok(LogicalModel { name, strategy: model.strategy, retry, targets, dialect })
}
