//! What commands print: tables and colour on a terminal, plain text elsewhere, JSON on request.

mod progress;
mod table;
mod text;

pub use progress::Progress;
pub use table::Table;
pub use text::{cut, plain, show_value, width};

use crate::failure::Outcome;
use serde::Serialize;
use std::io::{self, IsTerminal, Stdout, Write};

/// Standard output.
#[derive(Debug)]
pub struct Out {
    stdout: Stdout,
    terminal: bool,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A heading.
    Strong,
    /// Less important.
    Dim,
    /// Well.
    Good,
    /// Not well.
    Bad,
    /// Worth a look.
    Notice,
}

// === impl Out ===

impl Out {
    /// Standard output of this process.
    pub fn new() -> Self {
        let stdout = io::stdout();
        Self { terminal: stdout.is_terminal(), stdout }
    }

    /// Whether a person is looking.
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Prints one line.
    pub fn line(&self, text: impl AsRef<str>) -> Outcome {
        let mut out = self.stdout.lock();
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }

    /// Prints bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Outcome {
        let mut out = self.stdout.lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// Prints a value as JSON: readable on a terminal, one line elsewhere.
    pub fn json(&self, value: &impl Serialize) -> Outcome {
        let text = if self.terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.line(text.map_err(io::Error::from)?)
    }

    /// Prints a value as one line of JSON.
    pub fn json_line(&self, value: &impl Serialize) -> Outcome {
        self.line(serde_json::to_string(value).map_err(io::Error::from)?)
    }

    /// The text in a style, where a person is looking.
    pub fn styled(&self, style: Style, text: &str) -> String {
        if self.terminal { paint(style, text) } else { text.to_owned() }
    }
}

fn paint(style: Style, text: &str) -> String {
    let code = match style {
        Style::Strong => "1",
        Style::Dim => "2",
        Style::Good => "32",
        Style::Bad => "31",
        Style::Notice => "33",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// One line on standard error: a remark beside the result, or the error that ends the command.
pub fn note(text: &str) {
    // Where nobody reads standard error, the exit code still says it.
    let _written = writeln!(io::stderr().lock(), "{text}");
}
