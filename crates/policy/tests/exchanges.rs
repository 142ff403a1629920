//! Real exchanges with providers: nothing personal is in them, and nothing is redacted.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use flate2::read::GzDecoder;
use policy::{Detectors, Document, Tokens};
use std::io::{BufRead, BufReader};
use std::path::Path;

/// What the exchanges say about injections is a signal, and these two speak of them.
const SIGNALS: &[(&str, &str)] = &[
    ("test_google_model_armor_prompt_template_text_gets_blocked", "prompt_injection"),
    ("test_google_model_armor_prompt_template_text_gets_blocked", "jailbreak"),
];

fn bodies(line: &str) -> (String, [Vec<u8>; 2], bool) {
    let exchange: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| exchange[name].as_str().unwrap_or_default().to_owned();
    let request = serde_json::to_vec(&exchange["request_body"]).unwrap();
    let events = text("response_content_type").contains("event-stream");
    (text("name"), [request, text("response_body").into_bytes()], events)
}

#[test]
fn nothing_in_real_exchanges_is_redacted() {
    let detectors = Detectors::default();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/fixtures");
    let mut seen = 0;
    for file in std::fs::read_dir(fixtures).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "gz") {
            continue;
        }
        let lines = BufReader::new(GzDecoder::new(std::fs::File::open(path).unwrap())).lines();
        for line in lines {
            let (name, bodies, events) = bodies(&line.unwrap());
            seen += 1;
            for (number, body) in bodies.iter().enumerate() {
                let document = match Document::json(body) {
                    _ if events && number == 1 => Document::events(body),
                    Ok(document) => document,
                    Err(_) => Document::text(body),
                };
                let after = document.redact(&detectors, &mut Tokens::new());
                let after = after.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                assert_eq!(after, None, "{name}");
                for found in document.scan(&detectors).findings {
                    let known = |(of, kind): &(&str, &str)| {
                        name.contains(of) && found.kind.as_str() == *kind
                    };
                    assert!(SIGNALS.iter().any(known), "{name}: {}", found.kind);
                }
            }
        }
    }
    assert!(seen > 500, "{seen} exchanges");
}
