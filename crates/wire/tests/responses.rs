//! Answers that the recordings do not have: broken, huge, compressed, odd.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::io::Write;

use common::{exchanges, read};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use wire::{Format, ResponseFacts};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";

fn whole(format: Format, body: &str) -> ResponseFacts {
    read(format, JSON, None, 200, &[body.as_bytes()])
}

fn stream(format: Format, body: &str) -> ResponseFacts {
    read(format, SSE, None, 200, &[body.as_bytes()])
}

#[test]
fn compressed_answers_are_read() {
    for exchange in exchanges().iter().take(120) {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(exchange.response.as_bytes()).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(exchange.response.as_bytes()).unwrap();
        for (encoding, bytes) in
            [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap())]
        {
            let pieces: Vec<&[u8]> = bytes.chunks(11).collect();
            let format = exchange.route().format;
            let facts =
                read(format, &exchange.content_type, Some(encoding), exchange.status, &pieces);
            assert_eq!(facts, exchange.read_response(), "{}", exchange.name);
        }
    }
}

#[test]
fn other_encodings_and_broken_ones_have_no_facts() {
    let none = ResponseFacts { terminal: true, ..ResponseFacts::default() };
    let body = br#"{"id":"x","model":"m"}"#;
    assert_eq!(read(Format::OpenAiChat, JSON, Some("br"), 200, &[body]), none);
    assert_eq!(read(Format::OpenAiChat, JSON, Some("gzip"), 200, &[body]), none);
    assert_eq!(read(Format::Generic, JSON, None, 200, &[body]), none);
}

#[test]
fn a_small_body_that_unpacks_to_a_huge_one_is_let_go() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(b"{\"id\":\"x\",\"pad\":\"").unwrap();
    for _ in 0..64 {
        gzip.write_all(&vec![b'a'; 1 << 20]).unwrap();
    }
    gzip.write_all(b"\"}").unwrap();
    let bytes = gzip.finish().unwrap();
    let facts = read(Format::OpenAiChat, JSON, Some("gzip"), 200, &[&bytes]);
    assert_eq!(facts, ResponseFacts { terminal: true, ..ResponseFacts::default() });
}

#[test]
fn a_huge_event_is_let_go_and_the_rest_is_read() {
    let mut body = String::from("data: {\"id\":\"x\",\"pad\":\"");
    body.push_str(&"a".repeat(9 << 20));
    body.push_str("\"}\n\ndata: {\"model\":\"m\",\"choices\":[]}\n\ndata: [DONE]\n\n");
    let pieces: Vec<&[u8]> = body.as_bytes().chunks(16 << 10).collect();
    let facts = read(Format::OpenAiChat, SSE, None, 200, &pieces);
    assert_eq!(
        (facts.model.as_deref(), facts.response_id, facts.terminal),
        (Some("m"), None, true)
    );
}

#[test]
fn a_broken_body_keeps_what_was_read_before() {
    let facts = whole(Format::OpenAiChat, r#"{"id":"x","model":"m","choices":[{"#);
    assert_eq!(facts.model.as_deref(), Some("m"));
    assert_eq!(facts.usage, None);
}

#[test]
fn depth_and_numbers_in_answers_are_harmless() {
    let deep = format!(r#"{{"x":{}{},"model":"m"}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(whole(Format::OpenAiChat, &deep).model.as_deref(), Some("m"));
    let odd = r#"{"model":"m","usage":{"prompt_tokens":1e400,"completion_tokens":-5}}"#;
    assert_eq!(whole(Format::OpenAiChat, odd).usage, None);
    let odd = r#"{"usage":{"prompt_tokens":3.0,"completion_tokens":2.5,"total_tokens":"7"}}"#;
    let usage = whole(Format::OpenAiChat, odd).usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(3), None));
}

#[test]
fn a_stream_that_breaks_off_has_not_ended() {
    let start = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let facts = stream(Format::OpenAiChat, start);
    assert_eq!((facts.preview.as_deref(), facts.terminal), (Some("Hel"), false));
    assert!(stream(Format::OpenAiChat, &format!("{start}data: [DONE]")).terminal);
    assert!(
        !stream(
            Format::AnthropicMessages,
            "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
        )
        .terminal
    );
    assert!(
        stream(
            Format::AnthropicMessages,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        )
        .terminal
    );
}

#[test]
fn streams_without_a_content_type_are_recognised() {
    let body = b"data: {\"model\":\"m\"}\n\ndata: [DONE]\n\n";
    let facts = read(Format::OpenAiChat, "text/plain", None, 200, &[b"\n", body]);
    assert_eq!((facts.model.as_deref(), facts.terminal), (Some("m"), true));
}

#[test]
fn what_stands_before_an_answer_is_dropped_however_it_is_cut() {
    let body = b"\x0c \n{\"id\":\"x\"}";
    let whole = read(Format::OpenAiChat, "text/plain", None, 200, &[body]);
    let (blanks, rest) = body.split_at(3);
    assert_eq!(read(Format::OpenAiChat, "text/plain", None, 200, &[blanks, rest]), whole);
    assert_eq!(whole.response_id.as_deref(), Some("x"));
}

#[test]
fn gemini_streams_as_an_array_are_read() {
    let body = r#"[{"candidates":[{"content":{"parts":[{"text":"Hel"}]}}],"usageMetadata":{"promptTokenCount":2,"totalTokenCount":2}},
        {"candidates":[{"content":{"parts":[{"text":"lo"}]},"finishReason":"STOP"}],"modelVersion":"g",
        "usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":4,"totalTokenCount":9}}]"#;
    let facts = whole(Format::Gemini, body);
    assert_eq!(facts.preview.as_deref(), Some("Hello"));
    let usage = facts.usage.unwrap();
    assert_eq!(
        (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens),
        (Some(2), Some(7), Some(4))
    );
}

#[test]
fn usage_of_anthropic_adds_what_the_cache_read_and_wrote() {
    let body = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"c\",\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":10,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"name\":\"t\"}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":20}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let facts = stream(Format::AnthropicMessages, body);
    let usage = facts.usage.unwrap();
    assert_eq!(
        (usage.input_tokens, usage.output_tokens, usage.total_tokens),
        (Some(113), Some(20), Some(133))
    );
    assert_eq!((usage.cached_tokens, usage.cache_write_tokens), (Some(100), Some(10)));
    assert_eq!(usage.provider.unwrap()["input_tokens"], 3);
    assert_eq!(facts.tool_calls, ["t"]);
}

#[test]
fn thoughts_that_a_provider_counts_apart_are_output() {
    let body = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":40,"completion_tokens_details":{"reasoning_tokens":25}}}"#;
    assert_eq!(whole(Format::OpenAiChat, body).usage.unwrap().output_tokens, Some(30));
}

#[test]
fn a_streamed_call_is_named_once() {
    let chunk = |index: u8, id: &str, name: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":{index},\"id\":\"{id}\",\"function\":{{\"name\":\"{name}\",\"arguments\":\"x\"}}}}]}}}}]}}\n\n"
        )
    };
    let body =
        [chunk(0, "c1", "a"), chunk(0, "", "a"), chunk(0, "", ""), chunk(1, "c2", "a")].concat();
    assert_eq!(stream(Format::OpenAiChat, &body).tool_calls, ["a", "a"]);
}

#[test]
fn errors_have_a_type_and_a_message() {
    let failed = |format, body: &str| {
        let facts = read(format, JSON, None, 429, &[body.as_bytes()]);
        (facts.error_type.unwrap_or_default(), facts.preview.unwrap_or_default())
    };
    let is = |kind: &str, message: &str| (kind.to_owned(), message.to_owned());
    let openai = r#"{"error":{"message":"Slow down","type":"rate_limit","code":"x"}}"#;
    assert_eq!(failed(Format::OpenAiChat, openai), is("rate_limit", "Slow down"));
    let anthropic = r#"{"type":"error","error":{"type":"overloaded_error","message":"Busy"}}"#;
    assert_eq!(failed(Format::AnthropicMessages, anthropic), is("overloaded_error", "Busy"));
    let gemini = r#"{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}"#;
    assert_eq!(failed(Format::Gemini, gemini), is("RESOURCE_EXHAUSTED", "Quota"));
    let event = "data: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"Broke\"}\n\n";
    let facts = stream(Format::OpenAiResponses, event);
    assert_eq!(
        (facts.error_type.as_deref(), facts.preview.as_deref(), facts.terminal),
        (Some("server_error"), Some("Broke"), true)
    );
    assert_eq!(failed(Format::BedrockConverse, r#"{"message":"No"}"#), is("error", "No"));
    assert_eq!(
        failed(Format::OpenAiChat, r#"{"error":"model not found"}"#),
        is("error", "model not found")
    );
}

#[test]
fn completions_and_embeddings_are_read() {
    let body = r#"{"id":"c","model":"m","choices":[{"text":"Hi","index":0,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
    let facts = whole(Format::OpenAiCompletions, body);
    assert_eq!(
        (facts.preview.as_deref(), facts.finish_reason.as_deref()),
        (Some("Hi"), Some("length"))
    );
    let body = r#"{"model":"e","data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let facts = whole(Format::OpenAiEmbeddings, body);
    let usage = facts.usage.unwrap();
    assert_eq!(
        (facts.model.as_deref(), usage.input_tokens, usage.total_tokens),
        (Some("e"), Some(8), Some(8))
    );
}

proptest! {
    #[test]
    fn any_bytes_are_harmless(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        events: bool,
        status in 200_u16..600,
    ) {
        for format in [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::Gemini, Format::BedrockConverse, Format::AnthropicCountTokens] {
            let pieces: Vec<&[u8]> = bytes.chunks(7).collect();
            let kind = if events { SSE } else { JSON };
            prop_assert_eq!(read(format, kind, None, status, &pieces), read(format, kind, None, status, &[&bytes]));
        }
    }
}
