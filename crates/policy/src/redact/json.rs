//! The strings of a JSON text that are content: values, not keys, not what a protocol needs.

use super::decode;

/// Deepest nesting.
const DEPTH_MAX: usize = 512;
/// A string so long without a blank, of the letters of Base64, is a file.
const FILE_BYTES_MIN: usize = 192;

/// A string of content: the bounds of its inside, and of the key before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub name: (usize, usize),
    /// Pieces of one number are one text, in order.
    pub channel: u64,
    /// Written as JSON writes strings.
    pub json: bool,
}

/// What is found in a JSON text.
#[derive(Debug, Default)]
pub(super) struct Strings {
    pub pieces: Vec<Piece>,
    /// Probabilities of single tokens: the text once more, in pieces.
    pub probabilities: Vec<(usize, usize)>,
}

/// Where bytes stop being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invalid;

/// What a key says of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Content,
    /// Nothing in it is content.
    Structure,
    /// All in it is content: somebody's own object.
    Free,
    Probabilities,
}

/// An object or array that is open.
struct Open {
    object: bool,
    rule: Rule,
    /// Hash of the keys and places on the way to it.
    path: u64,
    element: u64,
    key: (usize, usize),
    start: usize,
    /// A text of the model that its provider has signed, by the place of its piece.
    thinking: Option<usize>,
    signed: bool,
    probabilities: bool,
}

/// A way through JSON bytes.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open>,
    free: bool,
    /// What tells this event's texts from those of other events.
    event: u64,
    strings: &'a mut Strings,
}

/// Reads one JSON text of `bytes` from `start` on; all its values are content if `free`.
///
/// Its pieces have a channel each, unless it is an event of a stream.
pub(super) fn read(
    bytes: &[u8],
    start: usize,
    free: bool,
    event: bool,
    strings: &mut Strings,
) -> Result<(), Invalid> {
    let first = strings.pieces.len();
    let mut walk = Walk { bytes, at: start, open: Vec::new(), free, event: 0, strings };
    walk.value()?;
    walk.blanks();
    if walk.at != bytes.len() {
        return Err(Invalid);
    }
    let of_event = walk.event;
    let pieces = walk.strings.pieces.iter_mut().enumerate().skip(first);
    for (number, piece) in pieces {
        piece.channel =
            if event { hash(piece.channel, &of_event.to_le_bytes()) } else { number as u64 };
    }
    Ok(())
}

impl Walk<'_> {
    fn value(&mut self) -> Result<(), Invalid> {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'{') => {
                    self.open(true)?;
                    self.blanks();
                    if self.peek() == Some(b'}') {
                        self.close();
                    } else {
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.open(false)?;
                    self.blanks();
                    if self.peek() == Some(b']') {
                        self.close();
                    } else {
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                Some(_) => self.scalar()?,
                None => return Err(Invalid),
            }
            if self.behind()? {
                return Ok(());
            }
        }
    }

    /// Behind a value: passes ends of containers up to the next value; true at the end.
    fn behind(&mut self) -> Result<bool, Invalid> {
        loop {
            let Some(open) = self.open.last_mut() else { return Ok(true) };
            let object = open.object;
            open.element += 1;
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    if object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                Some(b'}') if object => self.close(),
                Some(b']') if !object => self.close(),
                _ => return Err(Invalid),
            }
        }
    }

    fn open(&mut self, object: bool) -> Result<(), Invalid> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Invalid);
        }
        let rule = self.rule(object);
        let probabilities = rule == Rule::Probabilities
            && self.open.last().is_some_and(|open| open.rule != Rule::Probabilities);
        let path = self.path();
        let (start, key) = (self.at, self.open.last().map_or((0, 0), |open| open.key));
        self.at += 1;
        self.open.push(Open {
            object,
            rule,
            path,
            element: 0,
            key: if object { (0, 0) } else { key },
            start,
            thinking: None,
            signed: false,
            probabilities,
        });
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        let Some(open) = self.open.pop() else { return };
        if open.probabilities && open.element > 0 {
            self.strings.probabilities.push((open.start, self.at));
        }
        if let Some(piece) = open.thinking.filter(|_| open.signed) {
            // An empty piece: what is signed stays as it is.
            if let Some(piece) = self.strings.pieces.get_mut(piece) {
                piece.end = piece.start;
            }
        }
    }

    fn key(&mut self) -> Result<(), Invalid> {
        self.blanks();
        if self.peek() != Some(b'"') {
            return Err(Invalid);
        }
        let key = self.inside()?;
        self.blanks();
        if self.peek() != Some(b':') {
            return Err(Invalid);
        }
        self.at += 1;
        if let Some(open) = self.open.last_mut() {
            open.key = key;
        }
        Ok(())
    }

    /// What holds for the value that comes next, which is an object or not.
    fn rule(&self, object: bool) -> Rule {
        let Some(open) = self.open.last() else {
            return if self.free { Rule::Free } else { Rule::Content };
        };
        match open.rule {
            Rule::Content if open.object => {
                let key = self.bytes.get(open.key.0..open.key.1).unwrap_or_default();
                of_key(key, object, self.open.len())
            }
            other => other,
        }
    }

    /// Hash of the way to the value that comes next.
    fn path(&self) -> u64 {
        let Some(open) = self.open.last() else { return FNV };
        if open.object {
            return hash(open.path, self.bytes.get(open.key.0..open.key.1).unwrap_or_default());
        }
        hash(open.path, &open.element.to_le_bytes())
    }

    fn string(&mut self) -> Result<(), Invalid> {
        let (start, end) = self.inside()?;
        let rule = self.rule(false);
        let channel = self.path();
        let value = self.bytes.get(start..end).unwrap_or_default();
        let depth = self.open.len();
        let mut name = (0, 0);
        if let Some(open) = self.open.last_mut() {
            name = open.key;
            let key = self.bytes.get(name.0..name.1).unwrap_or_default();
            if open.object {
                match key {
                    b"signature" | b"thoughtSignature" if !value.is_empty() => open.signed = true,
                    b"thinking" if !is_file(value) => {
                        open.thinking = Some(self.strings.pieces.len());
                    }
                    b"item_id" => self.event = hash(self.event, value),
                    b"type" if depth == 1 => self.event = hash(self.event, value),
                    _ => {}
                }
            }
        }
        if matches!(rule, Rule::Content | Rule::Free) && !is_file(value) {
            self.strings.pieces.push(Piece { start, end, name, channel, json: true });
        }
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), Invalid> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')) {
                break;
            }
            self.at += 1;
        }
        if start == self.at {
            return Err(Invalid);
        }
        let Some(open) = self.open.last().filter(|open| open.object) else { return Ok(()) };
        let key = self.bytes.get(open.key.0..open.key.1).unwrap_or_default();
        if key == b"index" || key.ends_with(b"_index") {
            let number = self.bytes.get(start..self.at).unwrap_or_default();
            self.event = hash(hash(self.event, key), number);
        }
        Ok(())
    }

    /// Passes a string; the bounds of its inside.
    fn inside(&mut self) -> Result<(usize, usize), Invalid> {
        self.at += 1;
        let start = self.at;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let next = memchr::memchr2(b'"', b'\\', rest).ok_or(Invalid)?;
            self.at += next;
            if self.peek() == Some(b'"') {
                let end = self.at;
                self.at += 1;
                return Ok((start, end));
            }
            self.at += 2;
        }
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

const FNV: u64 = 0xCBF2_9CE4_8422_2325;

fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start.wrapping_add(FNV), |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// An encoded file, or a URL that is one.
fn is_file(value: &[u8]) -> bool {
    if value.starts_with(b"data:") {
        return memchr::memmem::find(value.get(..64).unwrap_or(value), b";base64,").is_some();
    }
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    value
        .get(..FILE_BYTES_MIN)
        .is_some_and(|start| decode::is_plain(start) && start.iter().all(base64))
}

/// What a key of the formats says of its value, at this depth.
fn of_key(key: &[u8], object: bool, depth: usize) -> Rule {
    match key {
        b"input" | b"response" if object && depth > 1 => Rule::Free,
        b"args" | b"arguments" | b"json" | b"metadata" if object => Rule::Free,
        b"logprobs" | b"logprobsResult" | b"top_logprobs" => Rule::Probabilities,
        // Which model, which tool, whose turn.
        b"model" | b"role" | b"id" | b"type" | b"object" | b"name" | b"modelVersion" | b"provider"
        | b"channel" | b"phase" | b"status" | b"modality" | b"responseModalities" | b"modalities"
        | b"namespace" | b"tool_choice" | b"toolChoice" | b"allowedFunctionNames" | b"toolType"
        | b"tool_name" | b"server_name" | b"server_label" | b"service_tier" | b"serviceTier"
        | b"system_fingerprint" | b"object_type" | b"obfuscation" | b"language"
        // References.
        | b"tool_call_id" | b"tool_use_id" | b"toolUseId" | b"call_id" | b"item_id" | b"file_id"
        | b"response_id" | b"responseId" | b"previous_response_id" | b"request_id" | b"container_id"
        | b"vector_store_id" | b"vector_store_ids" | b"conversation" | b"cachedContent" | b"tool_id"
        // Why it ended.
        | b"finish_reason" | b"finishReason" | b"native_finish_reason" | b"stop_reason" | b"stopReason"
        | b"stop" | b"stop_sequences" | b"stopSequences"
        // What must come back as it was.
        | b"signature" | b"thought_signature" | b"thoughtSignature" | b"encrypted_content"
        | b"encrypted_index" | b"redactedContent" | b"reasoningSignature"
        // Schemas.
        | b"enum" | b"const" | b"pattern" | b"required" | b"$ref" | b"$schema" | b"property_ordering"
        | b"propertyOrdering" | b"format"
        // Files.
        | b"mime_type" | b"mimeType" | b"media_type" | b"b64_json" | b"bytes" | b"file_data"
        | b"image_url" | b"input_audio" | b"inlineData" | b"inline_data" | b"fileUri" | b"file_uri"
        | b"file_url" | b"document_url" | b"video_url" | b"renderedContent"
        // Settings and counts.
        | b"usage" | b"usageMetadata" | b"include" | b"cache_control" | b"prompt_cache_key"
        | b"prompt_cache_retention" | b"encoding_format" | b"anthropic_version" | b"anthropic_beta"
        | b"truncation" | b"verbosity" | b"effort" | b"reasoning_effort" | b"voice" => Rule::Structure,
        _ => Rule::Content,
    }
}
