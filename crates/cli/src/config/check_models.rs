//! What types cannot say of models: names, ranges, one format.

use super::models::{Model, Target};
use super::sections::{Config, ProviderKind};
use super::values::shown;
use gateway::{ATTEMPTS_MAX, Dialect, TARGETS_MAX};
use std::collections::BTreeSet;

/// Name of the one provider, where none are configured.
pub const UPSTREAM_NAME: &str = "upstream";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Times that are waited within one call.
const PAUSE_MS_MAX: u64 = 60_000;
const RETRIES_MAX: u32 = 10;
const WEIGHT_MAX: u32 = 1_000_000;

/// Checks all models; the first thing that is wrong, as one line.
pub fn check(config: &Config) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for (number, model) in config.models.iter().enumerate() {
        let key = format!("models.{number}");
        if model.name.is_empty() {
            return Err(format!("{key}.name: found nothing, allowed: the name that callers use"));
        }
        if !seen.insert(&model.name) {
            return Err(format!(
                "{key}.name: found {} a second time; give each model its own name",
                shown(&model.name)
            ));
        }
        let found = model.targets.len();
        if !(1..=TARGETS_MAX).contains(&found) {
            return Err(format!(
                "{key}.targets: found {found} targets, allowed: 1 to {TARGETS_MAX}"
            ));
        }
        ranges(&key, model)?;
        targets(&key, model, config)?;
    }
    Ok(())
}

fn ranges(key: &str, model: &Model) -> Result<(), String> {
    let number = |value: Option<u32>| value.map(u64::from);
    in_range(key, "retries", number(model.retries), 0, RETRIES_MAX.into())?;
    in_range(key, "attempts_max", number(model.attempts_max), 1, ATTEMPTS_MAX.into())?;
    in_range(key, "backoff_ms", model.backoff_ms, 0, PAUSE_MS_MAX)?;
    in_range(key, "retry_after_max_ms", model.retry_after_max_ms, 0, PAUSE_MS_MAX)?;
    in_range(key, "breaker_failures", number(model.breaker_failures), 1, 1_000)?;
    in_range(key, "breaker_open_ms", model.breaker_open_ms, 1, DAY_MS)
}

fn targets(key: &str, model: &Model, config: &Config) -> Result<(), String> {
    let mut first: Option<(&str, Dialect)> = None;
    for (number, target) in model.targets.iter().enumerate() {
        let at = format!("{key}.targets.{number}");
        let name = target.provider.as_str();
        let Some(dialect) = dialect_of(name, config) else {
            let configured: Vec<_> = config.providers.iter().map(|p| p.name.as_str()).collect();
            let names = if configured.is_empty() { vec![UPSTREAM_NAME] } else { configured };
            return Err(format!(
                "{at}.provider: found {}, allowed: the configured ones ({})",
                shown(name),
                names.join(", ")
            ));
        };
        target_ranges(&at, target)?;
        let (before, spoken) = *first.get_or_insert((name, dialect));
        if spoken != dialect {
            return Err(format!(
                "{key}.targets: found {before} ({} format) beside {name} ({} format), allowed: targets that speak one format; make one model for each",
                spoken.as_str(),
                dialect.as_str()
            ));
        }
    }
    Ok(())
}

/// What the provider of this name understands; none where there is none.
fn dialect_of(name: &str, config: &Config) -> Option<Dialect> {
    if config.providers.is_empty() && name == UPSTREAM_NAME {
        return Some(Dialect::Any);
    }
    config.providers.iter().find(|known| known.name == name).map(|known| dialect(known.kind))
}

fn target_ranges(at: &str, target: &Target) -> Result<(), String> {
    if target.model.is_empty() {
        return Err(format!("{at}.model: found nothing, allowed: the model's name there"));
    }
    let concurrency = target.concurrency_max.map(|count| count as u64);
    in_range(at, "weight", Some(target.weight.into()), 0, WEIGHT_MAX.into())?;
    in_range(at, "concurrency_max", concurrency, 1, 1_000_000)?;
    in_range(at, "queue_ms", target.queue_ms, 0, DAY_MS)?;
    in_range(at, "connect_ms", target.connect_ms, 1, DAY_MS)?;
    in_range(at, "first_byte_ms", target.first_byte_ms, 1, DAY_MS)?;
    in_range(at, "idle_ms", target.idle_ms, 1, DAY_MS)?;
    in_range(at, "total_ms", target.total_ms, 1, DAY_MS)
}

fn in_range(at: &str, key: &str, found: Option<u64>, min: u64, max: u64) -> Result<(), String> {
    match found {
        Some(found) if !(min..=max).contains(&found) => {
            Err(format!("{at}.{key}: found {found}, allowed: {min} to {max}"))
        }
        _ => Ok(()),
    }
}

/// What providers of this kind understand.
const fn dialect(kind: ProviderKind) -> Dialect {
    match kind {
        ProviderKind::OpenAi | ProviderKind::AzureOpenAi => Dialect::OpenAi,
        ProviderKind::Anthropic => Dialect::Anthropic,
        ProviderKind::Gemini => Dialect::Gemini,
        ProviderKind::Generic => Dialect::Any,
    }
}
