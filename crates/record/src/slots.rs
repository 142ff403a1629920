//! A small file that is changed in place: two slots, written in turns. A write that a power cut
//! tears spoils one of them, and the other still holds the value before.

use aws_lc_rs::digest;

/// Bytes of one slot; the file has two.
pub const SLOT_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"ALSLOT01";
const GENERATION_AT: usize = 8;
const LENGTH_AT: usize = 16;
const DIGEST_AT: usize = 20;
const VALUE_AT: usize = DIGEST_AT + digest::SHA256_OUTPUT_LEN;

/// A value and how often it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotValue<'a> {
    /// Rises by one with every change; its lowest bit says which slot holds it.
    pub generation: u64,
    /// The value.
    pub value: &'a [u8],
}

/// The slot that holds a value, and where it goes in the file. None where the value is too long.
pub fn write_slot(value: SlotValue<'_>) -> Option<(u64, Vec<u8>)> {
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&value.generation.to_le_bytes());
    slot.extend_from_slice(&u32::try_from(value.value.len()).ok()?.to_le_bytes());
    slot.extend_from_slice(digest_of(value.generation, value.value).as_ref());
    slot.extend_from_slice(value.value);
    (slot.len() <= SLOT_BYTES).then(|| slot.resize(SLOT_BYTES, 0))?;
    Some(((value.generation & 1) * SLOT_BYTES as u64, slot))
}

/// The newest whole value of the file's bytes.
pub fn read_slots(file: &[u8]) -> Option<SlotValue<'_>> {
    file.chunks(SLOT_BYTES).take(2).filter_map(read_slot).max_by_key(|slot| slot.generation)
}

fn read_slot(slot: &[u8]) -> Option<SlotValue<'_>> {
    slot.starts_with(MAGIC).then_some(())?;
    let generation = u64::from_le_bytes(slot.get(GENERATION_AT..LENGTH_AT)?.try_into().ok()?);
    let length = u32::from_le_bytes(slot.get(LENGTH_AT..DIGEST_AT)?.try_into().ok()?) as usize;
    let value = slot.get(VALUE_AT..VALUE_AT.checked_add(length)?)?;
    (slot.get(DIGEST_AT..VALUE_AT)? == digest_of(generation, value).as_ref())
        .then_some(SlotValue { generation, value })
}

fn digest_of(generation: u64, value: &[u8]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(MAGIC);
    context.update(&generation.to_le_bytes());
    context.update(value);
    context.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file_of(values: &[&[u8]]) -> Vec<u8> {
        let mut file = vec![0; 2 * SLOT_BYTES];
        for (generation, value) in values.iter().enumerate() {
            let (at, slot) =
                write_slot(SlotValue { generation: generation as u64, value }).unwrap();
            file[at as usize..][..SLOT_BYTES].copy_from_slice(&slot);
        }
        file
    }

    #[test]
    fn nothing_written_reads_as_nothing() {
        assert_eq!(read_slots(&[]), None);
        assert_eq!(read_slots(&[0; 2 * SLOT_BYTES]), None);
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        let longest = vec![1; SLOT_BYTES - VALUE_AT];
        assert!(write_slot(SlotValue { generation: 1, value: &longest }).is_some());
        let longer = vec![1; SLOT_BYTES - VALUE_AT + 1];
        assert!(write_slot(SlotValue { generation: 1, value: &longer }).is_none());
    }

    proptest! {
        #[test]
        fn a_torn_write_leaves_the_value_before(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 2..6),
            kept in 0..SLOT_BYTES,
        ) {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let (newest, before) = values.split_last().unwrap();
            let old = file_of(before);
            prop_assert_eq!(read_slots(&old).unwrap().value, *before.last().unwrap());
            let generation = before.len() as u64;
            let (at, slot) = write_slot(SlotValue { generation, value: newest }).unwrap();
            let mut torn = old;
            torn[at as usize..][..kept].copy_from_slice(&slot[..kept]);
            let read = read_slots(&torn).unwrap().value;
            prop_assert!(read == *newest || read == *before.last().unwrap());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..10_000)) {
            let _value = read_slots(&bytes);
        }
    }
}
