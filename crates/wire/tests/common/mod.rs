//! The recorded exchanges, and ways to read them with the crate.

#![allow(dead_code, reason = "each test file uses some of these")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::io::Read;

use serde_json::Value;
use wire::{Format, RequestFacts, ResponseFacts, ResponseReader, Route};

pub const PREVIEW_CHARS: usize = 160;

/// One recorded call.
pub struct Exchange {
    pub name: String,
    pub family: String,
    pub method: String,
    pub path: String,
    pub request: Vec<u8>,
    pub request_json: Value,
    pub status: u16,
    pub content_type: String,
    pub response: String,
}

pub fn exchanges() -> Vec<Exchange> {
    let files: [&[u8]; 6] = [
        include_bytes!("../fixtures/openai-chat.jsonl.gz"),
        include_bytes!("../fixtures/openai-responses.jsonl.gz"),
        include_bytes!("../fixtures/anthropic-messages.jsonl.gz"),
        include_bytes!("../fixtures/gemini.jsonl.gz"),
        include_bytes!("../fixtures/bedrock-converse.jsonl.gz"),
        include_bytes!("../fixtures/other.jsonl.gz"),
    ];
    let mut found = Vec::new();
    for file in files {
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            found.push(Exchange {
                name: field("name"),
                family: field("family"),
                method: field("method"),
                path: field("path"),
                request: serde_json::to_vec(&row["request_body"]).unwrap(),
                request_json: row["request_body"].clone(),
                status: u16::try_from(row["status"].as_u64().unwrap()).unwrap(),
                content_type: field("response_content_type"),
                response: field("response_body"),
            });
        }
    }
    found
}

impl Exchange {
    pub fn route(&self) -> Route {
        wire::route(&self.method, &self.path)
    }

    pub fn is_stream(&self) -> bool {
        self.content_type.starts_with("text/event-stream")
    }

    pub fn read_request(&self) -> RequestFacts {
        wire::read_request(&self.route(), Some("application/json"), &self.request, PREVIEW_CHARS)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub fn read_response(&self) -> ResponseFacts {
        self.read_pieces(&[self.response.as_bytes()])
    }

    pub fn read_pieces(&self, pieces: &[&[u8]]) -> ResponseFacts {
        read(self.route().format, &self.content_type, None, self.status, pieces)
    }
}

pub fn read(
    format: Format,
    content_type: &str,
    encoding: Option<&str>,
    status: u16,
    pieces: &[&[u8]],
) -> ResponseFacts {
    let mut reader =
        ResponseReader::new(format, Some(content_type), encoding, status, PREVIEW_CHARS);
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish()
}

/// A sequence that looks random and is always the same.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    /// `bytes` in pieces of 1 to `longest` bytes.
    pub fn cut<'a>(&mut self, bytes: &'a [u8], longest: usize) -> Vec<&'a [u8]> {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(1 + self.below(longest)));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}
