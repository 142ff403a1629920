//! Who may answer a call, in which order.

use super::rewrite::{self, Prepared};
use crate::call::Call;
use crate::refusal::{Code, Refusal};
use crate::settings::{Dialect, Provider};
use crate::shared::Shared;
use crate::targets::{LogicalModel, Targets};
use crate::upstream;
use bytes::Bytes;
use event::{Component, Event, RoutingStart, Timestamp};
use wire::RequestFacts;

/// What goes to whoever answers.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub facts: &'a RequestFacts,
    /// The body as the caller sent it.
    pub received: &'a Bytes,
    /// The body to send: the same, or what policies made of it.
    pub body: &'a Bytes,
}

/// Who may answer a call.
pub(crate) enum Plan<'a> {
    /// The provider of the call's format; no models are configured, or the call names none.
    Provider(&'a Provider),
    /// The targets of a model, best first.
    Model { model: &'a LogicalModel, order: Vec<usize> },
}

/// Decides who may answer.
///
/// # Errors
/// `model_not_found` where models are configured and the call names none of them; `not_found`
/// where no provider takes such calls.
pub(crate) fn plan<'a>(
    shared: &'a Shared,
    call: &Call,
    facts: &RequestFacts,
) -> Result<Plan<'a>, Refusal> {
    if let Some(targets) = &shared.targets
        && call.route.passthrough.is_none()
        && let Some(dialect) = rewrite::dialect(call)
    {
        return by_model(targets, dialect, facts);
    }
    let providers = &shared.settings.providers;
    upstream::choose(providers, &call.route, &call.path).map(Plan::Provider).ok_or_else(|| {
        Refusal::new(
            Code::NotFound,
            format!(
                "No provider is configured for {}; the operator adds one under [[providers]].",
                call.path
            ),
        )
    })
}

fn by_model<'a>(
    targets: &'a Targets,
    dialect: Dialect,
    facts: &RequestFacts,
) -> Result<Plan<'a>, Refusal> {
    let not_found =
        |message: String| Err(Refusal::new(Code::ModelNotFound, message).about("model"));
    let Some(name) = facts.model.as_deref() else {
        return not_found(
            "The request names no model; GET /v1/models lists those there are.".into(),
        );
    };
    let Some(model) = targets.model(name) else {
        return not_found(format!(
            "The model {name:?} does not exist here; GET /v1/models lists those that do."
        ));
    };
    if model.dialect != Dialect::Any && model.dialect != dialect {
        return not_found(format!(
            "The model {name:?} is not served in this format; it speaks {}.",
            model.dialect.as_str()
        ));
    }
    Ok(Plan::Model { model, order: model.order(targets.dice()) })
}

impl Plan<'_> {
    /// The first request, as it will be sent.
    pub(crate) fn prepare<'c>(&self, call: &'c Call, sending: &Sending<'_>) -> Prepared<'c> {
        match self {
            Self::Provider(provider) => rewrite::for_provider(call, provider, sending),
            Self::Model { model, order } => {
                let first = &model.targets[order.first().copied().unwrap_or(0)];
                rewrite::for_target(call, first, sending)
            }
        }
    }

    /// The providers that may get the request, each once, the first to be asked first.
    pub(crate) fn providers(&self) -> Vec<&Provider> {
        match self {
            Self::Provider(provider) => vec![provider],
            Self::Model { model, order } => {
                let mut providers: Vec<&Provider> = Vec::new();
                for at in order {
                    let provider = &model.targets[*at].provider;
                    if !providers.iter().any(|known| known.name == provider.name) {
                        providers.push(provider);
                    }
                }
                providers
            }
        }
    }

    /// That a target is being chosen.
    pub(crate) fn start(&self, facts: &RequestFacts) -> Event {
        let (strategy, candidates) = match self {
            Self::Provider(provider) => {
                let candidate = match &facts.model {
                    Some(model) => format!("{}/{model}", provider.name),
                    None => provider.name.clone(),
                };
                ("single", vec![candidate])
            }
            Self::Model { model, order } => {
                let names = order.iter().map(|at| model.targets[*at].name.clone());
                (model.strategy.as_str(), names.collect())
            }
        };
        let data = RoutingStart {
            model: facts.model.clone(),
            strategy: Some(strategy.to_owned()),
            candidates: Some(candidates),
        };
        Event::new(Component::ModelRouter, Timestamp::now(), data)
    }
}
