//! From the configuration to what the gateway is told.

use super::policies::Guarding;
use crate::config::{self, BaseUrl, Config, UPSTREAM_NAME, UsageInjection};
use crate::failure::{Failure, Outcome};
use gateway::{
    Authentication, Breaker, Model, OnRecordFailure, Provider, ProviderKind, Retry, Settings,
    Strategy, Target, Timeouts,
};
use http::{HeaderValue, Uri};
use review::Desk;
use std::time::Duration;

/// Where the seeds' vLLM listens.
const DEFAULT_UPSTREAM: &str = "http://127.0.0.1:8001";

/// What the API shows of configured models.
pub fn model_facts(config: &Config) -> Vec<api::ModelFacts> {
    let facts = config.models.iter().flat_map(|model| {
        model.targets.iter().map(|target| api::ModelFacts {
            name: model.name.clone(),
            provider: target.provider.clone(),
            model: target.model.clone(),
            owner: model.owner.clone(),
            approval: model.approval.clone(),
            context_tokens: model.context_tokens,
        })
    });
    facts.collect()
}

/// What the gateway is told.
pub fn gateway(
    config: &Config,
    providers: Vec<Provider>,
    guarding: Guarding,
    desk: &Desk,
) -> Settings {
    let gateway = &config.gateway;
    let timeouts = Timeouts {
        header_read: Duration::from_millis(gateway.header_read_ms),
        body_read: Duration::from_millis(gateway.body_read_ms),
        connect: Duration::from_millis(gateway.connect_ms),
        first_byte: Duration::from_millis(gateway.first_byte_ms),
        idle: Duration::from_millis(gateway.idle_ms),
        drain: Duration::from_millis(gateway.drain_ms),
    };
    // The demo has a provider of its own; models of others are not for it.
    let models = config.models.iter().filter(|model| {
        let known = |name: &str| providers.iter().any(|provider| provider.name == name);
        model.targets.iter().all(|target| known(&target.provider))
    });
    Settings {
        authentication: match gateway.authentication {
            config::Authentication::ApiKey => Authentication::ApiKey,
            config::Authentication::None => Authentication::None,
        },
        required_headers: gateway.required_headers.clone(),
        body_bytes_max: gateway.body_bytes_max,
        on_record_failure: match gateway.on_record_failure {
            config::OnRecordFailure::Refuse => OnRecordFailure::Refuse,
            config::OnRecordFailure::Forward => OnRecordFailure::Forward,
        },
        base_path: gateway.base_path.clone(),
        trusted_proxies: gateway.trusted_proxies.iter().map(|network| network.0).collect(),
        preview_chars: config.capture.preview_chars,
        connections_max: gateway.connections_max,
        models: models.map(|one| model(one, &timeouts)).collect(),
        limits: config.limits,
        timeouts,
        providers,
        detectors: guarding.detectors,
        policies: guarding.policies,
        desk: Some(desk.clone()),
    }
}

fn model(model: &config::Model, timeouts: &Timeouts) -> Model {
    let ms = |configured: Option<u64>, otherwise: Duration| {
        configured.map_or(otherwise, Duration::from_millis)
    };
    let (retry, breaker) = (Retry::default(), Breaker::default());
    let target = |target: &config::Target| {
        let plain = Target::new(&target.provider, &target.model, timeouts);
        Target {
            weight: target.weight,
            concurrency_max: target.concurrency_max,
            queue: ms(target.queue_ms, plain.queue),
            connect: ms(target.connect_ms, plain.connect),
            first_byte: ms(target.first_byte_ms, plain.first_byte),
            idle: ms(target.idle_ms, plain.idle),
            total: target.total_ms.map(Duration::from_millis),
            ..plain
        }
    };
    Model {
        name: model.name.clone(),
        strategy: match model.strategy {
            config::Strategy::Priority => Strategy::Priority,
            config::Strategy::Weighted => Strategy::Weighted,
            config::Strategy::LeastLatency => Strategy::LeastLatency,
        },
        targets: model.targets.iter().map(target).collect(),
        retry: Retry {
            retries: model.retries.unwrap_or(retry.retries),
            attempts_max: model.attempts_max.unwrap_or(retry.attempts_max),
            backoff: ms(model.backoff_ms, retry.backoff),
            retry_after_max: ms(model.retry_after_max_ms, retry.retry_after_max),
        },
        breaker: Breaker {
            failures: model.breaker_failures.unwrap_or(breaker.failures),
            open: ms(model.breaker_open_ms, breaker.open),
        },
    }
}

/// The configured providers, or the one upstream.
pub fn providers(config: &Config) -> Outcome<Vec<Provider>> {
    if config.providers.is_empty() {
        let url = match &config.gateway.upstream {
            Some(BaseUrl(url)) => url.clone(),
            None => Uri::from_static(DEFAULT_UPSTREAM),
        };
        return Ok(vec![upstream(url)]);
    }
    config.providers.iter().map(provider).collect()
}

/// One provider for every format, method and path.
pub fn upstream(base_url: Uri) -> Provider {
    Provider {
        name: UPSTREAM_NAME.to_owned(),
        kind: ProviderKind::OpenAi,
        base_url,
        api_key: None,
        inject_usage: true,
        takes_all: true,
        api_version: None,
        baa: false,
    }
}

fn provider(provider: &config::Provider) -> Outcome<Provider> {
    let never = provider.usage_injection == UsageInjection::Never;
    Ok(Provider {
        name: provider.name.clone(),
        kind: match provider.kind {
            config::ProviderKind::OpenAi => ProviderKind::OpenAi,
            config::ProviderKind::Anthropic => ProviderKind::Anthropic,
            config::ProviderKind::AzureOpenAi => ProviderKind::AzureOpenAi,
            config::ProviderKind::Gemini => ProviderKind::Gemini,
            config::ProviderKind::Generic => ProviderKind::Generic,
        },
        base_url: provider.base_url.0.clone(),
        api_key: provider.api_key.as_ref().map(|key| secret(&provider.name, key)).transpose()?,
        inject_usage: !never && provider.kind != config::ProviderKind::Generic,
        takes_all: false,
        api_version: provider.api_version.clone(),
        baa: provider.baa,
    })
}

fn secret(provider: &str, key: &config::SecretRef) -> Outcome<HeaderValue> {
    let failure =
        |what: &str| Failure::usage(format!("the api_key of provider {provider}: {what}"));
    let secret = key.read().map_err(|what| failure(&what))?;
    let mut value = HeaderValue::from_str(secret.expose())
        .map_err(|_| failure("it cannot stand in a header; allowed: visible ASCII characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What the control plane is told.
pub fn api(config: &Config) -> api::Settings {
    api::Settings {
        ledger_public: config.ledger.public,
        tls: config.tls.terminated,
        user_limits: config.api.user_limits.into(),
        key_limits: config.api.key_limits.into(),
    }
}
