//! Cursors of the feed: opaque, of one writer, and checked.

use crate::problem::Problem;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use index::Cursor;
use journal::Position;

/// Version of the cursor's form.
const FORM: u8 = 1;
const PLACE_BYTES: usize = 17;
const CHECK_BYTES: usize = 8;

/// The cursor of a position.
pub(super) fn encode(writer: &str, at: Position) -> String {
    let mut bytes = Vec::with_capacity(PLACE_BYTES + CHECK_BYTES);
    bytes.push(FORM);
    bytes.extend_from_slice(&at.epoch.to_le_bytes());
    bytes.extend_from_slice(&at.segment.to_le_bytes());
    bytes.extend_from_slice(&at.offset.to_le_bytes());
    let check = check(writer, &bytes);
    bytes.extend_from_slice(&check);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position of a cursor; also of an `as_of` of a list.
pub(super) fn decode(writer: &str, text: &str) -> Result<Position, Problem> {
    if let Ok(cursor) = text.parse::<Cursor>() {
        let at = recorder::position_of(&cursor);
        return if cursor.writer == writer { Ok(at) } else { Err(refused()) };
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let (place, given) = bytes.split_at_checked(PLACE_BYTES).ok_or_else(refused)?;
    if place[0] != FORM || given != check(writer, place) {
        return Err(refused());
    }
    let mut epoch = [0; 4];
    epoch.copy_from_slice(&place[1..5]);
    let mut segment = [0; 4];
    segment.copy_from_slice(&place[5..9]);
    let mut offset = [0; 8];
    offset.copy_from_slice(&place[9..17]);
    Ok(Position {
        epoch: u32::from_le_bytes(epoch),
        segment: u32::from_le_bytes(segment),
        offset: u64::from_le_bytes(offset),
    })
}

/// What is said of a cursor that leads nowhere.
pub(crate) fn refused() -> Problem {
    let detail = "since: not a cursor of this feed; pass one as a message of the feed (or as_of of \
                  a list) gave it, or none to begin now";
    Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail)
}

/// FNV-1a: finds mistakes, keeps no secret. A cursor only says where to read, never what.
fn check(writer: &str, place: &[u8]) -> [u8; CHECK_BYTES] {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = writer.as_bytes().iter().chain(place).fold(0xcbf2_9ce4_8422_2325, step);
    hash.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_others_are_refused() {
        let at = Position { epoch: 2, segment: 7, offset: 4_096 };
        let text = encode("w-1", at);
        assert_eq!(decode("w-1", &text).ok(), Some(at));
        assert_eq!(decode("w-1", "w-1:2:7:4096").ok(), Some(at));
        for bad in ["", "x", &text[1..], "w-2:2:7:4096", "w-1:2:7", &text.replace('A', "B")] {
            assert!(decode("w-1", bad).is_err(), "{bad}");
        }
        assert!(decode("w-2", &text).is_err());
    }
}
