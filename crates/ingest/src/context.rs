//! What all items of a delivery share, and what each of them becomes.

use event::{Event, Timestamp};
use policy::Redactor;
use recorder::{PersonNames, Role};
use serde_json::{Map, Value};
use wire::Prices;

/// Characters read beyond a preview's end, so that redaction sees what the end would cut.
const PREVIEW_CHARS_BEYOND: usize = 64;
/// Who delivers.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The key, or the first of the keys that were rotated into it: ids are its own.
    pub id: String,
    /// The key that was used.
    pub key_id: String,
    /// The only source that the key may name.
    pub source: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// The program, as it names itself.
    pub user_agent: Option<String>,
}

/// How reports are read.
#[derive(Debug)]
pub struct Reading {
    /// What previews are redacted with.
    pub redactor: Redactor,
    /// Characters of a preview.
    pub preview_chars: usize,
    /// What tokens cost.
    pub prices: Prices,
}

/// What all items of a delivery share.
pub(crate) struct Context<'a> {
    pub sender: &'a Sender,
    pub reading: &'a Reading,
    pub arrived: Timestamp,
}

/// What decisions and events have in common.
pub(crate) struct Head {
    pub source: String,
    pub timestamp: Timestamp,
}

/// A whole body.
pub(crate) type Body = (Role, Vec<u8>);

/// What an item states, as ours.
pub(crate) struct Reported {
    pub names: PersonNames,
    pub events: Vec<Event>,
    pub bodies: Vec<Body>,
    /// The sender's name of the decision, of events.
    pub reference: Option<String>,
    /// What has no name here.
    pub attributes: Map<String, Value>,
}

// === impl Context ===

impl Context<'_> {
    /// A preview as it may be stored: redacted first, then cut, so that what the cut would halve
    /// is still recognised.
    pub(crate) fn redact(&self, text: &str) -> String {
        let beyond = text.char_indices().nth(self.preview_chars_read());
        let read = beyond.map_or(text, |(end, _)| &text[..end]);
        let mut redacted = self.reading.redactor.redact(read).into_owned();
        if let Some((end, _)) = redacted.char_indices().nth(self.reading.preview_chars) {
            redacted.truncate(end);
        }
        redacted
    }

    pub(crate) const fn preview_chars_read(&self) -> usize {
        self.reading.preview_chars + PREVIEW_CHARS_BEYOND
    }
}
