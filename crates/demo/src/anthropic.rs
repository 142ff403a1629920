//! Anthropic's messages.

use crate::answer::Answer;
use crate::reply::{Reply, error_reply, event, stream, whole};
use bytes::Bytes;
use serde_json::{Value, json};

pub(crate) fn messages(path: &str, request: &Value) -> Reply {
    if !request["messages"].is_array() {
        return error_reply(path, 400, "messages: Field required");
    }
    let mut answer = Answer::to(request);
    let id = format!("msg_{}", answer.random.hex(24));
    let tool_id = format!("toolu_{}", answer.random.hex(24));
    let finish = match (&answer.tool, answer.cut) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    };
    let block = match &answer.tool {
        Some(call) => {
            let input = serde_json::from_str::<Value>(&call.arguments).unwrap_or_default();
            json!({"type": "tool_use", "id": tool_id, "name": call.name, "input": input})
        }
        None => json!({"type": "text", "text": answer.text}),
    };
    let message = |content: Value, finish: Value, output_tokens: u64| {
        json!({
            "id": id, "type": "message", "role": "assistant", "model": answer.model,
            "content": content, "stop_reason": finish, "stop_sequence": null,
            "usage": {"input_tokens": answer.input_tokens, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": output_tokens, "service_tier": "standard"},
        })
    };
    if request["stream"] == true {
        let start = message(json!([]), Value::Null, 1);
        return stream(path, events(&answer, &start, block, finish));
    }
    whole(path, 200, &message(json!([block]), json!(finish), answer.output_tokens))
}

pub(crate) fn count_tokens(path: &str, request: &Value) -> Reply {
    whole(path, 200, &json!({"input_tokens": Answer::to(request).input_tokens}))
}

fn events(answer: &Answer, message: &Value, mut block: Value, finish: &str) -> Vec<Bytes> {
    let mut events = Vec::new();
    let mut push = |kind: &str, mut data: Value| {
        data["type"] = json!(kind);
        events.push(event(Some(kind), &data));
    };
    push("message_start", json!({"message": message}));
    if answer.tool.is_some() {
        block["input"] = json!({});
    } else {
        block["text"] = json!("");
    }
    push("content_block_start", json!({"index": 0, "content_block": block}));
    push("ping", json!({}));
    for piece in answer.pieces() {
        let delta = if answer.tool.is_some() {
            json!({"type": "input_json_delta", "partial_json": piece})
        } else {
            json!({"type": "text_delta", "text": piece})
        };
        push("content_block_delta", json!({"index": 0, "delta": delta}));
    }
    push("content_block_stop", json!({"index": 0}));
    let usage = json!({"input_tokens": answer.input_tokens, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0, "output_tokens": answer.output_tokens});
    push(
        "message_delta",
        json!({"delta": {"stop_reason": finish, "stop_sequence": null}, "usage": usage}),
    );
    push("message_stop", json!({}));
    events
}
