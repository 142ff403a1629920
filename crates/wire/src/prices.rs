//! What usage costs, in exact decimals, from a catalogue with a date.

use std::collections::HashMap;

use event::Usage;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use crate::usage::at;

const BUNDLED: &str = include_str!("../prices/2026-11-01.toml");
const TOKENS_PER_PRICE: i64 = 1_000_000;

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PricesError {
    /// The file is no catalogue.
    #[error("the price catalogue cannot be read: {0}; correct the file")]
    Format(String),
    /// Two models have one name.
    #[error("the price catalogue names {0:?} twice; remove one")]
    Twice(String),
}

/// How sure a cost is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostState {
    /// Every token has its price.
    Exact,
    /// The catalogue does not have the model.
    Missing,
    /// The catalogue has the model without a price, or without one for something used.
    Unpriced,
    /// Nobody counted the tokens.
    NoUsage,
}

/// What a call costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Whether it is known, and why not.
    pub state: CostState,
    /// US dollars, a decimal number without exponent; only where exact.
    pub usd: Option<String>,
}

/// A price catalogue.
#[derive(Debug)]
pub struct Prices {
    date: String,
    models: HashMap<String, Model>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    date: String,
    models: Vec<Model>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    /// Only for these kinds of provider; empty: any.
    #[serde(default)]
    kinds: Vec<String>,
    /// Without: known, and not priced.
    price: Option<Rates>,
    /// Prices of calls that read more than a number of tokens.
    long: Option<Long>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    above: u64,
    price: Rates,
}

/// US dollars per million tokens, written as a string: TOML's floats are not exact.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Rate(Decimal);

/// What a kind of token costs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rates {
    input: Rate,
    output: Option<Rate>,
    cached: Option<Rate>,
    cache_write: Option<Rate>,
    cache_write_hour: Option<Rate>,
}

// === impl CostState ===

impl CostState {
    /// The name as written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Missing => "missing",
            Self::Unpriced => "unpriced",
            Self::NoUsage => "no_usage",
        }
    }
}

// === impl Prices ===

impl Prices {
    /// The catalogue that comes with this version.
    pub fn bundled() -> Result<Self, PricesError> {
        Self::parse(BUNDLED.as_bytes())
    }

    /// Reads a catalogue in TOML.
    pub fn parse(bytes: &[u8]) -> Result<Self, PricesError> {
        let text = std::str::from_utf8(bytes).map_err(|e| PricesError::Format(e.to_string()))?;
        let file: File = toml::from_str(text).map_err(|e| PricesError::Format(e.to_string()))?;
        let mut models = HashMap::new();
        for model in file.models {
            for name in model.aliases.iter().chain([&model.name]) {
                if models.insert(name.clone(), model.clone()).is_some() {
                    return Err(PricesError::Twice(name.clone()));
                }
            }
        }
        Ok(Self { date: file.date, models })
    }

    /// The date from which the prices are, `YYYY-MM-DD`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// US dollars for a million tokens read and written, where the catalogue has prices.
    pub fn rates(&self, provider_kind: &str, model: &str) -> Option<(String, Option<String>)> {
        let rates = self.find(provider_kind, model)?.price.as_ref()?;
        let text = |rate: &Rate| rate.0.normalize().to_string();
        Some((text(&rates.input), rates.output.as_ref().map(text)))
    }

    /// What `usage` of `model` costs. What is unknown costs unknown, never 0.
    pub fn cost(&self, provider_kind: &str, model: &str, usage: &Usage) -> Cost {
        let Some(model) = self.find(provider_kind, model) else {
            return unknown(CostState::Missing);
        };
        let (Some(input), output) = (usage.input_tokens, usage.output_tokens) else {
            return unknown(CostState::NoUsage);
        };
        let rates = match &model.long {
            Some(long) if input > long.above => Some(&long.price),
            _ => model.price.as_ref(),
        };
        match rates.and_then(|rates| rates.total(usage, input, output)) {
            Some(usd) => Cost { state: CostState::Exact, usd: Some(usd.normalize().to_string()) },
            None => unknown(CostState::Unpriced),
        }
    }

    /// By its own name, else by the name of which it is a dated version.
    fn find(&self, provider_kind: &str, name: &str) -> Option<&Model> {
        let mut candidate = Some(name);
        while let Some(name) = candidate {
            if let Some(model) = self.models.get(name) {
                let fits =
                    model.kinds.is_empty() || model.kinds.iter().any(|kind| kind == provider_kind);
                return fits.then_some(model);
            }
            candidate = undated(name);
        }
        None
    }
}

fn unknown(state: CostState) -> Cost {
    Cost { state, usd: None }
}

/// What of a model's name says which version it is: what follows the name without a version.
pub fn version_of(name: &str) -> Option<&str> {
    let plain = undated(name)?;
    name.strip_prefix(plain)?.strip_prefix(['-', '@'])
}

/// The name without what makes it one version: a place, a path, a date, a number, `-latest`.
fn undated(name: &str) -> Option<&str> {
    for prefix in ["models/", "us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au."] {
        if let Some(rest) = name.strip_prefix(prefix) {
            return Some(rest);
        }
    }
    if let Some(rest) = name.strip_suffix("-latest") {
        return Some(rest);
    }
    let digits = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    // Google dates with @, others with -.
    if let Some((rest, date)) = name.rsplit_once(['-', '@'])
        && ((digits(date, 8) && date.starts_with("20"))
            || (digits(date, 3) && date.starts_with('0')))
    {
        return Some(rest);
    }
    let mut parts = name.rsplitn(4, '-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if digits(day, 2) && digits(month, 2) && digits(year, 4) {
        return parts.next();
    }
    None
}

// === impl Rate ===

impl TryFrom<String> for Rate {
    type Error = rust_decimal::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Decimal::from_str_exact(&text).map(Self)
    }
}

// === impl Rates ===

impl Rates {
    /// `None` where something that was used has no price here.
    fn total(&self, usage: &Usage, input: u64, output: Option<u64>) -> Option<Decimal> {
        if has_other_charges(usage) {
            return None;
        }
        let cached = usage.cached_tokens.unwrap_or(0);
        let written = usage.cache_write_tokens.unwrap_or(0);
        let hour = hour_writes(usage).min(written);
        let fresh = input.checked_sub(cached)?.checked_sub(written)?;
        let mut total = times(fresh, Some(self.input))?;
        total = total.checked_add(times(cached, self.cached)?)?;
        total = total.checked_add(times(written - hour, self.cache_write)?)?;
        total = total.checked_add(times(hour, self.cache_write_hour)?)?;
        match (output, self.output) {
            (Some(output), rate) => total = total.checked_add(times(output, rate)?)?,
            // A model that writes, and nobody knows how much.
            (None, Some(_)) => return None,
            (None, None) => {}
        }
        total.checked_div(Decimal::from(TOKENS_PER_PRICE))
    }
}

fn times(tokens: u64, rate: Option<Rate>) -> Option<Decimal> {
    if tokens == 0 {
        return Some(Decimal::ZERO);
    }
    Decimal::from(tokens).checked_mul(rate?.0)
}

fn number(usage: &Usage, path: &str) -> u64 {
    usage.provider.as_ref().and_then(|own| at(own, path)).and_then(Value::as_u64).unwrap_or(0)
}

/// Cache writes that are kept for an hour, which cost more than those for five minutes.
fn hour_writes(usage: &Usage) -> u64 {
    let details = usage.provider.as_ref().and_then(|own| own.get("cacheDetails"));
    let bedrock: u64 = details
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|entry| entry.get("ttl").and_then(Value::as_str) == Some("1h"))
        .filter_map(|entry| entry.get("inputTokens").and_then(Value::as_u64))
        .fold(0, u64::saturating_add);
    number(usage, "/cache_creation/ephemeral_1h_input_tokens").saturating_add(bedrock)
}

/// Whether the provider's own object tells of things that tokens of text do not price: audio,
/// searches, tiers other than the standard one.
fn has_other_charges(usage: &Usage) -> bool {
    let tier = ["/service_tier", "/serviceTier"]
        .iter()
        .find_map(|path| at(usage.provider.as_ref()?, path)?.as_str());
    let standard = matches!(tier, None | Some("standard" | "default" | "auto" | "STANDARD"));
    let counted = [
        "/prompt_tokens_details/audio_tokens",
        "/completion_tokens_details/audio_tokens",
        "/server_tool_use/web_search_requests",
    ];
    let modal = ["promptTokensDetails", "candidatesTokensDetails"].iter().any(|list| {
        let entries = usage.provider.as_ref().and_then(|own| own.get(*list)?.as_array());
        entries.into_iter().flatten().any(|entry| {
            let audio = entry.get("modality").and_then(Value::as_str) == Some("AUDIO");
            audio && entry.get("tokenCount").and_then(Value::as_u64) != Some(0)
        })
    });
    !standard || modal || counted.iter().any(|path| number(usage, path) > 0)
}
