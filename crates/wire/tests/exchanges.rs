//! Every recorded exchange reads as a person would read it.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use bytes::Bytes;
use common::{Dice, Exchange, exchanges};
use serde_json::Value;
use wire::{EventGate, Format, ResponseFacts};

/// What a plain walk over the whole answer finds.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    model: Option<String>,
    input: Option<u64>,
    output: Option<u64>,
    cached: u64,
    written: u64,
    reasoning: u64,
    finish: Option<String>,
    tools: Vec<String>,
    id: Option<String>,
}

fn documents(exchange: &Exchange) -> Vec<Value> {
    if !exchange.is_stream() {
        return serde_json::from_str(&exchange.response).into_iter().collect();
    }
    let text = exchange.response.replace("\r\n", "\n");
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

fn names(list: &Value, pick: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(pick).collect()
}

fn plain(exchange: &Exchange) -> Plain {
    let documents = documents(exchange);
    match exchange.route().format {
        Format::OpenAiChat => plain_chat(&documents),
        Format::OpenAiResponses => plain_responses(&documents),
        Format::AnthropicMessages => plain_anthropic(&documents),
        Format::Gemini => plain_gemini(&documents),
        Format::BedrockConverse => plain_bedrock(&documents),
        _ => Plain::default(),
    }
}

fn plain_chat(documents: &[Value]) -> Plain {
    let mut plain = Plain::default();
    for document in documents {
        plain.model = text(&document["model"]).or(plain.model);
        plain.id = text(&document["id"]).or(plain.id);
        let usage = &document["usage"];
        if usage.is_object() {
            let details = &usage["prompt_tokens_details"];
            plain.input = usage["prompt_tokens"].as_u64();
            plain.output = usage["completion_tokens"].as_u64();
            plain.cached = details["cached_tokens"]
                .as_u64()
                .or(usage["num_cached_tokens"].as_u64())
                .or(usage["cached_tokens"].as_u64())
                .unwrap_or(0);
            plain.written = details["cache_write_tokens"].as_u64().unwrap_or(0);
            plain.reasoning =
                usage["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0);
        }
        let choice = &document["choices"][0];
        plain.finish = text(&choice["finish_reason"]).or(plain.finish);
        for key in ["message", "delta"] {
            plain
                .tools
                .extend(names(&choice[key]["tool_calls"], |call| text(&call["function"]["name"])));
        }
    }
    plain
}

fn plain_responses(documents: &[Value]) -> Plain {
    let Some(last) = documents.last() else { return Plain::default() };
    let response = if last["response"].is_object() { &last["response"] } else { last };
    let usage = &response["usage"];
    Plain {
        model: text(&response["model"]),
        input: usage["input_tokens"].as_u64(),
        output: usage["output_tokens"].as_u64(),
        cached: usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        written: usage["input_tokens_details"]["cache_write_tokens"].as_u64().unwrap_or(0),
        reasoning: usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0),
        finish: text(&response["status"]),
        tools: names(&response["output"], |item| match item["type"].as_str()? {
            "function_call" | "mcp_call" => text(&item["name"]),
            other => other.strip_suffix("_call").map(ToOwned::to_owned),
        }),
        id: text(&response["id"]),
    }
}

fn plain_anthropic(documents: &[Value]) -> Plain {
    let mut plain = Plain::default();
    let (mut fresh, mut cached, mut written) = (None, 0, 0);
    let is_call = |block: &Value| {
        let call = block["type"].as_str().is_some_and(|kind| kind.ends_with("tool_use"));
        if call { text(&block["name"]) } else { None }
    };
    for document in documents {
        let message = if document["message"].is_object() { &document["message"] } else { document };
        plain.model = text(&message["model"]).or(plain.model);
        plain.id = text(&message["id"]).or(plain.id);
        plain.finish = text(&message["stop_reason"])
            .or_else(|| text(&document["delta"]["stop_reason"]))
            .or(plain.finish);
        plain.tools.extend(names(&message["content"], is_call));
        plain.tools.extend(is_call(&document["content_block"]));
        let usage = &message["usage"];
        fresh = usage["input_tokens"].as_u64().or(fresh);
        cached = usage["cache_read_input_tokens"].as_u64().unwrap_or(cached);
        written = usage["cache_creation_input_tokens"].as_u64().unwrap_or(written);
        plain.output = usage["output_tokens"].as_u64().or(plain.output);
        plain.reasoning =
            usage["output_tokens_details"]["thinking_tokens"].as_u64().unwrap_or(plain.reasoning);
    }
    plain.input = fresh.map(|fresh| fresh + cached + written);
    (plain.cached, plain.written) = (cached, written);
    plain
}

fn plain_gemini(documents: &[Value]) -> Plain {
    let mut plain = Plain::default();
    for document in documents {
        plain.model = text(&document["modelVersion"]).or(plain.model);
        plain.id = text(&document["responseId"]).or(plain.id);
        let candidate = &document["candidates"][0];
        plain.finish = text(&candidate["finishReason"])
            .or_else(|| text(&document["promptFeedback"]["blockReason"]))
            .or(plain.finish);
        plain.tools.extend(names(&candidate["content"]["parts"], |part| {
            let code = part["executableCode"].is_object().then(|| "code_execution".to_owned());
            text(&part["functionCall"]["name"]).or(text(&part["toolCall"]["toolType"])).or(code)
        }));
        let usage = &document["usageMetadata"];
        if let Some(prompt) = usage["promptTokenCount"].as_u64() {
            let thoughts = usage["thoughtsTokenCount"].as_u64().unwrap_or(0);
            plain.input = Some(prompt + usage["toolUsePromptTokenCount"].as_u64().unwrap_or(0));
            plain.output = Some(usage["candidatesTokenCount"].as_u64().unwrap_or(0) + thoughts);
            plain.cached = usage["cachedContentTokenCount"].as_u64().unwrap_or(0);
            plain.reasoning = thoughts;
        }
    }
    plain
}

fn plain_bedrock(documents: &[Value]) -> Plain {
    let Some(document) = documents.first() else { return Plain::default() };
    let usage = &document["usage"];
    let cached = usage["cacheReadInputTokens"].as_u64().unwrap_or(0);
    let written = usage["cacheWriteInputTokens"].as_u64().unwrap_or(0);
    Plain {
        input: usage["inputTokens"].as_u64().map(|fresh| fresh + cached + written),
        output: usage["outputTokens"].as_u64(),
        cached,
        written,
        finish: text(&document["stopReason"]),
        tools: names(&document["output"]["message"]["content"], |part| {
            text(&part["toolUse"]["name"])
        }),
        ..Plain::default()
    }
}

fn found(facts: &ResponseFacts) -> Plain {
    let usage = facts.usage.clone().unwrap_or_default();
    Plain {
        model: facts.model.clone(),
        input: usage.input_tokens,
        output: usage.output_tokens,
        cached: usage.cached_tokens.unwrap_or(0),
        written: usage.cache_write_tokens.unwrap_or(0),
        reasoning: usage.reasoning_tokens.unwrap_or(0),
        finish: facts.finish_reason.clone(),
        tools: facts.tool_calls.clone(),
        id: facts.response_id.clone(),
    }
}

#[test]
fn answers_are_read_as_a_plain_walk_reads_them() {
    let all = exchanges();
    assert_eq!(all.len(), 578);
    let mut wrong = Vec::new();
    for exchange in &all {
        let (found, plain) = (found(&exchange.read_response()), plain(exchange));
        if found != plain {
            wrong.push(format!("{}\n  found {found:?}\n  plain {plain:?}", exchange.name));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn usage_adds_up_wherever_the_provider_gives_a_total() {
    let mut checked = 0;
    for exchange in exchanges() {
        let Some(usage) = exchange.read_response().usage else { continue };
        let (Some(input), Some(output), Some(total)) =
            (usage.input_tokens, usage.output_tokens, usage.total_tokens)
        else {
            continue;
        };
        // This server leaves thoughts out of its completion tokens and does not report them.
        if exchange.path == "/v1beta/openai/chat/completions" {
            continue;
        }
        assert_eq!(input + output, total, "{}", exchange.name);
        assert!(usage.cached_tokens.unwrap_or(0) <= input, "{}", exchange.name);
        checked += 1;
    }
    assert!(checked > 500, "only {checked} were checked");
}

#[test]
fn requests_are_read_as_a_plain_walk_reads_them() {
    for exchange in exchanges() {
        let route = exchange.route();
        if route.format == Format::Generic {
            continue;
        }
        let facts = exchange.read_request();
        let body = &exchange.request_json;
        if route.path_model.is_none() {
            assert_eq!(facts.model, text(&body["model"]), "{}", exchange.name);
        } else {
            assert_eq!(facts.model, route.path_model, "{}", exchange.name);
        }
        assert_eq!(
            facts.stream,
            body["stream"].as_bool().unwrap_or(false) || exchange.path.contains("tream"),
            "{}",
            exchange.name
        );
        let asked = body["stream_options"]["include_usage"].as_bool().unwrap_or(false);
        assert_eq!(facts.wants_usage, asked, "{}", exchange.name);
        let preview = facts.prompt_preview.unwrap_or_default();
        let asks = ["messages", "input", "contents"]
            .iter()
            .any(|key| body[key].is_string() || body[key][0].is_object());
        assert!(!preview.is_empty() || !asks, "{} has no preview", exchange.name);
        assert!(preview.chars().count() <= common::PREVIEW_CHARS, "{}", exchange.name);
    }
}

#[test]
fn any_cut_gives_the_same_facts() {
    let mut dice = Dice(1);
    for exchange in exchanges() {
        let whole = exchange.read_response();
        for longest in [1, 7, 300] {
            let pieces = dice.cut(exchange.response.as_bytes(), longest);
            assert_eq!(exchange.read_pieces(&pieces), whole, "{}", exchange.name);
        }
    }
}

#[test]
fn other_line_ends_give_the_same_facts() {
    let mut dice = Dice(2);
    for exchange in exchanges().iter().filter(|exchange| exchange.is_stream()) {
        let whole = exchange.read_response();
        for end in ["\r\n", "\r"] {
            let text = exchange.response.replace("\r\n", "\n").replace('\n', end);
            let pieces = dice.cut(text.as_bytes(), 40);
            assert_eq!(exchange.read_pieces(&pieces), whole, "{} {end:?}", exchange.name);
        }
    }
}

#[test]
fn a_stream_without_its_last_line_ends_is_read_whole() {
    for exchange in exchanges().iter().filter(|exchange| exchange.is_stream()) {
        let whole = exchange.read_response();
        let cut = exchange.response.trim_end().as_bytes();
        assert_eq!(exchange.read_pieces(&[cut]), whole, "{}", exchange.name);
    }
}

#[test]
fn the_gate_keeps_every_byte_and_the_end_until_the_end() {
    let ends = |format: Format| match format {
        Format::AnthropicMessages => "\"message_stop\"",
        Format::OpenAiResponses => "\"response.completed\"",
        Format::Gemini => "\"finishReason\"",
        _ => "[DONE]",
    };
    let (mut dice, mut terminals) = (Dice(3), 0);
    for exchange in exchanges().iter().filter(|exchange| exchange.is_stream()) {
        let format = exchange.route().format;
        for longest in [1, 20, 500, usize::MAX] {
            let mut gate = EventGate::new(format, false);
            let mut out = Vec::new();
            for piece in
                dice.cut(exchange.response.as_bytes(), longest.min(exchange.response.len()))
            {
                gate.push(Bytes::copy_from_slice(piece), &mut out);
            }
            let before = String::from_utf8(out.concat()).unwrap();
            gate.finish(&mut out);
            assert_eq!(String::from_utf8(out.concat()).unwrap(), exchange.response);
            assert!(!before.contains(ends(format)), "{} {longest}", exchange.name);
            // What is kept back is no more than the terminal event and what follows it.
            if let Some(at) = exchange.response.find(ends(format)) {
                terminals += 1;
                let start = ["\n\n", "\r\n\r\n"]
                    .iter()
                    .filter_map(|end| Some(exchange.response[..at].rfind(end)? + end.len()))
                    .max()
                    .unwrap_or(0);
                assert_eq!(before.len(), start, "{} {longest}", exchange.name);
            }
        }
    }
    assert!(terminals >= 80);
}

#[test]
fn table() {
    let mut table = String::new();
    for exchange in exchanges() {
        use std::fmt::Write;
        let request = exchange.read_request();
        let facts = exchange.read_response();
        let usage = facts.usage.clone().unwrap_or_default();
        let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
        let line = |text: &Option<String>| text.as_deref().unwrap_or("-").replace('\n', " ⏎ ");
        writeln!(
            table,
            "{} {} {}\n  {} → {}{} in {} out {} cached {} written {} reasoning {} finish {} error {}{}\n  tools {:?} called {:?}\n  ? {}\n  ! {}",
            exchange.name.trim_start_matches("models/cassettes/").replace(".yaml", ""),
            exchange.route().format.as_str(),
            exchange.status,
            word(&request.model),
            word(&facts.model),
            if request.stream { " stream" } else { "" },
            count(usage.input_tokens),
            count(usage.output_tokens),
            count(usage.cached_tokens),
            count(usage.cache_write_tokens),
            count(usage.reasoning_tokens),
            word(&facts.finish_reason),
            word(&facts.error_type),
            if facts.terminal { "" } else { " not ended" },
            request.tools,
            facts.tool_calls,
            line(&request.prompt_preview),
            line(&facts.preview),
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}
