//! What of a stream may be forwarded before its outcome is durable.

use bytes::Bytes;

use crate::Format;
use crate::json::{Kind, Scan};
use crate::sse::{Boundary, Event};

/// Largest event that is kept whole; a larger one flows, but for its end.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// How much of the end of such an event is kept back, and of its start remembered.
const EDGE_BYTES: usize = 4 << 10;

/// Passes complete events on at once and byte by byte as they came, and keeps the terminal
/// event, and everything after it, until the end.
///
/// A stream without a terminal event (of unknown format, or broken off) is passed on whole;
/// an event that is not complete waits.
pub struct EventGate {
    format: Format,
    hide_usage_chunk: bool,
    mode: Mode,
    boundary: Boundary,
    /// The start of an event whose end has not come.
    pending: Vec<u8>,
    /// The terminal event and what follows it.
    held: Vec<Bytes>,
}

enum Mode {
    /// Gemini streams events or an array; the first byte tells.
    Sniff,
    Events,
    /// Within an event too large to be kept: how it began.
    Flowing {
        start: Vec<u8>,
    },
    /// An array of objects: only its last bracket is kept back.
    Array {
        depth: u64,
        in_string: bool,
        escaped: bool,
    },
    /// The terminal event came.
    Held,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Drop,
    Hold,
}

// === impl EventGate ===

impl EventGate {
    /// A gate for one stream. `hide_usage_chunk`: drop the chunk that `inject_usage` caused.
    pub fn new(format: Format, hide_usage_chunk: bool) -> Self {
        let mode = if format == Format::Gemini { Mode::Sniff } else { Mode::Events };
        Self {
            format,
            hide_usage_chunk,
            mode,
            boundary: Boundary::new(),
            pending: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Takes the next bytes; appends to `out` what may be forwarded now.
    pub fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        if matches!(self.mode, Mode::Sniff) {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'[' | b'{') => {
                    self.mode = Mode::Array { depth: 0, in_string: false, escaped: false };
                    // Blanks that might have been the start of an event.
                    if !self.pending.is_empty() {
                        out.push(std::mem::take(&mut self.pending).into());
                    }
                }
                Some(_) => self.mode = Mode::Events,
                None => {}
            }
        }
        match self.mode {
            Mode::Held => self.held.push(bytes),
            Mode::Array { .. } => self.push_array(bytes, out),
            Mode::Sniff | Mode::Events | Mode::Flowing { .. } => self.push_events(&bytes, out),
        }
    }

    /// The rest: what was kept back.
    pub fn finish(self, out: &mut Vec<Bytes>) {
        out.extend(self.held);
        if !self.pending.is_empty() {
            out.push(self.pending.into());
        }
    }

    fn push_events(&mut self, bytes: &Bytes, out: &mut Vec<Bytes>) {
        // Events that pass are forwarded together, as one slice of what came.
        let mut passed = 0;
        let mut at = 0;
        while let Some(length) = self.boundary.find(bytes.get(at..).unwrap_or_default()) {
            let end = at + length;
            let complete = bytes.slice(at..end);
            let from_before = !self.pending.is_empty();
            let (verdict, event) = self.complete(complete);
            match verdict {
                Verdict::Pass if from_before => {
                    out.push(event);
                    passed = end;
                }
                Verdict::Pass => {}
                Verdict::Drop => {
                    forward(bytes, passed, at, out);
                    passed = end;
                }
                Verdict::Hold => {
                    forward(bytes, passed, at, out);
                    self.mode = Mode::Held;
                    self.held.push(event);
                    if end < bytes.len() {
                        self.held.push(bytes.slice(end..));
                    }
                    return;
                }
            }
            at = end;
        }
        forward(bytes, passed, at, out);
        self.pending.extend_from_slice(bytes.get(at..).unwrap_or_default());
        self.overflow(out);
    }

    /// Judges the event that ends with `end`; gives all of it that is in hand.
    fn complete(&mut self, end: Bytes) -> (Verdict, Bytes) {
        let event = if self.pending.is_empty() {
            end
        } else {
            self.pending.extend_from_slice(&end);
            Bytes::from(std::mem::take(&mut self.pending))
        };
        if let Mode::Flowing { start } = &mut self.mode {
            let mut edges = std::mem::take(start);
            edges.extend_from_slice(&event);
            self.mode = Mode::Events;
            let verdict =
                if marks_end(self.format, &edges) { Verdict::Hold } else { Verdict::Pass };
            return (verdict, event);
        }
        (self.judge(&event), event)
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        let event = Event::parse(bytes);
        if event.data.is_empty() && event.name.is_empty() {
            return Verdict::Pass;
        }
        if is_terminal(self.format, &event) {
            return Verdict::Hold;
        }
        if self.hide_usage_chunk && is_usage_chunk(&event.data) {
            return Verdict::Drop;
        }
        Verdict::Pass
    }

    /// Lets an event that is too large flow, but for its last bytes.
    fn overflow(&mut self, out: &mut Vec<Bytes>) {
        let flowing = matches!(self.mode, Mode::Flowing { .. });
        let kept_max = if flowing { 2 * EDGE_BYTES } else { EVENT_BYTES_MAX };
        if self.pending.len() <= kept_max {
            return;
        }
        if !flowing {
            let start = self.pending.get(..EDGE_BYTES).unwrap_or_default().to_vec();
            self.mode = Mode::Flowing { start };
        }
        let tail = self.pending.split_off(self.pending.len() - EDGE_BYTES);
        out.push(Bytes::from(std::mem::replace(&mut self.pending, tail)));
    }

    fn push_array(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        let Mode::Array { depth, in_string, escaped } = &mut self.mode else { return };
        let mut closed = None;
        for (at, byte) in bytes.iter().enumerate() {
            if *in_string {
                match byte {
                    _ if *escaped => *escaped = false,
                    b'\\' => *escaped = true,
                    b'"' => *in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => *in_string = true,
                b'[' | b'{' => *depth += 1,
                b']' | b'}' => {
                    *depth = depth.saturating_sub(1);
                    if *depth == 0 {
                        closed = Some(at);
                        break;
                    }
                }
                _ => {}
            }
        }
        match closed {
            Some(at) => {
                forward(&bytes, 0, at, out);
                self.held.push(bytes.slice(at..));
                self.mode = Mode::Held;
            }
            None => out.push(bytes),
        }
    }
}

fn forward(bytes: &Bytes, from: usize, to: usize, out: &mut Vec<Bytes>) {
    if from < to {
        out.push(bytes.slice(from..to));
    }
}

/// Whether a stream ends with this event.
fn is_terminal(format: Format, event: &Event<'_>) -> bool {
    let data = &*event.data;
    match format {
        Format::AnthropicMessages => {
            event.name == b"message_stop" || type_is(data, &["message_stop"])
        }
        Format::OpenAiResponses => {
            let ends = ["response.completed", "response.failed", "response.incomplete"];
            ends.iter().any(|end| event.name == end.as_bytes())
                || (marks_end(format, data) && type_is(data, &ends))
                || data == b"[DONE]"
        }
        Format::Gemini => memchr::memmem::find(data, b"\"finishReason\"").is_some(),
        _ => data == b"[DONE]",
    }
}

/// Whether bytes of an event look like those of a terminal one.
fn marks_end(format: Format, bytes: &[u8]) -> bool {
    let marks: &[&[u8]] = match format {
        Format::AnthropicMessages => &[b"message_stop"],
        Format::OpenAiResponses => {
            &[b"response.completed", b"response.failed", b"response.incomplete"]
        }
        Format::Gemini => &[b"\"finishReason\""],
        _ => &[b"[DONE]"],
    };
    marks.iter().any(|mark| memchr::memmem::find(bytes, mark).is_some())
}

fn type_is(data: &[u8], names: &[&str]) -> bool {
    let mut found = false;
    let read = Scan::new(data).object(|scan, key| {
        if key == b"type" {
            found = scan.text()?.is_some_and(|text| names.iter().any(|name| text.is(name)));
        }
        Ok(())
    });
    found && read.is_ok()
}

/// A chunk without choices that reports usage.
fn is_usage_chunk(data: &[u8]) -> bool {
    if memchr::memmem::find(data, b"\"usage\"").is_none() {
        return false;
    }
    let (mut empty, mut usage) = (false, false);
    let read = Scan::new(data).object(|scan, key| {
        match key {
            b"choices" => {
                empty = scan.kind() == Kind::Array;
                scan.array(|_| {
                    empty = false;
                    Ok(())
                })?;
            }
            b"usage" => usage = scan.kind() == Kind::Object,
            _ => {}
        }
        Ok(())
    });
    empty && usage && read.is_ok()
}
