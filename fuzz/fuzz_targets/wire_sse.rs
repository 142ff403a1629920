//! Streams in any pieces: the reader finds the same facts as in one piece, the gate loses no
//! byte. The first byte selects the format, the second how the stream is cut.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::{EventGate, Format, ResponseFacts, ResponseReader};

const FORMATS: [Format; 6] = [
    Format::OpenAiChat,
    Format::OpenAiCompletions,
    Format::OpenAiResponses,
    Format::AnthropicMessages,
    Format::Gemini,
    Format::Generic,
];

fn read<'a>(format: Format, pieces: impl Iterator<Item = &'a [u8]>) -> ResponseFacts {
    let mut reader = ResponseReader::new(format, Some("text/event-stream"), None, 200, 64);
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish()
}

fuzz_target!(|data: &[u8]| {
    let [select, cut, stream @ ..] = data else { return };
    let format = FORMATS[usize::from(*select) % FORMATS.len()];
    let size = usize::from(*cut).max(1);
    let whole = read(format, std::iter::once(stream));
    assert_eq!(read(format, stream.chunks(size)), whole);
    for hide in [false, true] {
        let (mut gate, mut out) = (EventGate::new(format, hide), Vec::new());
        for piece in stream.chunks(size) {
            gate.push(Bytes::copy_from_slice(piece), &mut out);
        }
        gate.finish(&mut out);
        let passed = out.concat();
        assert!(passed.len() <= stream.len());
        assert!(hide || passed == stream);
    }
});
