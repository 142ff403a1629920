//! What of an answer may go to the caller before its outcome is durable.

use bytes::Bytes;
use wire::EventGate;

/// An answer of up to this size and unknown length is kept until it is whole, where its media
/// type is not one that is read piece by piece.
pub(crate) const WHOLE_BYTES_MAX: usize = 1024 * 1024;

/// Keeps back the final piece.
pub(crate) enum Hold {
    /// Everything, up to [`WHOLE_BYTES_MAX`]; then the last piece.
    Whole { pieces: Vec<Bytes>, bytes: usize },
    /// The last piece.
    Last(Option<Bytes>),
    /// The terminal event of a stream.
    Events(EventGate),
    /// Everything, until it is judged.
    All { gate: Option<EventGate>, pieces: Vec<Bytes> },
}

impl Hold {
    pub(crate) const fn whole() -> Self {
        Self::Whole { pieces: Vec::new(), bytes: 0 }
    }

    /// The same until the answer is judged, however long it is.
    pub(crate) fn until_judged(self) -> Self {
        match self {
            Self::Events(gate) => Self::All { gate: Some(gate), pieces: Vec::new() },
            _ => Self::All { gate: None, pieces: Vec::new() },
        }
    }

    /// Whether nothing has been released so far because all is kept.
    pub(crate) const fn keeps_all(&self) -> bool {
        matches!(self, Self::Whole { .. } | Self::All { .. })
    }

    /// Takes in a piece and appends what may go.
    pub(crate) fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) {
        match self {
            Self::Whole { pieces, bytes } => {
                *bytes += piece.len();
                pieces.push(piece);
                if *bytes > WHOLE_BYTES_MAX {
                    let last = pieces.pop();
                    out.append(pieces);
                    *self = Self::Last(last);
                }
            }
            Self::Last(held) => out.extend(held.replace(piece)),
            Self::Events(gate) => gate.push(piece, out),
            Self::All { gate: None, pieces } => pieces.push(piece),
            Self::All { gate: Some(gate), pieces } => gate.push(piece, pieces),
        }
    }

    /// What is kept at the end.
    pub(crate) fn finish(self, out: &mut Vec<Bytes>) {
        match self {
            Self::Whole { mut pieces, .. } => out.append(&mut pieces),
            Self::Last(held) => out.extend(held),
            Self::Events(gate) => gate.finish(out),
            Self::All { gate, mut pieces } => {
                if let Some(gate) = gate {
                    gate.finish(&mut pieces);
                }
                out.append(&mut pieces);
            }
        }
    }
}
