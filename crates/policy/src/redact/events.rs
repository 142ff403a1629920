//! Streams of server-sent events: the texts that their deltas make up.

use super::json::{self, Piece, Strings};

/// The pieces of all events, those of one text beside each other and in order.
pub(super) fn read(bytes: &[u8]) -> Strings {
    let mut strings = Strings::default();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if let Some(data) = rest.get(..length).and_then(|line| line.strip_prefix(b"data:")) {
            let start = at + length - data.len();
            event(bytes, start, at + length, &mut strings);
        }
        at += length + 1;
    }
    strings.pieces.sort_by_key(|piece| piece.channel);
    strings
}

/// The pieces of one event; what is no JSON is a text of its own.
fn event(bytes: &[u8], start: usize, end: usize, strings: &mut Strings) {
    let (pieces, probabilities) = (strings.pieces.len(), strings.probabilities.len());
    let upto = bytes.get(..end).unwrap_or_default();
    if json::read(upto, start, false, true, strings).is_err() {
        strings.pieces.truncate(pieces);
        strings.probabilities.truncate(probabilities);
        strings.pieces.push(Piece {
            start,
            end,
            name: (0, 0),
            channel: u64::MAX - start as u64,
            json: false,
        });
    }
}
