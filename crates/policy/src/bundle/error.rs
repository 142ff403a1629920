//! Why policies cannot be used.

use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a folder of policies cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The folder or a file cannot be read.
    #[error("{}: {what}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// A name of the schema that Cedar does not take; never happens with the built-in one.
    #[error("the built-in schema is broken: {what}; report this")]
    Schema {
        /// What Cedar says.
        what: String,
    },
    /// The files say something that does not hold; there is at least one fault.
    #[error("{}", first(.0))]
    Faults(Vec<Fault>),
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong and what to write.
    pub message: String,
}

// === impl LoadError ===

impl LoadError {
    /// The same, with the folder in front of the files' names.
    pub(super) fn within(self, dir: &Path) -> Self {
        let Self::Faults(mut faults) = self else { return self };
        for fault in &mut faults {
            fault.file = dir.join(&fault.file).display().to_string();
        }
        Self::Faults(faults)
    }

    /// What is wrong, each with its place.
    pub fn faults(&self) -> Vec<Fault> {
        let one = |file: String, message: &str| {
            vec![Fault { file, line: 1, column: 1, message: message.to_owned() }]
        };
        match self {
            Self::Unreadable { path, what } => one(path.display().to_string(), what),
            Self::Schema { what } => one(String::new(), what),
            Self::Faults(faults) => faults.clone(),
        }
    }
}

// === impl Fault ===

impl Fault {
    /// A fault at a byte of a file's text.
    pub(super) fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(text, offset);
        Self { file: file.to_owned(), line, column, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Line and column of a byte.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before.get(start..).unwrap_or_default().chars().count() + 1)
}

fn first(faults: &[Fault]) -> String {
    match faults {
        [] => "the policies cannot be used".to_owned(),
        [one] => one.to_string(),
        [one, more @ ..] => format!("{one} (and {} more)", more.len()),
    }
}
