//! The open part of a record: what is about no person, behind 16 random bytes.

use crate::{Class, Event, EventData, EventType, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The open part. Its SHA-256 stands in the leaf; the salt keeps guessable fields from being
/// found by hashing guesses.
#[derive(Debug, Serialize, Deserialize)]
pub struct OpenData<'a> {
    /// 16 random bytes in hexadecimal.
    #[serde(borrow)]
    pub salt: Cow<'a, str>,
    /// The trace that the decision belongs to.
    pub trace_id: uuid::Uuid,
    /// The caller's or our id of the request.
    pub request_id: String,
    /// The events, in the order of the leaf's.
    #[serde(borrow)]
    pub events: Vec<OpenEvent<'a>>,
}

/// One event's open fields.
#[derive(Debug, Serialize, Deserialize)]
pub struct OpenEvent<'a> {
    /// When it happened.
    pub timestamp: Timestamp,
    /// Its open fields, as written.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

impl<'a> OpenData<'a> {
    /// Reads the open part.
    ///
    /// # Errors
    /// Where it is not what the writer writes.
    pub fn read(open: &'a [u8]) -> Result<Self, serde_json::Error> {
        from_slice(open)
    }

    /// Reads the fields of a sealed group, one object for each event.
    ///
    /// # Errors
    /// Where they are not what the writer writes.
    pub fn read_sealed(plain: &'a [u8]) -> Result<Vec<&'a RawValue>, serde_json::Error> {
        from_slice(plain)
    }

    /// Writes the open part of these events.
    pub fn write(
        salt: [u8; 16],
        trace_id: uuid::Uuid,
        request_id: &str,
        events: &[Event],
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + 384 * events.len());
        out.extend_from_slice(b"{\"salt\":\"");
        for byte in salt {
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
        out.extend_from_slice(b"\",\"trace_id\":\"");
        let mut buffer = uuid::Uuid::encode_buffer();
        out.extend_from_slice(trace_id.as_hyphenated().encode_lower(&mut buffer).as_bytes());
        out.extend_from_slice(b"\",\"request_id\":");
        write_string(request_id, &mut out);
        out.extend_from_slice(b",\"events\":[");
        for (index, event) in events.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"timestamp\":\"");
            out.extend_from_slice(&event.timestamp.to_text());
            out.extend_from_slice(b"\",\"data\":");
            event.data.write(&[Class::Open], &mut out);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// Writes the fields of these classes, one object for each event; none where no event has any.
    pub fn write_sealed(events: &[Event], classes: &[Class]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(512 * events.len());
        out.push(b'[');
        let mut any = false;
        for (index, event) in events.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            any |= event.data.write(classes, &mut out);
        }
        out.push(b']');
        any.then_some(out)
    }

    /// When the event at `index` happened.
    pub fn timestamp(&self, index: usize) -> Timestamp {
        self.events.get(index).map_or(Timestamp::from_micros(0), |event| event.timestamp)
    }

    /// Reads the fields of the event at `index`, joined with those of opened sealed parts.
    ///
    /// # Errors
    /// Where a part is not what the writer writes.
    pub fn join(
        &self,
        index: usize,
        event_type: EventType,
        sealed: &[Vec<&RawValue>],
    ) -> Result<EventData, serde_json::Error> {
        let open = self.events.get(index).map_or("{}", |event| event.data.get());
        let mut data = EventData::read(event_type, open)?;
        for part in sealed {
            if let Some(fields) = part.get(index) {
                let part = EventData::read(event_type, fields.get())?;
                let merged_names = !data.subjects().is_empty();
                let names = part.subjects().to_vec();
                data.merge(part);
                if merged_names {
                    data.add_subjects(names);
                }
            }
        }
        Ok(data)
    }

    /// Whether the fields of the event at `index` could be joined.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn check(
        &self,
        index: usize,
        event_type: EventType,
        sealed: &[Vec<&RawValue>],
    ) -> Result<(), serde_json::Error> {
        let open = self.events.get(index).map_or("{}", |event| event.data.get());
        EventData::check(event_type, open)?;
        let parts = sealed.iter().filter_map(|part| part.get(index));
        parts.map(|part| part.get()).try_for_each(|part| EventData::check(event_type, part))
    }
}

/// As serde's, which looks at the UTF-8 of each string anew.
fn from_slice<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    let text = std::str::from_utf8(json).map_err(serde::de::Error::custom)?;
    serde_json::from_str(text)
}

pub(crate) fn hex_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble & 15)]
}

pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into memory cannot fail.
    let _written = serde_json::to_writer(out, text);
}
