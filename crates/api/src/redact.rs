//! What is shown of bodies and headers to whom they are not revealed.

use crate::schemas::Message;
use policy::{Detectors, Document, Tokens};
use serde_json::{Map, Value};

/// Replaces findings by placeholders; the same thing has the same one in all of a decision.
pub(crate) struct Veil<'a> {
    detectors: &'a Detectors,
    tokens: Tokens,
}

impl<'a> Veil<'a> {
    pub(crate) fn new(detectors: &'a Detectors) -> Self {
        Self { detectors, tokens: Tokens::new() }
    }

    /// A body as it may be shown; none where it cannot be looked through: pictures, sound, and
    /// texts that are too long.
    pub(crate) fn body(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        std::str::from_utf8(bytes).ok()?;
        let is_stream = [&b"data:"[..], b"event:", b"id:", b":"];
        if is_stream.iter().any(|start| bytes.starts_with(start)) {
            // As what its deltas write together, then whatever else it may hold.
            let whole = self.document(&Document::events(bytes), bytes)?;
            return self.document(&Document::text(&whole), &whole);
        }
        let document = Document::any_json(bytes);
        self.document(&document.unwrap_or_else(|_not_json| Document::text(bytes)), bytes)
    }

    fn document(&mut self, document: &Document<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        if bytes.len() > self.detectors.bytes_max() && !document.scan(self.detectors).complete {
            return None;
        }
        let redacted = document.redact(self.detectors, &mut self.tokens);
        Some(redacted.unwrap_or_else(|| bytes.to_vec()))
    }

    /// What stands beside the bodies.
    pub(crate) fn head(&mut self, message: &mut Message) {
        let texts = message.path.iter_mut().chain(&mut message.query);
        for text in texts.chain(message.headers.iter_mut().map(|(_, value)| value)) {
            self.text(text);
        }
    }

    /// The same in the fields of an event.
    pub(crate) fn fields(&mut self, fields: &mut Map<String, Value>) {
        for name in ["path", "query"] {
            if let Some(Value::String(text)) = fields.get_mut(name) {
                self.text(text);
            }
        }
        let headers = fields.get_mut("headers").and_then(Value::as_array_mut);
        for header in headers.into_iter().flatten() {
            if let Some(Value::String(text)) = header.get_mut(1) {
                self.text(text);
            }
        }
    }

    fn text(&mut self, text: &mut String) {
        let document = Document::text(text.as_bytes());
        if let Some(redacted) = document.redact(self.detectors, &mut self.tokens) {
            *text = String::from_utf8_lossy(&redacted).into_owned();
        }
    }
}
