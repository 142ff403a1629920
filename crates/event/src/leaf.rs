//! The leaf of a record: one line of JSON in canonical form (RFC 8785), the only bytes of a
//! record that enter the Merkle tree. It holds nothing about a person and nothing that links
//! decisions.

use crate::open::{hex_digit, write_string};
use crate::{Component, Event, EventType, Origin, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Version of the leaf's format.
const VERSION: &str = "audit-layer/leaf/1";
/// C2SP tlog-tiles gives entry lengths 16 bits.
pub const LEAF_BYTES_MAX: usize = 65_535;
/// RFC 8785 numbers are IEEE 754 doubles.
const INTEGER_MAX: u64 = 1 << 53;

/// A leaf as read back. Field order is canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The decision.
    pub decision_id: Uuid,
    /// The writer's epoch.
    pub epoch: u64,
    /// The record's events.
    pub events: Vec<LeafEvent>,
    /// SHA-256 over the commitments to the record's keys, in hexadecimal.
    pub key_commit: String,
    /// SHA-256 of the open part, in hexadecimal.
    pub open_sha256: String,
    /// How the record came to be known.
    pub origin: Origin,
    /// Stored bytes of all parts.
    pub parts_bytes: u64,
    /// RFC 6962 tree hash over the stored parts, in hexadecimal.
    pub parts_root: String,
    /// The record.
    pub record_id: Uuid,
    /// SHA-256 of the sealed part, in hexadecimal (of nothing, where there is none).
    pub sealed_sha256: String,
    /// Number of the leaf in its log, from 0.
    pub seq: u64,
    /// The tenant.
    pub tenant: String,
    /// When the record was written.
    pub ts: Timestamp,
    /// Version of the format.
    pub v: String,
    /// The writer.
    pub writer: String,
}

/// What a leaf says of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafEvent {
    /// Who owns it.
    pub component: Component,
    /// Its id.
    pub event_id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
}

/// Why bytes are not a leaf.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// Not the JSON of a leaf.
    #[error("the leaf is not readable: {0}; the record was altered or comes from a newer version")]
    Unreadable(#[from] serde_json::Error),
    /// JSON of a leaf, and not in canonical form.
    #[error("the leaf is not in canonical form; it was not written by this product")]
    NotCanonical,
    /// Another version's.
    #[error(
        "the leaf has format {0:?}, this program reads {VERSION:?}; use the version that wrote it or a newer one"
    )]
    Version(String),
}

impl Leaf {
    /// Reads a leaf and holds it to its canonical form.
    ///
    /// # Errors
    /// Where the bytes are not exactly what [`LeafDraft::finish`] would write.
    pub fn read(bytes: &[u8]) -> Result<Self, LeafError> {
        let leaf: Self = serde_json::from_slice(bytes)?;
        if leaf.v != VERSION {
            return Err(LeafError::Version(leaf.v));
        }
        if leaf.to_bytes() != bytes {
            return Err(LeafError::NotCanonical);
        }
        Ok(leaf)
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings and integers, its fields in canonical order, always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A leaf that lacks only what the committer gives: number and time.
#[derive(Debug)]
pub struct LeafDraft {
    /// Canonical bytes without the two.
    text: Vec<u8>,
    /// Where in them the number belongs, and where the time.
    number_at: usize,
    time_at: usize,
}

/// What a draft is made of.
#[derive(Debug)]
pub struct LeafFields<'a> {
    /// The decision.
    pub decision_id: Uuid,
    /// The record.
    pub record_id: Uuid,
    /// The writer's epoch.
    pub epoch: u64,
    /// How the record came to be known.
    pub origin: Origin,
    /// The tenant; printable ASCII.
    pub tenant: &'a str,
    /// The writer; printable ASCII.
    pub writer: &'a str,
    /// The record's events.
    pub events: &'a [Event],
    /// SHA-256 over the commitments to the record's keys.
    pub key_commit: [u8; 32],
    /// SHA-256 of the open part.
    pub open_sha256: [u8; 32],
    /// SHA-256 of the sealed part.
    pub sealed_sha256: [u8; 32],
    /// Tree hash over the parts.
    pub parts_root: [u8; 32],
    /// Stored bytes of all parts.
    pub parts_bytes: u64,
}

impl LeafDraft {
    /// Writes all but number and time.
    pub fn new(fields: &LeafFields<'_>) -> Self {
        debug_assert!(fields.parts_bytes < INTEGER_MAX && fields.epoch < INTEGER_MAX);
        let mut text = Vec::with_capacity(784 + 128 * fields.events.len());
        text.extend_from_slice(b"{\"decision_id\":");
        put_uuid(fields.decision_id, &mut text);
        text.extend_from_slice(b",\"epoch\":");
        put_integer(fields.epoch, &mut text);
        text.extend_from_slice(b",\"events\":[");
        for (index, event) in fields.events.iter().enumerate() {
            text.extend_from_slice(if index > 0 {
                b",{\"component\":\""
            } else {
                b"{\"component\":\""
            });
            text.extend_from_slice(event.component.as_str().as_bytes());
            text.extend_from_slice(b"\",\"event_id\":");
            put_uuid(event.event_id, &mut text);
            text.extend_from_slice(b",\"type\":\"");
            text.extend_from_slice(event.event_type().as_str().as_bytes());
            text.extend_from_slice(b"\"}");
        }
        text.extend_from_slice(b"],\"key_commit\":");
        put_hash(&fields.key_commit, &mut text);
        text.extend_from_slice(b",\"open_sha256\":");
        put_hash(&fields.open_sha256, &mut text);
        text.extend_from_slice(b",\"origin\":\"");
        text.extend_from_slice(fields.origin.as_str().as_bytes());
        text.extend_from_slice(b"\",\"parts_bytes\":");
        put_integer(fields.parts_bytes, &mut text);
        text.extend_from_slice(b",\"parts_root\":");
        put_hash(&fields.parts_root, &mut text);
        text.extend_from_slice(b",\"record_id\":");
        put_uuid(fields.record_id, &mut text);
        text.extend_from_slice(b",\"sealed_sha256\":");
        put_hash(&fields.sealed_sha256, &mut text);
        text.extend_from_slice(b",\"seq\":");
        let number_at = text.len();
        text.extend_from_slice(b",\"tenant\":");
        write_string(fields.tenant, &mut text);
        text.extend_from_slice(b",\"ts\":\"");
        let time_at = text.len();
        text.extend_from_slice(b"\",\"v\":\"");
        text.extend_from_slice(VERSION.as_bytes());
        text.extend_from_slice(b"\",\"writer\":");
        write_string(fields.writer, &mut text);
        text.push(b'}');
        Self { text, number_at, time_at }
    }

    /// Appends the finished leaf.
    pub fn finish(&self, seq: u64, ts: Timestamp, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text[..self.number_at]);
        put_integer(seq, out);
        out.extend_from_slice(&self.text[self.number_at..self.time_at]);
        out.extend_from_slice(&ts.to_text());
        out.extend_from_slice(&self.text[self.time_at..]);
    }
}

fn put_uuid(id: Uuid, out: &mut Vec<u8>) {
    let mut buffer = Uuid::encode_buffer();
    out.push(b'"');
    out.extend_from_slice(id.as_hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
}

fn put_hash(hash: &[u8; 32], out: &mut Vec<u8>) {
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        *pair = [hex_digit(byte >> 4), hex_digit(*byte)];
    }
    out.push(b'"');
    out.extend_from_slice(&text);
    out.push(b'"');
}

fn put_integer(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestFailed;
    use proptest::prelude::*;

    fn draft(events: &[Event], writer: &str) -> LeafDraft {
        LeafDraft::new(&LeafFields {
            decision_id: Uuid::now_v7(),
            record_id: Uuid::now_v7(),
            epoch: 1,
            origin: Origin::Observed,
            tenant: "default",
            writer,
            events,
            key_commit: [1; 32],
            open_sha256: [2; 32],
            sealed_sha256: [3; 32],
            parts_root: [0xab; 32],
            parts_bytes: 77,
        })
    }

    proptest! {
        #[test]
        fn drafts_finish_as_canonical_leaves(
            seq in 0..(1_u64 << 53), micros in 0..253_402_300_799_999_999_i64, count in 1..64_usize,
            writer in "[ -~]{1,32}",
        ) {
            let events: Vec<_> = (0..count)
                .map(|_| Event::new(Component::Gateway, Timestamp::now(), RequestFailed::default()))
                .collect();
            let mut bytes = Vec::new();
            draft(&events, &writer).finish(seq, Timestamp::from_micros(micros), &mut bytes);
            let leaf = Leaf::read(&bytes).unwrap();
            prop_assert_eq!(leaf.seq, seq);
            prop_assert_eq!(leaf.ts.as_micros(), micros);
            prop_assert_eq!(leaf.events.len(), count);
            prop_assert!(bytes.len() <= LEAF_BYTES_MAX);
        }
    }

    #[test]
    fn two_events_stay_under_one_kibibyte() {
        let events = [
            Event::new(Component::Gateway, Timestamp::now(), RequestFailed::default()),
            Event::new(Component::ModelRouter, Timestamp::now(), crate::RoutingStart::default()),
        ];
        let mut bytes = Vec::new();
        draft(&events, "w-0a1b2c3d").finish(u64::from(u32::MAX), Timestamp::now(), &mut bytes);
        assert!(bytes.len() <= 1024, "{} bytes", bytes.len());
    }

    #[test]
    fn other_forms_of_the_same_json_are_refused() {
        let mut bytes = Vec::new();
        draft(&[], "w").finish(0, Timestamp::now(), &mut bytes);
        bytes.insert(1, b' ');
        assert!(matches!(Leaf::read(&bytes), Err(LeafError::NotCanonical)));
    }
}
