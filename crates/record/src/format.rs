//! How a record lies in frames: the layout that writer, reader and verifier share.
//!
//! A part's payload is `record_id 16 | role u8 | attempt u8 | number u32le | last u8` followed by
//! the sealed piece. The sealed frame's payload is `groups u8`, then for each group
//! `commitment 32 | length u32le | sealed`. A frame's `keys` name the subject keys of each group:
//! `groups u8 { count u8 { key id 16 }* }*`; an open frame's `keys` list the places of parts that
//! were written before their record: `{ epoch u32le | segment u32le | offset u64le }*`.

use uuid::Uuid;

/// Bytes before the sealed piece of a part.
pub const PART_HEADER_BYTES: usize = 23;
/// Plain bytes in one part at most.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;
/// Places of early parts that an open frame can list (its `keys` have 16-bit length).
pub const EARLY_PARTS_MAX: usize = 4_000;
const PLACE_BYTES: usize = 16;
const KEY_ID_BYTES: usize = 16;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// The request as the client sent it.
    ClientRequest = 1,
    /// The request as the provider got it, where it differs.
    UpstreamRequest = 2,
    /// The answer as the provider sent it.
    UpstreamResponse = 3,
    /// The answer as the client got it, where it differs.
    ClientResponse = 4,
}

impl Role {
    /// The role with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::ClientRequest),
            2 => Some(Self::UpstreamRequest),
            3 => Some(Self::UpstreamResponse),
            4 => Some(Self::ClientResponse),
            _ => None,
        }
    }

    /// The name that users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientRequest => "client_request",
            Self::UpstreamRequest => "upstream_request",
            Self::UpstreamResponse => "upstream_response",
            Self::ClientResponse => "client_response",
        }
    }
}

/// Where a part belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartHeader {
    /// The record.
    pub record_id: Uuid,
    /// What the body is.
    pub role: Role,
    /// Number of the attempt at a provider, from 0.
    pub attempt: u8,
    /// Number of the piece, from 0.
    pub number: u32,
    /// Whether the body ends here.
    pub last: bool,
}

impl PartHeader {
    /// Appends the header.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.record_id.as_bytes());
        out.push(self.role as u8);
        out.push(self.attempt);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.push(u8::from(self.last));
    }

    /// Splits a part's payload into header and sealed piece.
    pub fn read(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (header, piece) = payload.split_at_checked(PART_HEADER_BYTES)?;
        let header = Self {
            record_id: Uuid::from_slice(&header[..16]).ok()?,
            role: Role::from_number(header[16])?,
            attempt: header[17],
            number: u32::from_le_bytes(header[18..22].try_into().ok()?),
            last: match header[22] {
                0 => false,
                1 => true,
                _ => return None,
            },
        };
        Some((header, piece))
    }
}

/// Tells which parts, in order and each once, make up bodies: those in front of the first missing
/// piece. What stands behind it (a later write succeeded where an earlier one did not) belongs to
/// no record.
#[derive(Debug, Default)]
pub struct Pieces {
    last: Option<PartHeader>,
    broken: bool,
}

impl Pieces {
    /// Whether the next part belongs to its body.
    pub fn takes(&mut self, part: &PartHeader) -> bool {
        let before = self.last.replace(*part);
        match before.filter(|last| (last.role, last.attempt) == (part.role, part.attempt)) {
            None => self.broken = part.number != 0,
            Some(last) => self.broken |= part.number != last.number.wrapping_add(1),
        }
        !self.broken
    }
}

/// One group of sealed fields.
#[derive(Debug, Clone, Copy)]
pub struct SealedGroup<'a> {
    /// Commitment to the group's key.
    pub commitment: &'a [u8; 32],
    /// Nonce, cipher text, tag.
    pub sealed: &'a [u8],
}

/// Appends one group to a sealed frame's payload (whose first byte counts them).
pub fn write_group(commitment: &[u8; 32], sealed: &[u8], out: &mut Vec<u8>) {
    if out.is_empty() {
        out.push(0);
    }
    out[0] = out[0].saturating_add(1);
    out.extend_from_slice(commitment);
    out.extend_from_slice(&(sealed.len() as u32).to_le_bytes());
    out.extend_from_slice(sealed);
}

/// The groups of a sealed frame's payload; none where it is not one.
pub fn read_groups(payload: &[u8]) -> Option<Vec<SealedGroup<'_>>> {
    let (&count, mut rest) = payload.split_first()?;
    let mut groups = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let (commitment, after) = rest.split_first_chunk::<32>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (sealed, after) =
            after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        groups.push(SealedGroup { commitment, sealed });
        rest = after;
    }
    rest.is_empty().then_some(groups)
}

/// Writes the `keys` of a frame: one set of key ids for each group.
pub fn write_key_sets<S: AsRef<[[u8; KEY_ID_BYTES]]>>(sets: &[S]) -> Vec<u8> {
    let ids: usize = sets.iter().map(|set| set.as_ref().len()).sum();
    let mut out = Vec::with_capacity(1 + sets.len() + ids * KEY_ID_BYTES);
    out.push(sets.len() as u8);
    for set in sets {
        out.push(set.as_ref().len() as u8);
        out.extend_from_slice(set.as_ref().as_flattened());
    }
    out
}

/// The key ids in a frame's `keys`; none where it is malformed.
pub fn read_key_sets(keys: &[u8]) -> Option<Vec<Vec<[u8; KEY_ID_BYTES]>>> {
    let (&groups, mut rest) = keys.split_first()?;
    let mut sets = Vec::with_capacity(usize::from(groups));
    for _ in 0..groups {
        let (&count, after) = rest.split_first()?;
        let (ids, after) = after.split_at_checked(usize::from(count) * KEY_ID_BYTES)?;
        sets.push(ids.as_chunks::<KEY_ID_BYTES>().0.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(sets)
}

/// Where a frame stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Epoch of the writer.
    pub epoch: u32,
    /// Number of the segment.
    pub segment: u32,
    /// Byte in the segment.
    pub offset: u64,
}

/// Writes the places of parts that stand before their record.
pub fn write_places(places: &[Place]) -> Vec<u8> {
    let mut out = Vec::with_capacity(places.len() * PLACE_BYTES);
    for place in places {
        out.extend_from_slice(&place.epoch.to_le_bytes());
        out.extend_from_slice(&place.segment.to_le_bytes());
        out.extend_from_slice(&place.offset.to_le_bytes());
    }
    out
}

/// Reads the places of parts that stand before their record; none where it is malformed.
pub fn read_places(keys: &[u8]) -> Option<Vec<Place>> {
    let (places, rest) = keys.as_chunks::<PLACE_BYTES>();
    rest.is_empty().then(|| {
        places
            .iter()
            .map(|[e0, e1, e2, e3, s0, s1, s2, s3, offset @ ..]| Place {
                epoch: u32::from_le_bytes([*e0, *e1, *e2, *e3]),
                segment: u32::from_le_bytes([*s0, *s1, *s2, *s3]),
                offset: u64::from_le_bytes(*offset),
            })
            .collect()
    })
}

/// What is said of a decision afterwards is numbered from here on, apart from its course: the two
/// are written by different hands, at any time.
pub const NOTES_FROM: u32 = 1 << 31;

/// The id of a decision's nth record: a UUIDv8 of SHA-256 over both, so that what a crash left
/// of a record can be found from its decision.
pub fn record_id(decision_id: Uuid, number: u32) -> Uuid {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(b"audit-layer/record/1");
    context.update(decision_id.as_bytes());
    context.update(&number.to_le_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_read_back(groups in prop::collection::vec((any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 0..99)), 1..9)) {
            let mut payload = Vec::new();
            for (commitment, sealed) in &groups {
                write_group(commitment, sealed, &mut payload);
            }
            let read = read_groups(&payload).unwrap();
            prop_assert_eq!(read.len(), groups.len());
            for (read, (commitment, sealed)) in read.iter().zip(&groups) {
                prop_assert_eq!(read.commitment, commitment);
                prop_assert_eq!(read.sealed, &sealed[..]);
            }
        }

        #[test]
        fn key_sets_and_places_read_back(
            sets in prop::collection::vec(prop::collection::vec(any::<[u8; 16]>(), 0..9), 0..9),
            places in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u64>()), 0..9),
        ) {
            prop_assert_eq!(read_key_sets(&write_key_sets(&sets)).unwrap(), sets);
            let places: Vec<_> = places
                .into_iter()
                .map(|(epoch, segment, offset)| Place { epoch, segment, offset })
                .collect();
            prop_assert_eq!(read_places(&write_places(&places)).unwrap(), places);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read_groups(&bytes), read_key_sets(&bytes), read_places(&bytes), PartHeader::read(&bytes));
        }
    }

    #[test]
    fn pieces_end_at_a_gap_and_begin_again_with_the_next_body() {
        let part = |role, number| PartHeader {
            record_id: Uuid::nil(),
            role,
            attempt: 0,
            number,
            last: false,
        };
        let (one, two) = (Role::ClientRequest, Role::UpstreamResponse);
        let parts = [part(one, 0), part(one, 1), part(one, 3), part(one, 4), part(two, 0)];
        let mut pieces = Pieces::default();
        assert_eq!(parts.map(|part| pieces.takes(&part)), [true, true, false, false, true]);
        assert!(!Pieces::default().takes(&part(one, 1)));
    }

    #[test]
    fn record_ids_differ_by_decision_and_number() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let ids = [record_id(a, 0), record_id(a, 1), record_id(b, 0), record_id(b, 1)];
        for (i, one) in ids.iter().enumerate() {
            assert_eq!(one.get_version_num(), 8);
            assert!(ids[..i].iter().all(|other| other != one));
        }
    }
}
