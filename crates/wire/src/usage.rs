//! Token counts, from each provider's shape to one.

use event::Usage;
use serde_json::{Map, Value};

use crate::Format;

/// Largest usage object that is read.
pub(crate) const USAGE_BYTES_MAX: usize = 64 << 10;

/// The counts in the usage objects of one answer, later ones over earlier ones (Anthropic's
/// streams tell input first and output last). `None` where no count is known.
pub(crate) fn normalise<'a>(
    format: Format,
    objects: impl Iterator<Item = &'a [u8]>,
) -> Option<Usage> {
    let mut merged = Map::new();
    for bytes in objects {
        if let Ok(Value::Object(object)) = serde_json::from_slice(bytes) {
            for (key, value) in object {
                if !value.is_null() || !merged.contains_key(&key) {
                    merged.insert(key, value);
                }
            }
        }
    }
    let own = Value::Object(merged);
    let mut usage = match format {
        Format::OpenAiChat | Format::OpenAiCompletions | Format::OpenAiEmbeddings => chat(&own),
        Format::OpenAiResponses => responses(&own),
        Format::AnthropicMessages => anthropic(&own),
        Format::Gemini => gemini(&own),
        Format::BedrockConverse => bedrock(&own),
        Format::AnthropicCountTokens | Format::Generic => return None,
    };
    if usage.input_tokens.is_none() && usage.output_tokens.is_none() && usage.total_tokens.is_none()
    {
        return None;
    }
    usage.provider = Some(own);
    Some(usage)
}

/// What stands at a path of names, each after a `/`. (`Value::pointer` copies every name.)
pub(crate) fn at<'a>(own: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(own, |value, name| value.get(name))
}

fn count(own: &Value, path: &str) -> Option<u64> {
    let value = at(own, path)?;
    // Some servers write counts as floats.
    value.as_u64().or_else(|| {
        let float = value.as_f64()?;
        (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64)
    })
}

fn first(own: &Value, paths: &[&str]) -> Option<u64> {
    paths.iter().find_map(|path| count(own, path))
}

/// The sum of those that are known; `None` where none is.
fn sum(counts: &[Option<u64>]) -> Option<u64> {
    counts.iter().flatten().copied().reduce(u64::saturating_add)
}

fn chat(own: &Value) -> Usage {
    let input = count(own, "/prompt_tokens");
    let mut output = count(own, "/completion_tokens");
    let total = count(own, "/total_tokens");
    let reasoning = count(own, "/completion_tokens_details/reasoning_tokens");
    // Some providers count reasoning beside the completion; only the total tells.
    if let (Some(read), Some(written), Some(thought @ 1..), Some(all)) =
        (input, output, reasoning, total)
        && read.checked_add(written).and_then(|sum| sum.checked_add(thought)) == Some(all)
    {
        output = Some(written + thought);
    }
    let cached = [
        "/prompt_tokens_details/cached_tokens",
        "/prompt_cache_hit_tokens",
        "/num_cached_tokens",
        "/cached_tokens",
    ];
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: total.or_else(|| sum(&[input, output])),
        cached_tokens: first(own, &cached),
        cache_write_tokens: count(own, "/prompt_tokens_details/cache_write_tokens"),
        reasoning_tokens: reasoning,
        provider: None,
    }
}

fn responses(own: &Value) -> Usage {
    let input = count(own, "/input_tokens");
    let output = count(own, "/output_tokens");
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: count(own, "/total_tokens").or_else(|| sum(&[input, output])),
        cached_tokens: count(own, "/input_tokens_details/cached_tokens"),
        cache_write_tokens: count(own, "/input_tokens_details/cache_write_tokens"),
        reasoning_tokens: count(own, "/output_tokens_details/reasoning_tokens"),
        provider: None,
    }
}

/// Anthropic reports fresh, cached and cache-writing input apart.
fn anthropic(own: &Value) -> Usage {
    let cached = count(own, "/cache_read_input_tokens");
    let written = count(own, "/cache_creation_input_tokens");
    let fresh = count(own, "/input_tokens");
    let input = fresh.and_then(|_| sum(&[fresh, cached, written]));
    let output = count(own, "/output_tokens");
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: sum(&[input, output]),
        cached_tokens: cached,
        cache_write_tokens: written,
        reasoning_tokens: count(own, "/output_tokens_details/thinking_tokens"),
        provider: None,
    }
}

/// Gemini counts thoughts beside candidates, and what its tools read beside the prompt.
fn gemini(own: &Value) -> Usage {
    let prompt = count(own, "/promptTokenCount");
    let input = prompt.and_then(|_| sum(&[prompt, count(own, "/toolUsePromptTokenCount")]));
    let thoughts = count(own, "/thoughtsTokenCount");
    let total = count(own, "/totalTokenCount");
    let written = sum(&[count(own, "/candidatesTokenCount"), thoughts]);
    Usage {
        input_tokens: input,
        // Nothing written is left out; the total then says so.
        output_tokens: written.or_else(|| total?.checked_sub(input?)),
        total_tokens: total.or_else(|| sum(&[input, written])),
        cached_tokens: count(own, "/cachedContentTokenCount"),
        cache_write_tokens: None,
        reasoning_tokens: thoughts,
        provider: None,
    }
}

/// Bedrock reports cached and cache-writing input apart, as Anthropic does.
fn bedrock(own: &Value) -> Usage {
    let cached = first(own, &["/cacheReadInputTokens", "/cacheReadInputTokenCount"]);
    let written = first(own, &["/cacheWriteInputTokens", "/cacheWriteInputTokenCount"]);
    let fresh = count(own, "/inputTokens");
    let input = fresh.and_then(|_| sum(&[fresh, cached, written]));
    let output = count(own, "/outputTokens");
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: count(own, "/totalTokens").or_else(|| sum(&[input, output])),
        cached_tokens: cached,
        cache_write_tokens: written,
        reasoning_tokens: None,
        provider: None,
    }
}
