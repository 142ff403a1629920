//! Routes, request bodies as clients and attackers send them, and usage injection.

#![allow(clippy::unwrap_used, reason = "a test may")]

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{BodyError, ErrorStyle, Format, RequestFacts, Route, inject_usage, read_request, route};

fn chat() -> Route {
    route("POST", "/v1/chat/completions")
}

fn read(body: &[u8]) -> Result<RequestFacts, BodyError> {
    read_request(&chat(), Some("application/json"), body, 100)
}

fn preview(path: &str, body: &Value, chars: usize) -> Option<String> {
    let body = body.to_string();
    read_request(&route("POST", path), None, body.as_bytes(), chars).unwrap().prompt_preview
}

#[test]
fn routes() {
    use ErrorStyle::{Anthropic, Gemini as GeminiStyle, OpenAi};
    let cases = [
        ("POST", "/v1/chat/completions", Format::OpenAiChat, OpenAi, None),
        ("POST", "/v1/chat/completions/", Format::OpenAiChat, OpenAi, None),
        ("GET", "/v1/chat/completions", Format::Generic, OpenAi, None),
        ("POST", "/v1/completions", Format::OpenAiCompletions, OpenAi, None),
        ("POST", "/v1/embeddings", Format::OpenAiEmbeddings, OpenAi, None),
        ("POST", "/v1/responses", Format::OpenAiResponses, OpenAi, None),
        ("POST", "/v1/responses/input_tokens", Format::Generic, OpenAi, None),
        ("GET", "/v1/responses/resp_1", Format::Generic, OpenAi, None),
        ("POST", "/v1/messages", Format::AnthropicMessages, Anthropic, None),
        ("POST", "/v1/messages/count_tokens", Format::AnthropicCountTokens, Anthropic, None),
        ("POST", "/v1/messages/batches", Format::Generic, Anthropic, None),
        ("POST", "/v1/threads/t/messages", Format::Generic, OpenAi, None),
        ("GET", "/v1/models", Format::Generic, OpenAi, None),
        ("POST", "/v1/audio/transcriptions", Format::Generic, OpenAi, None),
        (
            "POST",
            "/openai/deployments/my-gpt/chat/completions",
            Format::OpenAiChat,
            OpenAi,
            Some("my-gpt"),
        ),
        (
            "POST",
            "/openai/deployments/e%2Fm/embeddings",
            Format::OpenAiEmbeddings,
            OpenAi,
            Some("e/m"),
        ),
        ("POST", "/openai/v1/responses", Format::OpenAiResponses, OpenAi, None),
        ("POST", "/openai/v1/chat/completions", Format::OpenAiChat, OpenAi, None),
        (
            "POST",
            "/v1beta/models/gemini-2.5-pro:generateContent",
            Format::Gemini,
            GeminiStyle,
            Some("gemini-2.5-pro"),
        ),
        ("POST", "/v1beta/models/g:countTokens", Format::Generic, GeminiStyle, Some("g")),
        ("GET", "/v1beta/models", Format::Generic, GeminiStyle, None),
        ("POST", "/v1beta/openai/chat/completions", Format::OpenAiChat, OpenAi, None),
        (
            "POST",
            "/model/us.amazon.nova-lite-v1%3A0/converse",
            Format::BedrockConverse,
            OpenAi,
            Some("us.amazon.nova-lite-v1:0"),
        ),
        ("POST", "/model/m/invoke", Format::Generic, OpenAi, Some("m")),
        ("POST", "/anything", Format::Generic, OpenAi, None),
        ("POST", "", Format::Generic, OpenAi, None),
    ];
    for (method, path, format, style, model) in cases {
        let found = route(method, path);
        assert_eq!(found.format, format, "{method} {path}");
        assert_eq!(found.error_style, style, "{method} {path}");
        assert_eq!(found.path_model.as_deref(), model, "{method} {path}");
        assert_eq!(found.takes_json_body, format != Format::Generic, "{method} {path}");
        assert_eq!(found.passthrough, None);
    }
    assert!(route("POST", "/v1beta/models/g:streamGenerateContent").path_stream);
    let passed = route("POST", "/passthrough/my-provider/v1/messages");
    assert_eq!(passed.passthrough.as_deref(), Some("my-provider"));
    assert_eq!(passed.format, Format::AnthropicMessages);
    assert!(!passed.takes_json_body, "any REST provider may answer there");
    assert_eq!(route("POST", "/passthrough/p").passthrough.as_deref(), Some("p"));
}

#[test]
fn only_what_no_provider_takes_is_refused() {
    assert_eq!(read(b""), Err(BodyError::Empty));
    assert_eq!(read(b" \r\n\t"), Err(BodyError::Empty));
    for body in ["[1]", "\"{}\"", "12", "null", "model=x", "<html>"] {
        assert_eq!(read(body.as_bytes()), Err(BodyError::NotAnObject), "{body}");
    }
    for (body, at) in [
        ("{", 1),
        (r#"{"a":1,}"#, 7),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":1} x"#, 8),
        (r#"{"a":01}"#, 5),
        (r#"{"a":1.}"#, 5),
        (r#"{"a":tru}"#, 5),
        (r#"{"a":[1 2]}"#, 8),
        (r#"{"a":[1}"#, 7),
        (r#"{"a":"\x"}"#, 6),
        (r#"{"a":"\u12g4"}"#, 6),
        ("{\"a\":\"line\nend\"}", 10),
        ("{\"a\":\"nul\0\"}", 9),
        (r#"{"a":"open"#, 10),
        (r#"{"a":{"b":{"c":]}}}"#, 15),
    ] {
        assert_eq!(read(body.as_bytes()), Err(BodyError::Invalid { at }), "{body}");
    }
}

#[test]
fn what_providers_take_is_taken() {
    let deep = format!(r#"{{"x":{}{},"model":"m"}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(read(deep.as_bytes()).unwrap().model.as_deref(), Some("m"));
    let deep =
        format!(r#"{{"x":{}1{},"model":"m"}}"#, r#"{"a":"#.repeat(200_000), "}".repeat(200_000));
    assert_eq!(read(deep.as_bytes()).unwrap().model.as_deref(), Some("m"));
    let numbers =
        br#"{"a":1e400,"b":-0.0E-999999,"c":123456789012345678901234567890,"d":NaN,"model":"m"}"#;
    assert_eq!(read(numbers).unwrap().model.as_deref(), Some("m"));
    let lone =
        br#"{"model":"m\ud800x\udc00","messages":[{"role":"user","content":"a\ud83d\ude00b"}]}"#;
    let facts = read(lone).unwrap();
    assert_eq!(facts.model.as_deref(), Some("m\u{FFFD}x\u{FFFD}"));
    assert_eq!(facts.prompt_preview.as_deref(), Some("a😀b"));
    let bytes = b"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\xff\xfeb\"}]}";
    assert_eq!(read(bytes).unwrap().prompt_preview.as_deref(), Some("a\u{FFFD}\u{FFFD}b"));
    assert_eq!(read(b"\xEF\xBB\xBF {\"model\":\"m\"}").unwrap().model.as_deref(), Some("m"));
}

#[test]
fn the_last_of_equal_keys_counts_and_escapes_in_keys_are_read() {
    let facts = read(br#"{"model":"a","stream":true,"model":"b","stream":false}"#).unwrap();
    assert_eq!((facts.model.as_deref(), facts.stream), (Some("b"), false));
    assert_eq!(read(br#"{"\u006dodel":"m"}"#).unwrap().model.as_deref(), Some("m"));
}

#[test]
fn fields_of_other_types_are_no_facts() {
    let odd =
        br#"{"model":5,"messages":"hello","stream":"yes","tools":{"a":1},"stream_options":[]}"#;
    let facts = read(odd).unwrap();
    assert_eq!(facts.model, None);
    assert!(!facts.stream);
    let none = br#"{"messages":null,"tools":null,"stream_options":null}"#;
    assert_eq!(read(none).unwrap(), RequestFacts::default());
}

#[test]
fn bodies_of_other_kinds_are_no_errors() {
    let generic = route("POST", "/v1/audio/transcriptions");
    assert!(read_request(&generic, Some("multipart/form-data; boundary=x"), b"--x", 9).is_ok());
    assert!(read_request(&chat(), Some("multipart/form-data; boundary=x"), b"--x", 9).is_ok());
    let passed = route("POST", "/passthrough/p/v1/chat/completions");
    assert_eq!(read_request(&passed, None, b"no json", 9), Ok(RequestFacts::default()));
    let facts = read_request(&passed, None, br#"{"model":"m"}"#, 9).unwrap();
    assert_eq!(facts.model.as_deref(), Some("m"));
}

#[test]
fn the_path_names_the_model_over_the_body() {
    let azure = route("POST", "/openai/deployments/mine/chat/completions");
    let facts = read_request(&azure, None, br#"{"model":"other"}"#, 9).unwrap();
    assert_eq!(facts.model.as_deref(), Some("mine"));
}

#[test]
fn previews_show_roles_and_the_newest_words() {
    let path = "/v1/chat/completions";
    let short = json!({"messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:…"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "look"}}]},
        {"role": "tool", "content": "a cat"}]});
    let whole = "system: Be short.\nuser: What is this?\n[image]\nassistant: [tool call: look]\ntool: a cat";
    assert_eq!(preview(path, &short, 200).as_deref(), Some(whole));

    let many: Vec<Value> = (0..100)
        .map(|n| json!({"role": if n % 2 == 0 { "user" } else { "assistant" }, "content": format!("{n}")}))
        .collect();
    let long = preview(path, &json!({"messages": many}), 60).unwrap();
    assert!(long.ends_with("assistant: 97\nuser: 98\nassistant: 99"), "{long}");
    assert!(long.starts_with('…'), "{long}");

    let question = json!({"messages": [
        {"role": "system", "content": "x".repeat(5_000)},
        {"role": "user", "content": "y".repeat(50)},
        {"role": "assistant", "content": "z".repeat(5_000)}]});
    let asked = preview(path, &question, 100).unwrap();
    assert!(asked.contains(&format!("user: {}", "y".repeat(50))), "{asked}");
    assert_eq!(
        preview(path, &json!({"messages": [{"role": "user", "content": "日本語です"}]}), 3)
            .as_deref(),
        Some("日本語")
    );
}

#[test]
fn previews_of_other_formats() {
    assert_eq!(
        preview("/v1/completions", &json!({"prompt": ["a", "b"]}), 99).as_deref(),
        Some("user: a\nuser: b")
    );
    assert_eq!(preview("/v1/embeddings", &json!({"input": "text"}), 99).as_deref(), Some("text"));
    assert_eq!(preview("/v1/embeddings", &json!({"input": [[1, 2], [3]]}), 99), None);
    let gemini = json!({"systemInstruction": {"parts": [{"text": "S"}]}, "contents": [{"parts": [{"text": "Q"}], "role": "user"}]});
    assert_eq!(
        preview("/v1beta/models/g:generateContent", &gemini, 99).as_deref(),
        Some("system: S\nuser: Q")
    );
    let claude = json!({"system": [{"type": "text", "text": "S"}], "messages": [{"role": "user", "content": "Q"},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "t", "input": {"text": "hidden"}}]},
        {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "R"}]}]}]});
    assert_eq!(
        preview("/v1/messages", &claude, 99).as_deref(),
        Some("system: S\nuser: Q\nassistant: [tool call: t]\ntool: [tool result] R")
    );
}

#[test]
fn tools_of_every_format_have_names() {
    let names = |path: &str, body: Value| {
        let body = body.to_string();
        read_request(&route("POST", path), None, body.as_bytes(), 0).unwrap().tools
    };
    let openai = json!({"tools": [{"type": "function", "function": {"name": "a", "parameters": {"name": "no"}}}, {"type": "web_search"}]});
    assert_eq!(names("/v1/chat/completions", openai), ["a", "web_search"]);
    assert_eq!(names("/v1/messages", json!({"tools": [{"name": "a", "type": "custom"}]})), ["a"]);
    let gemini = json!({"tools": [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}, {"googleSearch": {}}]});
    assert_eq!(names("/v1beta/models/g:generateContent", gemini), ["a", "b", "googleSearch"]);
    let bedrock = json!({"toolConfig": {"tools": [{"toolSpec": {"name": "a"}}, {"cachePoint": {"type": "default"}}]}});
    assert_eq!(names("/model/m/converse", bedrock), ["a"]);
}

#[test]
fn usage_is_asked_for_by_the_smallest_edit() {
    let edit = |body: &str| {
        inject_usage(Format::OpenAiChat, body.as_bytes())
            .map(|body| String::from_utf8(body).unwrap())
    };
    let added = |before: &str, after: &str| assert_eq!(edit(before).as_deref(), Some(after));
    added(r#"{"stream": true } "#, r#"{"stream": true ,"stream_options":{"include_usage":true}} "#);
    added(
        r#"{"stream":true,"stream_options":null}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
    );
    added(
        r#"{"stream":true,"stream_options":{}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
    );
    added(
        r#"{"stream":true,"stream_options": { "include_usage" : false }}"#,
        r#"{"stream":true,"stream_options": { "include_usage" : true }}"#,
    );
    added(
        r#"{"stream_options":{"chunk":1},"stream":true}"#,
        r#"{"stream_options":{"include_usage":true,"chunk":1},"stream":true}"#,
    );
    for body in [
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream":false}"#,
        r#"{"stream":true,"stream_options":5}"#,
        r#"{"stream":true"#,
        "[]",
        "",
    ] {
        assert_eq!(edit(body), None, "{body}");
    }
    assert_eq!(inject_usage(Format::OpenAiResponses, br#"{"stream":true}"#), None);
    assert!(inject_usage(Format::OpenAiCompletions, br#"{"stream":true}"#).is_some());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop_oneof![
            "(model|stream|messages|role|content|tools|type|text|name|input|parts|stream_options)",
            ".{0,4}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_object_is_taken_and_read_as_written(body in any_json(), pretty: bool) {
        let text = if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) }.unwrap();
        let facts = read(&text);
        if body.is_object() {
            let facts = facts.unwrap();
            prop_assert_eq!(facts.model.as_deref(), body["model"].as_str());
            prop_assert_eq!(facts.stream, body["stream"] == true);
        } else {
            prop_assert_eq!(facts, Err(BodyError::NotAnObject));
        }
    }

    #[test]
    fn what_is_refused_as_invalid_is_no_json(text in r#"[\[\]{}:,"0-9eE.\\untrfals -]{0,24}"#) {
        let body = format!("{{\"a\":{text}}}");
        let strict = serde_json::from_str::<Value>(&body);
        let ours = read(body.as_bytes());
        // Numbers that are too large for serde_json are still JSON.
        if !strict.as_ref().is_err_and(|error| error.to_string().contains("number out of range")) {
            prop_assert_eq!(strict.is_ok(), ours.is_ok(), "{}", body);
        }
    }

    #[test]
    fn any_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/g:generateContent", "/model/m/converse"] {
            let _facts = read_request(&route("POST", path), None, &bytes, 50);
        }
        let _edited = inject_usage(Format::OpenAiChat, &bytes);
    }

    #[test]
    fn injection_adds_one_field_and_changes_nothing_else(body in any_json()) {
        let Value::Object(mut body) = body else { return Ok(()) };
        body.insert("stream".to_owned(), Value::Bool(true));
        let text = serde_json::to_vec(&body).unwrap();
        if let Some(edited) = inject_usage(Format::OpenAiChat, &text) {
            let mut edited: Value = serde_json::from_slice(&edited).unwrap();
            prop_assert_eq!(&edited["stream_options"]["include_usage"], true);
            edited["stream_options"] = Value::Null;
            body.insert("stream_options".to_owned(), Value::Null);
            prop_assert_eq!(edited, Value::Object(body));
        }
    }
}
