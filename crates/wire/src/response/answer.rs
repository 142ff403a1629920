//! The facts of an answer while it is read.

use event::Usage;

use crate::Format;
use crate::json::{Kind, Result, Scan, Text};
use crate::preview::{NAME_CHARS_MAX, Preview};
use crate::usage::{USAGE_BYTES_MAX, normalise};

/// What is known of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResponseFacts {
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// Token counts, where the provider reported any.
    pub usage: Option<Usage>,
    /// Why it ended, in the provider's word.
    pub finish_reason: Option<String>,
    /// Names of the tools it called, in order.
    pub tool_calls: Vec<String>,
    /// The answer as a person would read it, cut at whole characters; an error's message.
    pub preview: Option<String>,
    /// The provider's id of the answer.
    pub response_id: Option<String>,
    /// The provider's type or code of an error.
    pub error_type: Option<String>,
    /// False for a stream whose end (its terminal event, its finish reason, an error) was not
    /// seen. Whole bodies, and streams of unknown format, tell nothing: true.
    pub terminal: bool,
}

pub(super) struct Answer {
    pub(super) format: Format,
    failed: bool,
    chars_max: usize,
    pub(super) model: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) finish_reason: Option<String>,
    pub(super) error_type: Option<String>,
    pub(super) terminal: bool,
    pub(super) preview: Preview,
    /// Streamed calls of tools that were seen: index and id.
    pub(super) calls_seen: Vec<(u64, String)>,
    usage_first: Option<Vec<u8>>,
    usage_last: Option<Vec<u8>>,
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(format: Format, status: u16, chars_max: usize) -> Self {
        Self {
            format,
            failed: status >= 400,
            chars_max,
            model: None,
            response_id: None,
            finish_reason: None,
            error_type: None,
            terminal: false,
            preview: Preview::new(chars_max),
            calls_seen: Vec::new(),
            usage_first: None,
            usage_last: None,
        }
    }

    pub(super) fn set_model(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        set(&mut self.model, scan)
    }

    pub(super) fn set_id(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        set(&mut self.response_id, scan)
    }

    pub(super) fn set_finish(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        set(&mut self.finish_reason, scan)
    }

    /// A usage object, over all that came before.
    pub(super) fn set_usage(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        keep_object(&mut self.usage_last, scan.span()?);
        Ok(())
    }

    /// A usage object that later ones complete.
    pub(super) fn set_first_usage(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        keep_object(&mut self.usage_first, scan.span()?);
        Ok(())
    }

    /// `error`, an object or (some servers) a string.
    pub(super) fn set_error(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        match scan.kind() {
            Kind::String => {
                let message = scan.text()?;
                self.terminal = true;
                self.error_message(message);
                self.error_type.get_or_insert_with(|| "error".to_owned());
                Ok(())
            }
            Kind::Object => {
                let (mut kind, mut code, mut status, mut message) = (None, None, None, None);
                scan.object(|scan, key| {
                    match key {
                        b"type" => kind = scan.text()?,
                        b"code" if scan.kind() == Kind::String => code = scan.text()?,
                        b"status" => status = scan.text()?,
                        b"message" => message = scan.text()?,
                        _ => {}
                    }
                    Ok(())
                })?;
                self.terminal = true;
                // Of an event, `type` is only that of the event.
                let kind = kind.filter(|kind| !kind.is("error"));
                let named = kind.or(status).or(code).map(|text| text.to_string(NAME_CHARS_MAX));
                self.error_type = named.or_else(|| Some("error".to_owned()));
                self.error_message(message);
                Ok(())
            }
            _ => scan.skip(),
        }
    }

    pub(super) fn error_message(&mut self, message: Option<Text<'_>>) {
        if let Some(message) = message {
            self.preview.push_line(message);
        }
    }

    /// A bare `message`, as AWS writes errors.
    pub(super) fn set_bare_error(&mut self, message: Text<'_>) {
        if self.failed {
            self.preview.push_line(message);
            self.error_type.get_or_insert_with(|| "error".to_owned());
        }
    }

    /// Forgets text and calls, before something that holds all of them again.
    pub(super) fn restart(&mut self) {
        self.preview.reset(self.chars_max);
    }

    pub(super) fn finish(self, streamed: bool) -> ResponseFacts {
        let objects = self.usage_first.iter().chain(&self.usage_last).map(Vec::as_slice);
        let usage = normalise(self.format, objects);
        let (preview, tool_calls) = self.preview.finish();
        ResponseFacts {
            model: self.model,
            usage,
            finish_reason: self.finish_reason,
            tool_calls,
            preview,
            response_id: self.response_id,
            error_type: self.error_type,
            terminal: self.terminal || !streamed,
        }
    }
}

/// A string that is not empty replaces what is there.
fn set(place: &mut Option<String>, scan: &mut Scan<'_>) -> Result<()> {
    if let Some(text) = scan.text()?
        && !text.is_empty()
    {
        // Streams repeat themselves in each event.
        if !place.as_deref().is_some_and(|known| text.is(known)) {
            *place = Some(text.to_string(NAME_CHARS_MAX));
        }
    }
    Ok(())
}

fn keep_object(place: &mut Option<Vec<u8>>, span: &[u8]) {
    if span.first() == Some(&b'{') && span.len() <= USAGE_BYTES_MAX {
        let kept = place.get_or_insert_default();
        kept.clear();
        kept.extend_from_slice(span);
    }
}
