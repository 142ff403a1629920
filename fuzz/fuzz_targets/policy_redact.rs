//! Redaction of any text. The first byte is left to select what is looked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::Redactor;

fuzz_target!(|data: &[u8]| {
    let [_, text @ ..] = data else { return };
    let text = String::from_utf8_lossy(text);
    let redacted = Redactor::new().redact(&text);
    // The shortest finding is an address of three characters.
    assert!(redacted.len() <= text.len() * 8 + 16);
});
