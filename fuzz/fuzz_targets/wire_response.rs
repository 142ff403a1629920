//! Whole answers of each format. The first byte selects the format, the second the encoding,
//! the status and how the body is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Format, ResponseReader};

const FORMATS: [Format; 8] = [
    Format::OpenAiChat,
    Format::OpenAiCompletions,
    Format::OpenAiEmbeddings,
    Format::OpenAiResponses,
    Format::AnthropicMessages,
    Format::AnthropicCountTokens,
    Format::Gemini,
    Format::BedrockConverse,
];

fuzz_target!(|data: &[u8]| {
    let [select, how, body @ ..] = data else { return };
    let format = FORMATS[usize::from(*select) % FORMATS.len()];
    let encoding = [None, Some("gzip"), Some("deflate"), Some("br")][usize::from(*how % 4)];
    let content_type =
        [Some("application/json"), None, Some("text/event-stream")][usize::from(*how / 4 % 3)];
    let status = if how & 64 == 0 { 200 } else { 400 };
    let read = |size: usize| {
        let mut reader = ResponseReader::new(format, content_type, encoding, status, 64);
        for piece in body.chunks(size) {
            reader.feed(piece);
        }
        reader.finish()
    };
    let facts = read(body.len().max(1));
    assert!(facts.preview.as_deref().unwrap_or_default().chars().count() <= 64);
    // A broken encoding may show its first bytes or not, depending on how it was cut.
    if encoding.is_none() {
        assert_eq!(read(usize::from(*how).max(1)), facts);
    }
});
