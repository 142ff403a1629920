//! Naming another model.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use proptest::prelude::*;
use wire::{read_request, rename_model, route, set_model, set_path_model};

fn changed(body: &str, model: &str) -> Option<String> {
    set_model(body.as_bytes(), model).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn only_the_model_s_string_changes() {
    let body =
        "{ \"temperature\": 1.0, \"model\" : \"a\",\n \"x\": {\"model\": \"a\"}, \"n\": 1e400 }";
    assert_eq!(changed(body, "b").unwrap(), body.replacen("\"a\"", "\"b\"", 1));
    assert_eq!(changed(body, "a"), None);
    assert_eq!(changed(r#"{"model":"\u0061"}"#, "a"), None, "an escaped name is the same name");
    assert_eq!(changed(r#"{"mode\u006c":"x"}"#, "y").unwrap(), r#"{"mode\u006c":"y"}"#);
    assert_eq!(changed(r#"{"model":"a"}"#, "q\"\\").unwrap(), r#"{"model":"q\"\\"}"#);
}

#[test]
fn every_mention_changes_since_providers_differ_in_which_counts() {
    let body = r#"{"model":"allowed","messages":[],"model":"other"}"#;
    assert_eq!(
        changed(body, "target").unwrap(),
        r#"{"model":"target","messages":[],"model":"target"}"#
    );
    assert_eq!(
        changed(r#"{"model":"target","model":null}"#, "target").unwrap(),
        r#"{"model":"target","model":"target"}"#
    );
}

#[test]
fn a_missing_model_is_put_in_front() {
    assert_eq!(changed("{}", "m").unwrap(), r#"{"model":"m"}"#);
    assert_eq!(changed(" { \"a\":1}", "m").unwrap(), " {\"model\":\"m\", \"a\":1}");
    assert_eq!(rename_model(b"{\"a\":1}", "m"), None, "renaming adds nothing");
    for none in ["", "[]", "{\"model\":", "{\"model\":\"a\"} x", "\"model\""] {
        assert_eq!(changed(none, "m"), None, "{none:?}");
    }
}

#[test]
fn paths_name_models_too() {
    let cases = [
        (
            "/v1beta/models/gemini-pro:generateContent",
            "tuned/x",
            "/v1beta/models/tuned%2Fx:generateContent",
        ),
        ("/model/a.b-v1%3A0/converse-stream", "c:1", "/model/c%3A1/converse-stream"),
        (
            "/openai/deployments/gpt-4o/chat/completions",
            "my-4o",
            "/openai/deployments/my-4o/chat/completions",
        ),
    ];
    for (path, model, expected) in cases {
        assert_eq!(set_path_model(path, model).as_deref(), Some(expected));
        assert_eq!(route("POST", expected).path_model.as_deref(), Some(model));
        assert_eq!(set_path_model(expected, model), None);
    }
    assert_eq!(set_path_model("/v1/chat/completions", "m"), None);
}

proptest! {
    #[test]
    fn what_is_set_is_what_is_read(
        before in "[ -~]{0,12}", model in "\\PC{1,20}", other in "[a-z\"\\\\]{0,8}"
    ) {
        let body = serde_json::json!({"a": before, "model": other, "z": [before]}).to_string();
        let set = changed(&body, &model).unwrap_or_else(|| body.clone());
        let facts = read_request(&route("POST", "/v1/chat/completions"), None, set.as_bytes(), 0);
        prop_assert_eq!(facts.unwrap().model, Some(model.clone()));
        let back = changed(&set, &other).unwrap_or_else(|| set.clone());
        prop_assert_eq!(back, body);
    }

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..64), path in "\\PC{0,40}") {
        let _ = set_model(&body, "m");
        let _ = set_path_model(&path, "m");
    }
}
