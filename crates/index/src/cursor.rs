//! Places in a writer's journal, as far as the index must know them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{cmp::Ordering, fmt, str::FromStr};

/// A place in the journal of one writer. Its text form is opaque to users: they hand back what
/// they were given. Cursors of two writers have no order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The writer.
    pub writer: String,
    /// Its epoch.
    pub epoch: u32,
    /// Number of the segment.
    pub segment: u32,
    /// Byte offset in the segment.
    pub offset: u64,
}

/// A text that is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a position; pass one as an answer gave it")]
pub struct CursorError {
    /// What was found, cut to 64 characters.
    pub found: String,
}

// === impl Cursor ===

impl Cursor {
    /// A place.
    pub fn new(writer: impl Into<String>, epoch: u32, segment: u32, offset: u64) -> Self {
        Self { writer: writer.into(), epoch, segment, offset }
    }

    /// Epoch, segment, offset: the order within one writer.
    pub const fn place(&self) -> (u32, u32, u64) {
        (self.epoch, self.segment, self.offset)
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.writer == other.writer).then(|| self.place().cmp(&other.place()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.writer, self.epoch, self.segment, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let error = || CursorError { found: text.chars().take(64).collect() };
        let mut parts = text.rsplitn(4, ':');
        let (Some(offset), Some(segment), Some(epoch), Some(writer)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(error());
        };
        if writer.is_empty() {
            return Err(error());
        }
        Ok(Self {
            writer: writer.to_owned(),
            epoch: epoch.parse().map_err(|_| error())?,
            segment: segment.parse().map_err(|_| error())?,
            offset: offset.parse().map_err(|_| error())?,
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_the_rest() {
        let cursor = Cursor::new("w-00c0ffee", 1, 2, 4096);
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for bad in ["", ":1:2:3", "w:1:2", "w:1:2:x", "w:1:-2:3", "w:4294967296:0:0"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn order_is_that_of_the_journal_and_none_between_writers() {
        let at = |epoch, segment, offset| Cursor::new("w", epoch, segment, offset);
        assert!(at(1, 9, 9) < at(2, 0, 0));
        assert!(at(1, 1, 9) < at(1, 2, 0));
        assert!(at(1, 1, 8) < at(1, 1, 9));
        assert_eq!(at(1, 1, 1).partial_cmp(&Cursor::new("v", 1, 1, 1)), None);
    }
}
