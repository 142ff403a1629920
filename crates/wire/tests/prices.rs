//! Costs are exact or unknown.

#![allow(clippy::unwrap_used, reason = "a test may")]

use event::Usage;
use serde_json::json;
use wire::{Cost, CostState, Prices};

fn usage(input: u64, output: u64) -> Usage {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
}

fn cost(model: &str, usage: &Usage) -> Cost {
    Prices::bundled().unwrap().cost("openai", model, usage)
}

fn exact(usd: &str) -> Cost {
    Cost { state: CostState::Exact, usd: Some(usd.to_owned()) }
}

fn unknown(state: CostState) -> Cost {
    Cost { state, usd: None }
}

#[test]
fn the_bundled_catalogue_is_read() {
    assert_eq!(Prices::bundled().unwrap().date(), "2026-11-01");
}

#[test]
fn costs_are_exact_decimals() {
    // 1000 × 2.50 + 10 × 10.00, per million.
    assert_eq!(cost("gpt-4o", &usage(1000, 10)), exact("0.0026"));
    assert_eq!(cost("gpt-4o-mini", &usage(1, 0)), exact("0.00000015"));
    assert_eq!(cost("text-embedding-3-small", &usage(8, 0)), exact("0.00000016"));
    assert_eq!(cost("gpt-4o", &usage(0, 0)), exact("0"));
}

#[test]
fn cached_tokens_have_their_own_price() {
    let cached = Usage { cached_tokens: Some(400), ..usage(1000, 0) };
    // 600 × 2.50 + 400 × 1.25.
    assert_eq!(cost("gpt-4o", &cached), exact("0.002"));
    let written = Usage {
        cached_tokens: Some(100),
        cache_write_tokens: Some(50),
        provider: Some(json!({"cache_creation": {"ephemeral_1h_input_tokens": 20}})),
        ..usage(200, 10)
    };
    // 50 × 3 + 100 × 0.30 + 30 × 3.75 + 20 × 6 + 10 × 15.
    assert_eq!(cost("claude-sonnet-4-20250514", &written), exact("0.0005625"));
}

#[test]
fn long_prompts_have_their_own_price() {
    assert_eq!(cost("gemini-2.5-pro", &usage(200_000, 0)), exact("0.25"));
    assert_eq!(cost("gemini-2.5-pro", &usage(200_001, 0)), exact("0.5000025"));
}

#[test]
fn versions_are_found_by_their_model() {
    let short = usage(1_000_000, 0);
    for (model, usd) in [
        ("gpt-4o-2024-08-06", "2.5"),
        ("gpt-4o-2024-05-13", "5"),
        ("chatgpt-4o-latest", "5"),
        ("claude-haiku-4-5-20251001", "1"),
        ("claude-haiku-4-5@20251001", "1"),
        ("claude-3-5-haiku-latest", "0.8"),
        ("models/gemini-2.0-flash-001", "0.1"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("mistral-large-latest", "0.5"),
        ("gpt-5-mini-2025-08-07", "0.25"),
    ] {
        assert_eq!(cost(model, &short), exact(usd), "{model}");
    }
}

#[test]
fn what_is_unknown_costs_unknown() {
    let some = usage(10, 10);
    for model in ["mistral-8b", "gpt-4o-mini-custom", "llama", "", "-latest", "gpt-4o-", "us."] {
        assert_eq!(cost(model, &some), unknown(CostState::Missing), "{model}");
    }
    assert_eq!(cost("gpt-oss-120b", &some), unknown(CostState::Unpriced));
    assert_eq!(cost("gpt-4o", &Usage::default()), unknown(CostState::NoUsage));
    let half = Usage { input_tokens: Some(5), ..Usage::default() };
    assert_eq!(cost("gpt-4o", &half), unknown(CostState::Unpriced));
    // GPT-4 has no price for cached tokens; more cached than read is nonsense.
    let cached = Usage { cached_tokens: Some(5), ..usage(10, 0) };
    assert_eq!(cost("gpt-4", &cached), unknown(CostState::Unpriced));
    let nonsense = Usage { cached_tokens: Some(11), ..usage(10, 0) };
    assert_eq!(cost("gpt-4o", &nonsense), unknown(CostState::Unpriced));
    let huge = usage(u64::MAX, u64::MAX);
    assert_ne!(cost("gpt-4o", &huge).state, CostState::Missing);
}

#[test]
fn charges_beyond_tokens_of_text_make_a_cost_unknown() {
    for own in [
        json!({"service_tier": "batch"}),
        json!({"prompt_tokens_details": {"audio_tokens": 5}}),
        json!({"server_tool_use": {"web_search_requests": 1}}),
        json!({"promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}]}),
    ] {
        let used = Usage { provider: Some(own.clone()), ..usage(10, 10) };
        assert_eq!(cost("gpt-4o", &used), unknown(CostState::Unpriced), "{own}");
    }
    let standard =
        json!({"service_tier": "standard", "server_tool_use": {"web_search_requests": 0}});
    let used = Usage { provider: Some(standard), ..usage(10, 0) };
    assert_eq!(cost("gpt-4o", &used).state, CostState::Exact);
}

#[test]
fn wrong_catalogues_are_refused() {
    let model =
        |price: &str| format!("date=\"d\"\n[[models]]\nname=\"a\"\nprice={{input={price}}}\n");
    assert!(Prices::parse(model("\"1.5\"").as_bytes()).is_ok());
    for bad in [
        model("1.5"),
        model("\"x\""),
        "date=1".to_owned(),
        format!("{}\n[[models]]\nname=\"a\"\n", model("\"1\"")),
    ] {
        let error = Prices::parse(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("price catalogue"), "{error}");
    }
    assert!(Prices::parse(b"\xff").is_err());
}

#[test]
fn a_model_may_be_priced_for_some_providers_only() {
    let text = "date=\"d\"\n[[models]]\nname=\"m\"\nkinds=[\"openai\"]\nprice={input=\"1\",output=\"1\"}\n";
    let prices = Prices::parse(text.as_bytes()).unwrap();
    assert_eq!(prices.cost("openai", "m", &usage(1, 1)).state, CostState::Exact);
    assert_eq!(prices.cost("generic", "m", &usage(1, 1)).state, CostState::Missing);
}
