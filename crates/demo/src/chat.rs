//! OpenAI's chat completions, completions and embeddings.

use crate::answer::{Answer, tokens};
use crate::random::Random;
use crate::reply::{Reply, error_reply, event, now_seconds, stream, whole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

const DIMENSIONS_DEFAULT: u64 = 1536;
const DIMENSIONS_MAX: u64 = 4096;

const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

pub(crate) fn chat(path: &str, request: &Value) -> Reply {
    let mut answer = Answer::to(request);
    let id = format!("chatcmpl-{}", answer.random.hex(24));
    let finish = finish_reason(&answer);
    if request["stream"] == true {
        return stream(path, chat_stream(request, &mut answer, &id, finish));
    }
    let mut message = json!({"role": "assistant", "content": answer.text, "refusal": null});
    if let Some(call) = &answer.tool {
        message["content"] = Value::Null;
        message["tool_calls"] = json!([{"id": format!("call_{}", answer.random.clone().hex(20)), "type": "function",
            "function": {"name": call.name, "arguments": call.arguments}}]);
    }
    let body = json!({
        "id": id, "object": "chat.completion", "created": now_seconds(), "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "usage": usage(&answer), "system_fingerprint": "fp_demo",
    });
    whole(path, 200, &body)
}

fn chat_stream(request: &Value, answer: &mut Answer, id: &str, finish: &str) -> Vec<Bytes> {
    let created = now_seconds();
    let with_usage = request["stream_options"]["include_usage"] == true;
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = json!({
            "id": id, "object": "chat.completion.chunk", "created": created, "model": answer.model,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        });
        if with_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let mut events = Vec::new();
    if let Some(call) = &answer.tool {
        let call_id = format!("call_{}", answer.random.clone().hex(20));
        let first = json!([{"index": 0, "id": call_id, "type": "function",
            "function": {"name": call.name, "arguments": ""}}]);
        events.push(event(
            None,
            &chunk(json!({"role": "assistant", "content": null, "tool_calls": first}), Value::Null),
        ));
        for piece in answer.pieces() {
            let part = json!([{"index": 0, "function": {"arguments": piece}}]);
            events.push(event(None, &chunk(json!({"tool_calls": part}), Value::Null)));
        }
    } else {
        events.push(event(None, &chunk(json!({"role": "assistant", "content": ""}), Value::Null)));
        for piece in answer.pieces() {
            events.push(event(None, &chunk(json!({"content": piece}), Value::Null)));
        }
    }
    events.push(event(None, &chunk(json!({}), json!(finish))));
    if with_usage {
        events.push(event(None, &json!({
            "id": id, "object": "chat.completion.chunk", "created": created, "model": answer.model,
            "choices": [], "usage": usage(answer),
        })));
    }
    events.push(DONE);
    events
}

pub(crate) fn completions(path: &str, request: &Value) -> Reply {
    let mut answer = Answer::to(request);
    answer.tool = None;
    let id = format!("cmpl-{}", answer.random.hex(24));
    let created = now_seconds();
    let finish = finish_reason(&answer);
    let body = |text: &str, finish: Value| {
        json!({"id": id, "object": "text_completion", "created": created, "model": answer.model,
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]})
    };
    if request["stream"] != true {
        let mut whole_body = body(&answer.text, json!(finish));
        whole_body["usage"] = usage(&answer);
        return whole(path, 200, &whole_body);
    }
    let mut events: Vec<Bytes> =
        answer.pieces().into_iter().map(|piece| event(None, &body(piece, Value::Null))).collect();
    events.push(event(None, &body("", json!(finish))));
    if request["stream_options"]["include_usage"] == true {
        let mut last = body("", Value::Null);
        last["choices"] = json!([]);
        last["usage"] = usage(&answer);
        events.push(event(None, &last));
    }
    events.push(DONE);
    stream(path, events)
}

pub(crate) fn embeddings(path: &str, request: &Value) -> Reply {
    let inputs: Vec<String> = match &request["input"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.iter().all(Value::is_number) => {
            vec![request["input"].to_string()]
        }
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect(),
        _ => return error_reply(path, 400, "'input' is missing."),
    };
    let dimensions =
        request["dimensions"].as_u64().unwrap_or(DIMENSIONS_DEFAULT).min(DIMENSIONS_MAX);
    let in_base64 = request["encoding_format"] == "base64";
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| {
            json!({"object": "embedding", "index": index, "embedding": vector(text, dimensions, in_base64)})
        })
        .collect();
    let read: u64 = inputs.iter().map(|text| tokens(text)).sum();
    let model = request["model"].as_str().unwrap_or("text-embedding-3-small");
    let usage = json!({"prompt_tokens": read, "total_tokens": read});
    whole(path, 200, &json!({"object": "list", "data": data, "model": model, "usage": usage}))
}

fn vector(text: &str, dimensions: u64, in_base64: bool) -> Value {
    let mut random = Random::of(text);
    let numbers: Vec<f32> =
        (0..dimensions).map(|_| (random.below(2001) as f32 - 1000.0) / 32_000.0).collect();
    if in_base64 {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(STANDARD.encode(bytes))
    } else {
        json!(numbers)
    }
}

fn finish_reason(answer: &Answer) -> &'static str {
    match (&answer.tool, answer.cut) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}

fn usage(answer: &Answer) -> Value {
    json!({
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    })
}
