//! Request bodies of each format. The first byte selects the route.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Format, inject_usage, read_request, route};

const PATHS: [&str; 9] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1beta/models/m:generateContent",
    "/model/m/converse",
    "/passthrough/p/v1/messages",
    "/anything",
];

fuzz_target!(|data: &[u8]| {
    let [select, body @ ..] = data else { return };
    let route = route("POST", PATHS[usize::from(*select) % PATHS.len()]);
    let read = read_request(&route, Some("application/json"), body, 64);
    if let Ok(facts) = &read {
        let preview = facts.prompt_preview.as_deref().unwrap_or_default();
        assert!(preview.chars().count() <= 64);
    }
    if let Some(edited) = inject_usage(Format::OpenAiChat, body) {
        assert!(edited.len() <= body.len() + 48);
        let edited = read_request(&wire::route("POST", PATHS[0]), None, &edited, 0);
        assert!(edited.is_ok_and(|facts| facts.stream && facts.wants_usage));
    }
    if let Ok(path) = std::str::from_utf8(body) {
        let _route = wire::route("POST", path);
    }
});
