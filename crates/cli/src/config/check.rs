//! What types cannot say: ranges, names, combinations.

use super::check_models as models;
use super::sections::{Config, Gateway};
use super::values::shown;
use policy::{DetectorSettings, Detectors};
use std::collections::BTreeSet;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long calls wait for a detector outside at most.
const HOOK_MS_MAX: u64 = 60_000;
const GIB: u64 = 1024 * 1024 * 1024;
/// Header names at most that a call must carry.
const REQUIRED_HEADERS_MAX: usize = 32;
const NAME_CHARS_MAX: usize = 64;

/// Checks everything; the first thing that is wrong, as one line.
pub fn all(config: &Config) -> Result<(), String> {
    ranges(config)?;
    gateway(&config.gateway)?;
    listeners(config)?;
    ledger(config)?;
    providers(config)?;
    models::check(config)?;
    limits(config)?;
    policies(config)?;
    detectors(&config.detectors)?;
    super::reviews::check(&config.reviews)?;
    index(config)
}

fn ranges(config: &Config) -> Result<(), String> {
    let gateway = &config.gateway;
    let all = [
        ("gateway.body_bytes_max", gateway.body_bytes_max as u64, 1, GIB),
        ("gateway.connections_max", gateway.connections_max as u64, 1, 1_000_000),
        ("gateway.header_read_ms", gateway.header_read_ms, 1, DAY_MS),
        ("gateway.body_read_ms", gateway.body_read_ms, 1, DAY_MS),
        ("gateway.connect_ms", gateway.connect_ms, 1, DAY_MS),
        ("gateway.first_byte_ms", gateway.first_byte_ms, 1, DAY_MS),
        ("gateway.idle_ms", gateway.idle_ms, 1, DAY_MS),
        ("gateway.drain_ms", gateway.drain_ms, 0, DAY_MS),
        ("capture.preview_chars", config.capture.preview_chars as u64, 0, 16_384),
        ("journal.segment_bytes", config.journal.segment_bytes, 64 * 1024, 4 * GIB - 1),
        ("ledger.heartbeat_ms", config.ledger.heartbeat_ms, 1_000, DAY_MS),
    ];
    for (key, found, min, max) in all {
        if !(min..=max).contains(&found) {
            return Err(format!("{key}: found {found}, allowed: {min} to {max}"));
        }
    }
    Ok(())
}

fn gateway(gateway: &Gateway) -> Result<(), String> {
    if gateway.required_headers.len() > REQUIRED_HEADERS_MAX {
        let found = gateway.required_headers.len();
        return Err(format!(
            "gateway.required_headers: found {found} names, allowed: at most {REQUIRED_HEADERS_MAX}"
        ));
    }
    for name in &gateway.required_headers {
        let lower = name.bytes().all(|byte| !byte.is_ascii_uppercase());
        if !lower || http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(format!(
                "gateway.required_headers: found {}, allowed: names of headers in lower case",
                shown(name)
            ));
        }
    }
    let base = &gateway.base_path;
    let plain = base.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%".contains(&byte));
    if !base.is_empty() && (!base.starts_with('/') || base.ends_with('/') || !plain) {
        return Err(format!(
            "gateway.base_path: found {}, allowed: empty, or a path such as /prod without a slash at its end",
            shown(base)
        ));
    }
    Ok(())
}

fn listeners(config: &Config) -> Result<(), String> {
    let all = [("gateway.listen", config.gateway.listen), ("api.listen", config.api.listen)];
    for (key, listen) in all {
        if !config.tls.terminated && !listen.0.ip().is_loopback() {
            return Err(format!(
                "{key}: found {listen}, which other machines reach without TLS; allowed: a loopback address as 127.0.0.1, or tls.terminated = true where something in front terminates TLS"
            ));
        }
    }
    let (gateway, api) = (config.gateway.listen.0, config.api.listen.0);
    if gateway == api && gateway.port() != 0 {
        return Err(format!(
            "api.listen: found {api}, where the gateway listens; choose another port"
        ));
    }
    Ok(())
}

fn ledger(config: &Config) -> Result<(), String> {
    let names =
        [("ledger.origin", &config.ledger.origin), ("journal.tenant", &config.journal.tenant)];
    for (key, name) in names {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !plain {
            return Err(format!(
                "{key}: found {}, allowed: 1 to {NAME_CHARS_MAX} letters, digits, '-', '_' and '.'",
                shown(name)
            ));
        }
    }
    Ok(())
}

fn providers(config: &Config) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for (number, provider) in config.providers.iter().enumerate() {
        let name = &provider.name;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !plain {
            return Err(format!(
                "providers.{number}.name: found {}, allowed: 1 to {NAME_CHARS_MAX} letters, digits, '-', '_' and '.'",
                shown(name)
            ));
        }
        if !seen.insert(name) {
            return Err(format!(
                "providers.{number}.name: found {name:?} a second time; give each provider its own name"
            ));
        }
        let version = provider.api_version.as_deref().unwrap_or("-");
        if version.is_empty() || !version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(format!(
                "providers.{number}.api_version: found {}, allowed: letters, digits and '-', as 2024-10-21",
                shown(version)
            ));
        }
        if let Some(secret) = &provider.api_key {
            secret.read().map_err(|what| {
                format!("providers.{number}.api_key: {what}; set it, or remove the key to pass on the caller's credential")
            })?;
        }
    }
    if config.gateway.upstream.is_some() && !config.providers.is_empty() {
        return Err(
            "gateway.upstream (--upstream): found beside [[providers]]; allowed: one of the two"
                .to_owned(),
        );
    }
    Ok(())
}

fn limits(config: &Config) -> Result<(), String> {
    let api = &config.api;
    for (key, burst) in [
        ("limits.burst", config.limits.burst),
        ("api.user_limits.burst", Some(api.user_limits.burst)),
        ("api.key_limits.burst", Some(api.key_limits.burst)),
    ] {
        if let Some(burst) = burst
            && !(1..=1_000_000).contains(&burst)
        {
            return Err(format!("{key}: found {burst}, allowed: 1 to 1000000"));
        }
    }
    Ok(())
}

fn policies(config: &Config) -> Result<(), String> {
    match config.policies.folder() {
        Some(folder) if !folder.is_dir() => Err(format!(
            "policies.directory: found {}, which is no folder; create it with a .cedar file in it, or set policies.enabled = false",
            shown(&folder.display().to_string())
        )),
        _ => Ok(()),
    }
}

fn detectors(settings: &DetectorSettings) -> Result<(), String> {
    if let Some(hook) = &settings.hook {
        let url = hook.url.parse::<http::Uri>().ok();
        if !url.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https"))) {
            // A URL may hold a password.
            return Err("detectors.hook.url: found no URL, allowed: http://… or https://…".into());
        }
        if !(1..=HOOK_MS_MAX).contains(&hook.timeout_ms) {
            let found = hook.timeout_ms;
            return Err(format!(
                "detectors.hook.timeout_ms: found {found}, allowed: 1 to {HOOK_MS_MAX}"
            ));
        }
    }
    Detectors::new(settings).map(|_| ()).map_err(|error| error.to_string())
}

fn index(config: &Config) -> Result<(), String> {
    match &config.index.url {
        Some(url) if url.strip_prefix("sqlite:").is_none_or(str::is_empty) => {
            // A URL of a database may hold a password.
            let scheme = url.split(':').next().unwrap_or_default();
            Err(format!("index.url: found the scheme {}, allowed: sqlite:PATH", shown(scheme)))
        }
        _ => Ok(()),
    }
}
