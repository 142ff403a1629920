//! What an answer says, read as it passes.

mod answer;
mod anthropic;
mod bedrock;
mod chat;
mod gemini;
mod responses;

use std::io::Write;

use flate2::write::{GzDecoder, ZlibDecoder};

use crate::Format;
use crate::json::{Kind, Result, Scan};
use crate::sse::{Boundary, Event};
use answer::Answer;
pub use answer::ResponseFacts;

/// Largest body, or event of a stream, that is read; beyond it, facts stay unknown.
const BUFFER_BYTES_MAX: usize = 8 << 20;

/// Reads one answer, in pieces of any size.
pub struct ResponseReader {
    decoder: Decoder,
}

enum Decoder {
    Plain(Body),
    Gzip(GzDecoder<Body>),
    Zlib(ZlibDecoder<Body>),
    /// An encoding that is not read, or one that broke.
    Opaque,
}

/// The decoded body.
struct Body {
    mode: Mode,
    answer: Answer,
    buffer: Vec<u8>,
    boundary: Boundary,
    /// What is in hand is larger than the buffer may be.
    overflow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Not known before the first bytes.
    Sniff,
    Whole,
    Events,
    Opaque,
}

// === impl ResponseReader ===

impl ResponseReader {
    /// For an answer with this head. `preview_chars` bounds the preview.
    pub fn new(
        format: Format,
        content_type: Option<&str>,
        content_encoding: Option<&str>,
        status: u16,
        preview_chars: usize,
    ) -> Self {
        let body = Body {
            mode: mode(format, content_type),
            answer: Answer::new(format, status, preview_chars),
            buffer: Vec::new(),
            boundary: Boundary::new(),
            overflow: false,
        };
        let encoding = content_encoding.unwrap_or_default().trim();
        let decoder = if body.mode == Mode::Opaque {
            Decoder::Opaque
        } else if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
            Decoder::Plain(body)
        } else if encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip") {
            Decoder::Gzip(GzDecoder::new(body))
        } else if encoding.eq_ignore_ascii_case("deflate") {
            Decoder::Zlib(ZlibDecoder::new(body))
        } else {
            Decoder::Opaque
        };
        Self { decoder }
    }

    /// The next bytes of the body.
    pub fn feed(&mut self, bytes: &[u8]) {
        // Decoders hand on at most their own buffer at a time, so that a small body which
        // unpacks to a huge one is bounded as any other.
        let intact = match &mut self.decoder {
            Decoder::Plain(body) => {
                body.feed(bytes);
                true
            }
            Decoder::Gzip(decoder) => decoder.write_all(bytes).is_ok(),
            Decoder::Zlib(decoder) => decoder.write_all(bytes).is_ok(),
            Decoder::Opaque => true,
        };
        if !intact {
            self.decoder = Decoder::Opaque;
        }
    }

    /// The facts, after the last bytes.
    pub fn finish(self) -> ResponseFacts {
        let body = match self.decoder {
            Decoder::Plain(body) => Some(body),
            Decoder::Gzip(decoder) => decoder.finish().ok(),
            Decoder::Zlib(decoder) => decoder.finish().ok(),
            Decoder::Opaque => None,
        };
        match body {
            Some(body) => body.finish(),
            None => ResponseFacts { terminal: true, ..ResponseFacts::default() },
        }
    }
}

fn mode(format: Format, content_type: Option<&str>) -> Mode {
    if format == Format::Generic {
        return Mode::Opaque;
    }
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("text/event-stream") {
        Mode::Events
    } else if media.eq_ignore_ascii_case("application/vnd.amazon.eventstream") {
        Mode::Opaque
    } else if media.to_ascii_lowercase().ends_with("json") {
        Mode::Whole
    } else {
        Mode::Sniff
    }
}

// === impl Body ===

impl Body {
    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.mode == Mode::Sniff {
            // What stands before the first sign is dropped, however the body is cut.
            let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else {
                return;
            };
            rest = &bytes[at..];
            self.mode =
                if matches!(bytes[at], b'{' | b'[' | b'"') { Mode::Whole } else { Mode::Events };
        }
        if self.mode == Mode::Events {
            while let Some(end) = self.boundary.find(rest) {
                let (event, after) = rest.split_at(end);
                rest = after;
                self.event(event);
            }
        }
        self.hold(rest);
    }

    /// One event, or the last part of it.
    fn event(&mut self, bytes: &[u8]) {
        if self.buffer.is_empty() && !self.overflow {
            read_event(&mut self.answer, &Event::parse(bytes));
            return;
        }
        self.hold(bytes);
        let held = std::mem::take(&mut self.buffer);
        if !std::mem::take(&mut self.overflow) {
            read_event(&mut self.answer, &Event::parse(&held));
            self.buffer = held;
            self.buffer.clear();
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.overflow {
            return;
        }
        if self.buffer.len() + bytes.len() > BUFFER_BYTES_MAX {
            self.overflow = true;
            self.buffer = Vec::new();
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn finish(mut self) -> ResponseFacts {
        let streamed = self.mode == Mode::Events;
        if !self.overflow && !self.buffer.is_empty() {
            let held = std::mem::take(&mut self.buffer);
            if streamed {
                // Clients of the providers take a last event without its blank line.
                read_event(&mut self.answer, &Event::parse(&held));
            } else {
                read_whole(&mut self.answer, &held);
            }
        }
        self.answer.finish(streamed)
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.feed(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One event of a stream. What cannot be read has no facts.
fn read_event(answer: &mut Answer, event: &Event<'_>) {
    if event.data.is_empty() {
        return;
    }
    if *event.data == *b"[DONE]" {
        answer.terminal = true;
        return;
    }
    let scan = &mut Scan::new(&event.data);
    let _unreadable = match answer.format {
        Format::AnthropicMessages => anthropic::event(answer, scan),
        Format::OpenAiResponses => responses::event(answer, &event.data),
        _ => read_object(answer, scan),
    };
}

/// A whole body: an object, or an array of those (Gemini's streams without `alt=sse`).
fn read_whole(answer: &mut Answer, body: &[u8]) {
    let scan = &mut Scan::new(body);
    let _unreadable = match scan.kind() {
        Kind::Array => scan.array(|scan| read_object(answer, scan)),
        _ => read_object(answer, scan),
    };
}

fn read_object(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    match answer.format {
        Format::OpenAiChat | Format::OpenAiCompletions | Format::OpenAiEmbeddings => {
            chat::object(answer, scan)
        }
        Format::OpenAiResponses => responses::whole(answer, scan),
        Format::AnthropicMessages => anthropic::whole(answer, scan),
        Format::AnthropicCountTokens => anthropic::count_tokens(answer, scan),
        Format::Gemini => gemini::object(answer, scan),
        Format::BedrockConverse => bedrock::object(answer, scan),
        Format::Generic => scan.skip(),
    }
}
