//! Limits of a caller's key: a rate with a burst, and quotas of a day.

use crate::refusal::{Code, Refusal};
use crate::settings::Settings;
use control::{ApiKey, Control, KeyLimits, LimitKind, LimitReached, Meter, Usd};
use event::{Timestamp, Usage};
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lets a request through and counts it; the meter takes what it turns out to use. None where
/// nothing is limited.
pub(crate) fn admit(
    keys: &Control,
    key: Option<&ApiKey>,
    settings: &Settings,
) -> Result<Option<Arc<Meter>>, Refusal> {
    let Some(key) = key.filter(|key| !(key.limits.is_none() && settings.limits.is_none())) else {
        return Ok(None);
    };
    let limits = key.limits.or(&settings.limits);
    let meter = keys.meter(&key.id);
    match meter.admit(&limits, Instant::now(), Timestamp::now()) {
        Ok(()) => Ok(Some(meter)),
        Err(reached) => Err(refusal(&limits, &reached)),
    }
}

/// Counts what a call used.
pub(crate) fn spend(meter: &Meter, usage: Option<&Usage>, cost_usd: Option<&str>) {
    meter.spend(tokens(usage), cost_usd.and_then(Usd::parse_up), Timestamp::now());
}

/// Tokens that a call used, as far as that is known.
pub(crate) fn tokens(usage: Option<&Usage>) -> u64 {
    usage.map_or(0, |usage| {
        let sum = usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0));
        usage.total_tokens.unwrap_or(sum)
    })
}

fn refusal(limits: &KeyLimits, reached: &LimitReached) -> Refusal {
    let shown = |limit: Option<&dyn Display>| limit.map(ToString::to_string).unwrap_or_default();
    let (what, limit, unit) = match reached.kind {
        LimitKind::Rate => {
            ("the rate of", shown(limits.rate.as_ref().map(|rate| rate as _)), "requests")
        }
        LimitKind::RequestsPerDay => {
            ("the requests of a day,", count(limits.requests_per_day), "requests")
        }
        LimitKind::TokensPerDay => ("the tokens of a day,", count(limits.tokens_per_day), "tokens"),
        LimitKind::CostPerDay => (
            "the cost of a day,",
            shown(limits.cost_per_day.as_ref().map(|cost| cost as _)),
            "cost",
        ),
    };
    let wait = Duration::from_millis(reached.retry_after.as_millis() as u64 + 1);
    let mut refusal = Refusal::new(
        Code::RateLimitExceeded,
        format!("This key has reached {what} {limit}. Try again in {}.", span(wait)),
    );
    refusal.retry_after = Some(wait);
    refusal.headers = vec![
        (limit_header(unit, "limit"), limit),
        (limit_header(unit, "remaining"), "0".to_owned()),
        (limit_header(unit, "reset"), span(wait)),
    ];
    if reached.kind != LimitKind::Rate {
        // Clients would try again within seconds.
        refusal.headers.push(("x-should-retry", "false".to_owned()));
    }
    refusal
}

fn count(limit: Option<u64>) -> String {
    limit.map(|limit| limit.to_string()).unwrap_or_default()
}

/// The header's name, as OpenAI's API has them.
fn limit_header(unit: &str, what: &str) -> &'static str {
    match (unit, what) {
        ("tokens", "limit") => "x-ratelimit-limit-tokens",
        ("tokens", "remaining") => "x-ratelimit-remaining-tokens",
        ("tokens", _) => "x-ratelimit-reset-tokens",
        ("cost", "limit") => "x-ratelimit-limit-cost",
        ("cost", "remaining") => "x-ratelimit-remaining-cost",
        ("cost", _) => "x-ratelimit-reset-cost",
        (_, "limit") => "x-ratelimit-limit-requests",
        (_, "remaining") => "x-ratelimit-remaining-requests",
        _ => "x-ratelimit-reset-requests",
    }
}

/// A time as OpenAI's headers write it: `6m0s`, `1.5s`, `120ms`.
fn span(time: Duration) -> String {
    let (hours, minutes) = (time.as_secs() / 3_600, time.as_secs() / 60 % 60);
    let seconds = time.as_secs() % 60;
    match (hours, minutes) {
        (0, 0) if time < Duration::from_secs(1) => format!("{}ms", time.as_millis()),
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}
