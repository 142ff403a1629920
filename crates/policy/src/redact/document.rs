//! A body as the texts that it holds.

use super::decode;
use super::events;
use super::json::{self, Piece, Strings};
use super::spans::{self, Look};
use super::tokens::Tokens;
use crate::detect::{DataClass, Detectors, Finding, HookAnswer, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What stands between two texts where they are shown as one.
const BETWEEN: &str = "\n\n";

/// A body: its texts are looked at as they read, whatever their encoding, and only what is
/// found in them is rewritten.
#[derive(Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
    strings: Strings,
    /// What another detector found: which text, and where in it.
    outside: BTreeMap<usize, Vec<Finding>>,
}

/// What was found in a body, without the words that were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scan {
    /// By kind, in the order of their names.
    pub findings: Vec<Found>,
    /// The classes of data that were found.
    pub classes: BTreeSet<DataClass>,
    /// Whether all was looked at: false where a text is longer than is looked through.
    pub complete: bool,
}

/// Findings of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// What was found.
    pub kind: Kind,
    /// How often.
    pub count: usize,
    /// How likely the likeliest is: 0 to 1.
    pub max_score: f32,
}

/// The bytes are no JSON, or nested too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is no JSON, or nested too deep; look at it as text")]
pub struct NotJson;

/// Bytes that are replaced.
struct Edit {
    start: usize,
    end: usize,
    with: Vec<u8>,
}

impl<'a> Document<'a> {
    /// A JSON body of one of the formats of model providers: what the protocol needs (roles,
    /// names of models and tools, references, signatures, files) is no content.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub fn json(bytes: &'a [u8]) -> Result<Self, NotJson> {
        Self::read(bytes, false)
    }

    /// Any other JSON body: all string values are content.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub fn any_json(bytes: &'a [u8]) -> Result<Self, NotJson> {
        Self::read(bytes, true)
    }

    fn read(bytes: &'a [u8], free: bool) -> Result<Self, NotJson> {
        let mut strings = Strings::default();
        let start = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        json::read(bytes, start, free, false, &mut strings).map_err(|json::Invalid| NotJson)?;
        Ok(Self { bytes, strings, outside: BTreeMap::new() })
    }

    /// Text.
    pub fn text(bytes: &'a [u8]) -> Self {
        let piece = Piece { start: 0, end: bytes.len(), name: (0, 0), channel: 0, json: false };
        let strings = Strings { pieces: vec![piece], probabilities: Vec::new() };
        Self { bytes, strings, outside: BTreeMap::new() }
    }

    /// A stream of server-sent events: what their deltas write is one text, so that a number
    /// that is cut in two is found.
    pub fn events(bytes: &'a [u8]) -> Self {
        Self { bytes, strings: events::read(bytes), outside: BTreeMap::new() }
    }

    /// What is in it.
    pub fn scan(&self, detectors: &Detectors) -> Scan {
        let mut kinds: BTreeMap<Kind, Found> = BTreeMap::new();
        let mut complete = true;
        self.each_text(|number, name, text, _| {
            complete &= text.len() <= detectors.bytes_max();
            for finding in self.look(detectors, number, name).findings(text) {
                let found = kinds.entry(finding.kind);
                let found = found.or_insert(Found { kind: finding.kind, count: 0, max_score: 0.0 });
                found.count += 1;
                found.max_score = found.max_score.max(finding.score);
            }
        });
        let mut findings: Vec<Found> = kinds.into_values().collect();
        findings.sort_by(|a, b| a.kind.as_str().cmp(b.kind.as_str()));
        let classes = findings.iter().map(|found| found.kind.class()).collect();
        Scan { findings, classes, complete }
    }

    /// The body with what was found replaced; all other bytes as they are. Nothing where
    /// nothing was found that can be hidden.
    pub fn redact(&self, detectors: &Detectors, tokens: &mut Tokens) -> Option<Vec<u8>> {
        let mut edits = Vec::new();
        self.each_text(|number, name, text, pieces| {
            let spans = spans::of(self.look(detectors, number, name), text, tokens);
            if !spans.is_empty() {
                self.edit(pieces, &spans, &mut edits);
            }
        });
        if edits.is_empty() {
            return None;
        }
        // Probabilities of tokens would tell the text again.
        let probabilities = self.strings.probabilities.iter();
        edits.extend(probabilities.map(|&(start, end)| Edit { start, end, with: b"null".into() }));
        edits.sort_by_key(|edit| edit.start);
        let mut out = Vec::with_capacity(self.bytes.len());
        let mut copied = 0;
        for edit in &edits {
            out.extend_from_slice(self.bytes.get(copied..edit.start).unwrap_or_default());
            out.extend_from_slice(&edit.with);
            copied = edit.end;
        }
        out.extend_from_slice(self.bytes.get(copied..).unwrap_or_default());
        Some(out)
    }

    /// All texts as one, as a detector outside is to see them.
    pub fn joined(&self) -> String {
        let mut joined = String::new();
        self.each_text(|_, _, text, _| {
            joined.push_str(text);
            joined.push_str(BETWEEN);
        });
        joined
    }

    /// Takes in what a detector outside found in the joined texts.
    pub fn add(&mut self, answer: &HookAnswer) {
        let mut places: Vec<(usize, Range<usize>)> = Vec::new();
        let mut at = 0;
        self.each_text(|number, _, text, _| {
            places.push((number, at..at + text.len()));
            at += text.len() + BETWEEN.len();
        });
        for finding in answer.findings() {
            let first = places.partition_point(|(_, place)| place.end <= finding.start);
            let touched =
                places.iter().skip(first).take_while(|(_, place)| place.start < finding.end);
            for (number, place) in touched {
                let start = finding.start.max(place.start) - place.start;
                let end = finding.end.min(place.end) - place.start;
                if start < end {
                    let own = Finding { start, end, ..*finding };
                    self.outside.entry(*number).or_default().push(own);
                }
            }
        }
    }

    fn look<'b>(&'b self, detectors: &'b Detectors, number: usize, name: &'b str) -> Look<'b> {
        let outside = self.outside.get(&number).map(Vec::as_slice).unwrap_or_default();
        Look { detectors, name: Some(name).filter(|name| !name.is_empty()), cut: false, outside }
    }

    /// Calls `each` with the number, name and words of each text, and its pieces.
    fn each_text(&self, mut each: impl FnMut(usize, &str, &str, &[Piece])) {
        let mut buffer = String::new();
        let groups = self.strings.pieces.chunk_by(|a, b| a.channel == b.channel);
        for (number, pieces) in groups.enumerate() {
            let Some(first) = pieces.first() else { continue };
            let name = self.bytes.get(first.name.0..first.name.1).unwrap_or_default();
            let name = std::str::from_utf8(name).unwrap_or_default();
            let raw = self.bytes.get(first.start..first.end).unwrap_or_default();
            let plain = pieces.len() == 1 && (!first.json || decode::is_plain(raw));
            match std::str::from_utf8(raw) {
                Ok("") if plain => {}
                Ok(text) if plain => each(number, name, text, pieces),
                _ => {
                    buffer.clear();
                    for piece in pieces {
                        self.decode(piece, &mut buffer, None);
                    }
                    each(number, name, &buffer, pieces);
                }
            }
        }
    }

    fn decode(&self, piece: &Piece, out: &mut String, places: Option<&mut Vec<usize>>) {
        let raw = self.bytes.get(piece.start..piece.end).unwrap_or_default();
        if piece.json {
            decode::json(raw, out, places);
        } else {
            decode::utf8(raw, 0, out, places);
        }
    }

    /// What spans of a text are in the bytes of its pieces: the placeholder where each begins,
    /// nothing in the pieces that it goes on in.
    fn edit(&self, pieces: &[Piece], spans: &[spans::Span], edits: &mut Vec<Edit>) {
        let (mut text, mut places) = (String::new(), Vec::new());
        let mut spans = spans.iter().peekable();
        let (mut begun, mut before) = (false, 0);
        for piece in pieces {
            text.clear();
            places.clear();
            self.decode(piece, &mut text, Some(&mut places));
            let behind = before + text.len();
            let byte = |at: usize| {
                let place = at.checked_sub(before).and_then(|at| places.get(at));
                place.map_or(piece.end, |place| piece.start + place)
            };
            while let Some(span) = spans.peek().filter(|span| span.start < behind) {
                let start = if begun { piece.start } else { byte(span.start) };
                let with = if begun { Vec::new() } else { span.token.clone().into_bytes() };
                let end = if span.end >= behind { piece.end } else { byte(span.end) };
                if start < end {
                    edits.push(Edit { start, end, with });
                }
                // One that is longer goes on in the next piece.
                begun = span.end > behind;
                if begun {
                    break;
                }
                spans.next();
            }
            before = behind;
        }
    }
}
