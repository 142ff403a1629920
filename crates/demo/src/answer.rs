//! What the provider says to a request, before any format.

use crate::random::Random;
use crate::texts;
use serde_json::{Map, Value, json};

/// Tokens of an answer where the request names no limit.
const TOKENS_DEFAULT: u64 = 4096;
/// Characters that count as one token here.
const CHARS_PER_TOKEN: u64 = 4;

/// A call of a tool.
pub(crate) struct ToolCall {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// An answer with what it cost.
pub(crate) struct Answer {
    pub(crate) model: String,
    pub(crate) text: String,
    pub(crate) tool: Option<ToolCall>,
    pub(crate) cut: bool,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) random: Random,
}

/// Tokens of a text, at four characters each.
pub(crate) fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS_PER_TOKEN)
}

impl Answer {
    /// The answer to a request of any chat-like format. It depends on the request alone.
    pub(crate) fn to(request: &Value) -> Self {
        let model = request["model"].as_str().unwrap_or("demo-model").to_owned();
        let mut question = String::new();
        let mut input_tokens = 3;
        for part in ["system", "instructions", "messages", "input", "prompt"] {
            walk_texts(&request[part], &mut |text| {
                input_tokens += tokens(text);
                text.clone_into(&mut question);
            });
        }
        let random = Random::of((&model, &question));
        let tool = tool_call(request);
        let limit = ["max_completion_tokens", "max_output_tokens", "max_tokens"]
            .iter()
            .find_map(|name| request[*name].as_u64())
            .unwrap_or(TOKENS_DEFAULT);
        let mut text = texts::answer_to(&question).to_owned();
        if let Some(format) = request["response_format"]["type"].as_str().filter(|f| *f != "text") {
            text = json!({"answer": text, "format": format}).to_string();
        }
        let cut = tool.is_none() && tokens(&text) > limit;
        if cut {
            text = text.chars().take((limit * CHARS_PER_TOKEN) as usize).collect();
        }
        let output_tokens = match &tool {
            Some(call) => tokens(&call.name) + tokens(&call.arguments),
            None => tokens(&text),
        };
        Self { model, text, tool, cut, input_tokens, output_tokens, random }
    }

    /// The text in the pieces in which a model would produce it; joined, they are the text.
    pub(crate) fn pieces(&self) -> Vec<&str> {
        pieces(self.tool.as_ref().map_or(self.text.as_str(), |call| call.arguments.as_str()))
    }
}

/// A text cut before every other space.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (number, (at, _)) in text.match_indices(' ').enumerate() {
        if number % 2 == 1 {
            pieces.push(&text[start..at]);
            start = at;
        }
    }
    if start < text.len() || pieces.is_empty() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// Calls `seen` with every text a person or an application wrote, in order.
fn walk_texts(value: &Value, seen: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => seen(text),
        Value::Array(items) => items.iter().for_each(|item| walk_texts(item, seen)),
        Value::Object(object) => {
            for part in ["content", "text", "output"] {
                if let Some(inner) = object.get(part) {
                    walk_texts(inner, seen);
                }
            }
        }
        _ => {}
    }
}

/// A tool is called once: where tools are offered and none has answered yet.
fn tool_call(request: &Value) -> Option<ToolCall> {
    let tools = request["tools"].as_array()?;
    let choice = &request["tool_choice"];
    if choice == "none" || choice["type"] == "none" || has_tool_result(request) {
        return None;
    }
    let tool = tools.iter().find(|tool| tool_name(tool).is_some())?;
    let schema = [&tool["function"]["parameters"], &tool["parameters"], &tool["input_schema"]]
        .into_iter()
        .find(|schema| schema.is_object())
        .cloned()
        .unwrap_or_default();
    Some(ToolCall { name: tool_name(tool)?.to_owned(), arguments: example(&schema).to_string() })
}

fn tool_name(tool: &Value) -> Option<&str> {
    tool["function"]["name"].as_str().or_else(|| tool["name"].as_str())
}

fn has_tool_result(request: &Value) -> bool {
    let items = request["messages"].as_array().or_else(|| request["input"].as_array());
    let Some(last) = items.and_then(|items| items.last()) else { return false };
    let of_anthropic = |part: &Value| part["type"] == "tool_result";
    last["role"] == "tool"
        || last["type"] == "function_call_output"
        || last["content"].as_array().is_some_and(|parts| parts.iter().any(of_anthropic))
}

/// A value that fits a JSON schema's required and optional properties.
fn example(schema: &Value) -> Value {
    let mut object = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let value = match property["type"].as_str() {
            _ if property["enum"].is_array() => property["enum"][0].clone(),
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(true),
            Some("array") => json!([]),
            Some("object") => example(property),
            _ => json!(format!("sample {name}")),
        };
        object.insert(name.clone(), value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        for text in ["", "one", "a b", "a b c d e", " leading", "trailing  "] {
            assert_eq!(pieces(text).concat(), text);
        }
    }

    #[test]
    fn a_tool_is_called_once() {
        let mut request = json!({"messages": [{"role": "user", "content": "weather?"}], "tools": [
            {"type": "function", "function": {"name": "weather", "parameters":
                {"type": "object", "properties": {"city": {"type": "string"}}}}}]});
        let call = Answer::to(&request).tool.expect("a tool is offered");
        assert_eq!(
            (call.name.as_str(), call.arguments.as_str()),
            ("weather", r#"{"city":"sample city"}"#)
        );
        request["messages"][0]["role"] = json!("tool");
        assert!(Answer::to(&request).tool.is_none());
    }

    #[test]
    fn a_limit_cuts_the_answer() {
        let answer = Answer::to(&json!({"prompt": "hello", "max_tokens": 5}));
        assert!(answer.cut);
        assert_eq!(answer.output_tokens, 5);
    }
}
