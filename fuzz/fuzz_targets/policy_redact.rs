//! Redaction of any text, as a preview and as a body. The first byte is left to select what is
//! looked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Detectors, Document, Redactor, Tokens};
use std::sync::{Arc, LazyLock};

static DETECTORS: LazyLock<Arc<Detectors>> = LazyLock::new(Arc::default);

fuzz_target!(|data: &[u8]| {
    let [select, body @ ..] = data else { return };
    let text = String::from_utf8_lossy(body);
    let redacted = Redactor::new(DETECTORS.clone()).redact(&text);
    // The shortest findings have three characters, the longest placeholder less than fifty.
    assert!(redacted.len() <= text.len() * 16 + 64);
    let document = match select % 4 {
        0 => Document::text(body),
        1 => Document::events(body),
        2 => match Document::json(body) {
            Ok(document) => document,
            Err(_) => return,
        },
        _ => match Document::any_json(body) {
            Ok(document) => document,
            Err(_) => return,
        },
    };
    let found = document.scan(&DETECTORS);
    let redacted = document.redact(&DETECTORS, &mut Tokens::new());
    assert!(redacted.is_none() || !found.findings.is_empty());
});
