//! Text for people: the first characters of something, whole ones, and the tools it called.

use crate::json::Text;

/// Most tool calls that are named per call; more are not read.
const CALLS_MAX: usize = 128;
/// Longest name of a tool, model or the like that is kept.
pub(crate) const NAME_CHARS_MAX: usize = 256;

/// Collects up to a number of characters, and names of called tools.
#[derive(Debug)]
pub(crate) struct Preview {
    text: String,
    left: usize,
    calls: Vec<String>,
    /// Whether there was text that is not the result of a tool.
    pub(crate) spoken: bool,
}

// === impl Preview ===

impl Preview {
    pub(crate) fn new(chars_max: usize) -> Self {
        Self { text: String::new(), left: chars_max, calls: Vec::new(), spoken: false }
    }

    /// Adds text as it is.
    pub(crate) fn push(&mut self, piece: &str) {
        if self.left == 0 {
            return;
        }
        if piece.len() <= self.left {
            self.left -= piece.chars().count();
            self.text.push_str(piece);
            return;
        }
        let cut = piece.char_indices().nth(self.left).map_or(piece.len(), |(at, _)| at);
        let fits = piece.get(..cut).unwrap_or_default();
        self.left -= fits.chars().count();
        self.text.push_str(fits);
    }

    /// Adds a JSON string.
    pub(crate) fn push_text(&mut self, text: Text<'_>) {
        if self.left == 0 || text.is_empty() {
            return;
        }
        self.spoken = true;
        text.decode(self.left, |piece| {
            self.push(piece);
            self.left > 0
        });
    }

    /// Adds a JSON string on a line of its own.
    pub(crate) fn push_line(&mut self, text: Text<'_>) {
        if !text.is_empty() {
            self.new_line();
            self.push_text(text);
        }
    }

    /// Adds `[what]` on a line of its own.
    pub(crate) fn push_mark(&mut self, what: &str) {
        self.new_line();
        self.push("[");
        self.push(what);
        self.push("]");
    }

    /// Notes the call of a tool.
    pub(crate) fn push_call(&mut self, name: &str) {
        if name.is_empty() || self.calls.len() >= CALLS_MAX {
            return;
        }
        if self.left > 0 {
            self.new_line();
            self.push("[tool call: ");
            self.push(name);
            self.push("]");
        }
        self.calls.push(name.to_owned());
    }

    /// Starts a line, unless at the start of one.
    pub(crate) fn new_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.push("\n");
        }
    }

    /// The text, if any, and the names of called tools.
    pub(crate) fn finish(self) -> (Option<String>, Vec<String>) {
        ((!self.text.is_empty()).then_some(self.text), self.calls)
    }

    /// Forgets everything; `chars_max` is how much fits again.
    pub(crate) fn reset(&mut self, chars_max: usize) {
        *self = Self::new(chars_max);
    }
}
