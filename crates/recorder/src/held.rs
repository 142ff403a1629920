//! Calls that are held for a person: what the store of holds tells a start, and how what is held
//! is sealed there.
//!
//! Held bytes lie outside the journal, under the same persons' keys as its records:
//! `format u8 (0) | keys u8 | { key id 16 }* | nonce 12 | AES-256-GCM-SIV | tag`. The key is derived
//! as a record's, with SHA-256 over `audit-layer/held/1`, a zero byte and the hold's id (its first
//! 16 bytes) for the record id.

use crate::decision::DecisionIds;
use crate::error::{ReadError, RecordError};
use crate::persons::Persons;
use crate::read::derive;
use crate::recorder::Recorder;
use aws_lc_rs::digest::{Context, SHA256};
use seal::{RecordKey, SEALED_OVERHEAD_BYTES};
use uuid::Uuid;

const FORMAT: u8 = 1;
const LABEL: &[u8] = b"audit-layer/held/1\0";
const KEY_ID_BYTES: usize = 16;

/// A call of which the store of holds knows.
#[derive(Debug, Clone)]
pub struct HeldCall {
    /// The decision.
    pub ids: DecisionIds,
    /// How many records of it there are, as far as that store knows.
    pub records: u32,
    /// What is to become of it at the start.
    pub hold: Hold,
}

/// What is to become of a held call at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It waits, and goes on waiting.
    Waits,
    /// It was let through and was under way: it is ended as interrupted, where it has no end.
    Running,
}

/// How far a held call is, as the journal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldProgress {
    /// The decision.
    pub decision_id: Uuid,
    /// How many records of it there are.
    pub records: u32,
    /// Whether one of them, of those that the store of holds did not know, is its end.
    pub ended: bool,
}

/// What of a hold is sealed; one cannot be put in the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum HeldPart {
    /// What is about persons, as reviewers see it.
    About = 0x81,
    /// The request or answer that is held back.
    Held = 0x82,
    /// The answer, kept to be fetched again.
    Answer = 0x83,
}

impl Recorder {
    /// Seals bytes of a hold under the keys of the user and of everybody the call is about: once
    /// any of them is erased, they are closed for good.
    ///
    /// # Errors
    /// Where the library fails.
    pub fn seal_held(
        &self,
        persons: &Persons,
        hold_id: &str,
        part: HeldPart,
        bytes: &[u8],
    ) -> Result<Vec<u8>, RecordError> {
        let keys = persons.all();
        let id = key_id(hold_id);
        let mut out =
            Vec::with_capacity(2 + KEY_ID_BYTES * keys.len() + bytes.len() + SEALED_OVERHEAD_BYTES);
        out.push(FORMAT);
        out.push(u8::try_from(keys.len()).map_err(|_| seal::Error::NoKeys)?);
        for key in &keys {
            out.extend_from_slice(key.id().as_bytes());
        }
        let aad = seal::aad(&self.tenant(), &id, part as u8, 0, 0);
        RecordKey::derive(&id, &keys).seal_into(&aad, bytes, &mut out)?;
        Ok(out)
    }

    /// Opens bytes of a hold; none where one of its persons was erased. Reads the key store:
    /// belongs on a blocking thread.
    ///
    /// # Errors
    /// Where they are not what was sealed for this hold and part.
    pub fn open_held(
        &self,
        hold_id: &str,
        part: HeldPart,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let id = key_id(hold_id);
        let (set, sealed) = split(sealed).ok_or(seal::Error::Tampered)?;
        let Some(key) = derive(self.keys(), Uuid::from_bytes(id), &set)? else {
            return Ok(None);
        };
        let aad = seal::aad(&self.tenant(), &id, part as u8, 0, 0);
        Ok(Some(key.open(&aad, sealed)?))
    }
}

fn key_id(hold_id: &str) -> [u8; 16] {
    let mut context = Context::new(&SHA256);
    context.update(LABEL);
    context.update(hold_id.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&context.finish().as_ref()[..16]);
    id
}

fn split(sealed: &[u8]) -> Option<(Vec<[u8; KEY_ID_BYTES]>, &[u8])> {
    let (head, rest) = sealed.split_first_chunk::<2>()?;
    let [FORMAT, count] = *head else { return None };
    let (ids, sealed) = rest.split_at_checked(KEY_ID_BYTES * usize::from(count))?;
    let (ids, _) = ids.as_chunks::<KEY_ID_BYTES>();
    Some((ids.to_vec(), sealed))
}
