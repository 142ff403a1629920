//! From a request's method, path and body to the whole answer: pure, no clock but the time of day.

use crate::reply::{Reply, error_reply, whole};
use crate::{anthropic, chat, responses};
use serde_json::{Value, json};

/// The answer to a request.
pub fn reply(method: &str, path: &str, body: &[u8]) -> Reply {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    if method == "GET" {
        return models(path);
    }
    let end = path.rsplit("/v1/").next().unwrap_or_default();
    let end = end.strip_prefix("openai/deployments/").map_or(end, after_deployment);
    let end = path.strip_prefix("/openai/deployments/").map_or(end, after_deployment);
    if end.starts_with("audio/") || end.starts_with("files") || end.starts_with("images/") {
        return whole(
            path,
            200,
            &json!({"id": "file-demo", "text": crate::texts::ANSWER, "bytes": body.len()}),
        );
    }
    let Ok(request @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else {
        return error_reply(path, 400, "The body is not a JSON object.");
    };
    match end {
        "chat/completions" => chat::chat(path, &request),
        "completions" => chat::completions(path, &request),
        "embeddings" => chat::embeddings(path, &request),
        "responses" => responses::responses(path, &request),
        "messages" => anthropic::messages(path, &request),
        "messages/count_tokens" => anthropic::count_tokens(path, &request),
        _ => error_reply(path, 404, "This provider has no such route."),
    }
}

fn after_deployment(rest: &str) -> &str {
    rest.split_once('/').map_or(rest, |(_, end)| end)
}

fn models(path: &str) -> Reply {
    let model = |id: &str| json!({"id": id, "object": "model", "created": 1_760_000_000, "owned_by": "demo"});
    let names = ["gpt-4o-mini", "gpt-4o", "claude-opus-5", "text-embedding-3-small"];
    match path.rsplit_once("/v1/models").map(|(_, rest)| rest.trim_start_matches('/')) {
        Some("") => {
            let data: Vec<Value> = names.iter().map(|name| model(name)).collect();
            whole(path, 200, &json!({"object": "list", "data": data}))
        }
        Some(name) if names.contains(&name) => whole(path, 200, &model(name)),
        _ => error_reply(path, 404, "This provider has no such route or model."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: &Reply) -> String {
        String::from_utf8(reply.pieces.concat()).expect("replies are UTF-8")
    }

    #[test]
    fn each_route_answers_plain_and_streamed() {
        for (path, end) in [
            ("/v1/chat/completions", "data: [DONE]\n\n"),
            ("/v1/completions", "data: [DONE]\n\n"),
            ("/v1/responses", "\n\n"),
            ("/v1/messages", "data: {\"type\":\"message_stop\"}\n\n"),
            ("/openai/deployments/gpt-4o/chat/completions", "data: [DONE]\n\n"),
        ] {
            let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
            let plain = reply("POST", path, body.to_string().as_bytes());
            assert_eq!((plain.status, plain.pieces.len()), (200, 1), "{path}");
            assert!(serde_json::from_str::<Value>(&text(&plain)).is_ok(), "{path}");
            let mut body = body;
            body["stream"] = json!(true);
            let streamed = reply("POST", path, body.to_string().as_bytes());
            assert!(streamed.streamed && streamed.pieces.len() > 5, "{path}");
            assert!(text(&streamed).ends_with(end), "{path}");
        }
    }

    #[test]
    fn usage_is_streamed_only_where_asked_for() {
        let mut body = json!({"model": "m", "stream": true, "messages": []});
        let usage = |body: &Value| {
            text(&reply("POST", "/v1/chat/completions", body.to_string().as_bytes()))
                .contains("\"total_tokens\"")
        };
        assert!(!usage(&body));
        body["stream_options"] = json!({"include_usage": true});
        assert!(usage(&body));
    }

    #[test]
    fn what_is_no_json_object_is_an_error_of_the_format() {
        let reply = reply("POST", "/v1/messages", b"[1]");
        assert_eq!(reply.status, 400);
        assert!(
            text(&reply).starts_with("{\"error\":{\"message\"")
                || text(&reply).contains("\"type\":\"error\"")
        );
        assert_eq!(super::reply("POST", "/v1/nothing", b"{}").status, 404);
        assert_eq!(super::reply("GET", "/v1/models", b"").status, 200);
        assert_eq!(super::reply("GET", "/v1/models/none", b"").status, 404);
    }
}
