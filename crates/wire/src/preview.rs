//! Text for people: the first characters of something, whole ones, and the tools it called.

use crate::json::Text;

/// Most tool calls that are named per call; more are not read.
const CALLS_MAX: usize = 128;
/// Longest name of a tool, model or the like that is kept.
pub(crate) const NAME_CHARS_MAX: usize = 256;

/// What stands before the result of a tool.
pub(crate) const RESULT_MARK: &str = "[tool result]";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Text,
    Mark,
    /// The mark of a result: what it holds stands on the same line.
    Result,
}

/// Collects up to a number of characters, and names of called tools.
#[derive(Debug)]
pub(crate) struct Preview {
    text: String,
    left: usize,
    calls: Vec<String>,
    /// Behind `[…]`: text starts a new line, or follows a blank.
    behind: Behind,
    /// Whether something did not fit.
    pub(crate) cut: bool,
    /// Whether there was text that is not the result of a tool.
    pub(crate) spoken: bool,
}

// === impl Preview ===

impl Preview {
    pub(crate) fn new(chars_max: usize) -> Self {
        Self {
            text: String::new(),
            left: chars_max,
            calls: Vec::new(),
            behind: Behind::Text,
            cut: false,
            spoken: false,
        }
    }

    /// Adds text as it is.
    pub(crate) fn push(&mut self, piece: &str) {
        let piece = if self.text.is_empty() { piece.trim_start() } else { piece };
        if self.left == 0 {
            self.cut |= !piece.is_empty();
            return;
        }
        if piece.len() <= self.left {
            self.left -= piece.chars().count();
            self.text.push_str(piece);
            return;
        }
        let cut = piece.char_indices().nth(self.left).map_or(piece.len(), |(at, _)| at);
        self.cut |= cut < piece.len();
        let fits = piece.get(..cut).unwrap_or_default();
        self.left -= fits.chars().count();
        self.text.push_str(fits);
    }

    /// Adds a JSON string.
    pub(crate) fn push_text(&mut self, text: Text<'_>) {
        if text.is_empty() {
            return;
        }
        self.spoken = true;
        if self.behind != Behind::Text {
            self.new_line();
        }
        // One character more than fits, to know that something was cut.
        text.decode(self.left.saturating_add(1), |piece| {
            self.push(piece);
            !self.cut
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
        self.behind = Behind::Mark;
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
            self.behind = Behind::Mark;
        }
        self.calls.push(name.to_owned());
    }

    /// Starts a line, unless at the start of one.
    pub(crate) fn new_line(&mut self) {
        let behind = std::mem::replace(&mut self.behind, Behind::Text);
        if behind == Behind::Result {
            self.push(" ");
        } else if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.push("\n");
        }
    }

    /// Marks what follows, up to `end_result`, as the result of a tool.
    pub(crate) fn begin_result(&mut self) {
        self.new_line();
        self.push(RESULT_MARK);
        self.behind = Behind::Result;
    }

    /// Behind the result of a tool.
    pub(crate) fn end_result(&mut self) {
        self.behind = Behind::Mark;
    }

    /// Adds bytes as they are, on a line of their own.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.new_line();
        let fits = bytes.len().min(self.left.saturating_mul(4));
        self.push(&String::from_utf8_lossy(bytes.get(..fits).unwrap_or_default()));
    }

    /// The text, if any, and the names of called tools.
    pub(crate) fn finish(self) -> (Option<String>, Vec<String>) {
        let mut text = self.text;
        text.truncate(text.trim_end().len());
        ((!text.is_empty()).then_some(text), self.calls)
    }

    /// Forgets everything; `chars_max` is how much fits again.
    pub(crate) fn reset(&mut self, chars_max: usize) {
        *self = Self::new(chars_max);
    }
}
