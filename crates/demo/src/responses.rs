//! OpenAI's responses.

use crate::answer::Answer;
use crate::reply::{Reply, event, now_seconds, stream, whole};
use bytes::Bytes;
use serde_json::{Value, json};

pub(crate) fn responses(path: &str, request: &Value) -> Reply {
    let mut answer = Answer::to(request);
    let id = format!("resp_{}", answer.random.hex(32));
    let item_id = answer.random.hex(32);
    let item = item(&answer, &item_id, "completed", false);
    let done = envelope(request, &answer, &id, true, &item);
    if request["stream"] != true {
        return whole(path, 200, &done);
    }
    stream(path, events(request, &answer, &id, &item_id, &done))
}

fn envelope(request: &Value, answer: &Answer, id: &str, done: bool, item: &Value) -> Value {
    let status = match (done, answer.cut) {
        (false, _) => "in_progress",
        (true, true) => "incomplete",
        (true, false) => "completed",
    };
    let usage = json!({
        "input_tokens": answer.input_tokens, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    });
    json!({
        "id": id, "object": "response", "created_at": now_seconds(), "status": status,
        "error": null,
        "incomplete_details": if done && answer.cut { json!({"reason": "max_output_tokens"}) } else { Value::Null },
        "instructions": request["instructions"], "max_output_tokens": request["max_output_tokens"],
        "model": answer.model, "output": if done { json!([item]) } else { json!([]) },
        "parallel_tool_calls": true, "previous_response_id": null, "reasoning": {"effort": null, "summary": null},
        "store": false, "temperature": 1.0, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": request.get("tools").cloned().unwrap_or_else(|| json!([])),
        "top_p": 1.0, "truncation": "disabled", "metadata": {},
        "usage": if done { usage } else { Value::Null },
    })
}

/// The one output item: a message or a call of a function.
fn item(answer: &Answer, item_id: &str, status: &str, empty: bool) -> Value {
    if let Some(call) = &answer.tool {
        let arguments = if empty { "" } else { call.arguments.as_str() };
        return json!({"id": format!("fc_{item_id}"), "type": "function_call", "status": status,
            "call_id": format!("call_{}", &item_id[..20]), "name": call.name, "arguments": arguments});
    }
    let content = if empty { json!([]) } else { json!([part(&answer.text)]) };
    json!({"id": format!("msg_{item_id}"), "type": "message", "status": status, "role": "assistant", "content": content})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// Writes numbered events.
#[derive(Default)]
struct Events(Vec<Bytes>);

impl Events {
    fn push(&mut self, kind: &str, mut data: Value) {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.0.len());
        self.0.push(event(Some(kind), &data));
    }
}

fn events(request: &Value, answer: &Answer, id: &str, item_id: &str, done: &Value) -> Vec<Bytes> {
    let mut events = Events::default();
    let open = envelope(request, answer, id, false, &Value::Null);
    events.push("response.created", json!({"response": open}));
    events.push("response.in_progress", json!({"response": open}));
    let added = item(answer, item_id, "in_progress", true);
    events.push("response.output_item.added", json!({"output_index": 0, "item": added}));
    if let Some(call) = &answer.tool {
        let of = json!({"item_id": format!("fc_{item_id}"), "output_index": 0});
        for piece in answer.pieces() {
            events.push("response.function_call_arguments.delta", with(&of, "delta", json!(piece)));
        }
        let mut last = with(&of, "arguments", json!(call.arguments));
        last["name"] = json!(call.name);
        events.push("response.function_call_arguments.done", last);
    } else {
        let of =
            json!({"item_id": format!("msg_{item_id}"), "output_index": 0, "content_index": 0});
        events.push("response.content_part.added", with(&of, "part", part("")));
        for piece in answer.pieces() {
            let mut delta = with(&of, "delta", json!(piece));
            delta["logprobs"] = json!([]);
            events.push("response.output_text.delta", delta);
        }
        let mut last = with(&of, "text", json!(answer.text));
        last["logprobs"] = json!([]);
        events.push("response.output_text.done", last);
        events.push("response.content_part.done", with(&of, "part", part(&answer.text)));
    }
    let finished = item(answer, item_id, "completed", false);
    events.push("response.output_item.done", json!({"output_index": 0, "item": finished}));
    let kind = if answer.cut { "response.incomplete" } else { "response.completed" };
    events.push(kind, json!({"response": done}));
    events.0
}

fn with(of: &Value, name: &str, value: Value) -> Value {
    let mut data = of.clone();
    data[name] = value;
    data
}
