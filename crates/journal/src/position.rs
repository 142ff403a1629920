//! Where a frame lies.

use std::fmt;
use std::str::FromStr;

/// A place in a writer's journal. Positions order as the journal was written; they are what
/// cursors hold, never times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The epoch; it changes only when continuity could not be proved.
    pub epoch: u32,
    /// The segment within the epoch, from 0.
    pub segment: u32,
    /// Bytes from the start of the segment file.
    pub offset: u64,
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a journal position: write it as epoch:segment:offset, for example 1:0:4096")]
pub struct ParsePositionError;

// === impl Position ===

impl Position {
    /// A place in the given segment.
    pub const fn new(epoch: u32, segment: u32, offset: u64) -> Self {
        Self { epoch, segment, offset }
    }

    /// The same segment, at another offset.
    pub(crate) const fn at(self, offset: u64) -> Self {
        Self { offset, ..self }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.epoch, self.segment, self.offset)
    }
}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let mut parts = text.split(':');
        let mut part = || parts.next().filter(|p| p.bytes().all(|b| b.is_ascii_digit()));
        let (epoch, segment, offset) = (part(), part(), part());
        let (Some(epoch), Some(segment), Some(offset), None) =
            (epoch, segment, offset, parts.next())
        else {
            return Err(ParsePositionError);
        };
        Ok(Self {
            epoch: epoch.parse().map_err(|_| ParsePositionError)?,
            segment: segment.parse().map_err(|_| ParsePositionError)?,
            offset: offset.parse().map_err(|_| ParsePositionError)?,
        })
    }
}
