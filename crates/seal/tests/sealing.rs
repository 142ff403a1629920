//! Sealing at its boundary: what opens, and everything that must not.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use proptest::prelude::*;
use seal::{
    Codec, Error, KeyClass, KeyRing, LocalKeyFile, Options, PIECE_BYTES_MAX, RecordKey, SubjectKey,
    aad,
};
use std::sync::Arc;

const RECORD: [u8; 16] = [3; 16];

async fn subject_keys(names: &[&str]) -> Vec<Arc<SubjectKey>> {
    let dir = tempfile::tempdir().unwrap();
    let provider = LocalKeyFile::load_or_create(&dir.path().join("keys")).unwrap();
    let path = dir.path().join("subjects.db");
    let ring = KeyRing::open(&path, Arc::new(provider), Options::default()).unwrap();
    let mut keys = Vec::new();
    for name in names {
        keys.push(ring.get_or_create(KeyClass::Subject, name).await.unwrap());
    }
    keys
}

fn fixed_key(seed: u8) -> RecordKey {
    let text = [seed; 32];
    // Any commitment is refused but the right one, which the refusal does not tell: derive it.
    let commitment = {
        use aws_lc_rs::digest::{SHA256, digest};
        let bytes = [b"audit-layer/record/1 commit\0".as_slice(), &text].concat();
        <[u8; 32]>::try_from(digest(&SHA256, &bytes).as_ref()).unwrap()
    };
    RecordKey::from_parts(text, commitment).unwrap()
}

#[test]
fn every_changed_byte_is_noticed() {
    let key = fixed_key(1);
    let aad = aad("default", &RECORD, 1, 0, 0);
    let sealed = key.seal(&aad, b"the quick brown fox").unwrap();
    assert_eq!(key.open(&aad, &sealed).unwrap(), b"the quick brown fox");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            assert_eq!(key.open(&aad, &changed).unwrap_err(), Error::Tampered, "byte {at}");
        }
        assert_eq!(key.open(&aad, &sealed[..at]).unwrap_err(), Error::Tampered);
    }
    for at in 0..aad.len() {
        let mut changed = aad.clone();
        changed[at] ^= 1;
        assert_eq!(key.open(&changed, &sealed).unwrap_err(), Error::Tampered, "aad {at}");
    }
    assert_eq!(fixed_key(2).open(&aad, &sealed).unwrap_err(), Error::Tampered);
}

#[test]
fn every_place_has_additional_data_of_its_own() {
    let places = [
        aad("default", &RECORD, 1, 0, 0),
        aad("other", &RECORD, 1, 0, 0),
        aad("default", &[4; 16], 1, 0, 0),
        aad("default", &RECORD, 2, 0, 0),
        aad("default", &RECORD, 1, 1, 0),
        aad("default", &RECORD, 1, 0, 1),
    ];
    for (n, place) in places.iter().enumerate() {
        assert!(!places[n + 1..].contains(place), "{n}");
    }
}

#[tokio::test]
async fn record_key_needs_every_person_in_any_order() {
    let keys = subject_keys(&["alice", "bob"]).await;
    let (alice, bob) = (keys[0].clone(), keys[1].clone());
    let commitment = |keys: &[Arc<SubjectKey>]| RecordKey::derive(&RECORD, keys).commitment();
    let both = commitment(&[alice.clone(), bob.clone()]);
    assert_eq!(both, commitment(&[bob.clone(), alice.clone()]));
    assert_eq!(both, commitment(&[bob.clone(), alice.clone(), bob.clone()]));
    assert_ne!(both, commitment(std::slice::from_ref(&alice)));
    assert_ne!(both, commitment(std::slice::from_ref(&bob)));
    assert_ne!(both, RecordKey::derive(&[4; 16], &[alice, bob]).commitment());
}

#[tokio::test]
async fn disclosed_key_opens_its_record_and_fits_no_other_commitment() {
    let keys = subject_keys(&["alice"]).await;
    let key = RecordKey::derive(&RECORD, &keys);
    let sealed = key.seal(b"", b"text").unwrap();
    let exported = *key.export().unwrap();
    let disclosed = RecordKey::from_parts(exported, key.commitment()).unwrap();
    assert_eq!(disclosed.open(b"", &sealed).unwrap(), b"text");
    let mut other = key.commitment();
    other[31] ^= 1;
    assert_eq!(RecordKey::from_parts(exported, other).unwrap_err(), Error::Commitment);
    let mut wrong = exported;
    wrong[0] ^= 1;
    assert_eq!(RecordKey::from_parts(wrong, key.commitment()).unwrap_err(), Error::Commitment);
}

#[test]
fn nothing_is_sealed_under_no_key() {
    let key = RecordKey::derive(&RECORD, &[]);
    assert_eq!(key.seal(b"", b"text").unwrap_err(), Error::NoKeys);
    assert_eq!(key.export().unwrap_err(), Error::NoKeys);
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let keys = subject_keys(&["alice"]).await;
    let key = RecordKey::derive(&RECORD, &keys);
    let secret = *key.export().unwrap();
    let hex = hex::encode(secret);
    let shown = format!("{key:?} {:?}", keys[0]);
    assert!(!shown.contains(&hex) && !shown.contains(&format!("{secret:?}")), "{shown}");
}

#[test]
fn pieces_are_bounded_both_ways() {
    let mut codec = Codec::default();
    let full = vec![7; PIECE_BYTES_MAX];
    let packed = codec.compress(&full).unwrap();
    assert!(packed.len() < 1024);
    assert_eq!(codec.decompress(&packed).unwrap(), full);
    let too_long = Error::Piece { bytes_max: PIECE_BYTES_MAX };
    assert_eq!(codec.compress(&vec![7; PIECE_BYTES_MAX + 1]).unwrap_err(), too_long);
    let bomb = zstd::bulk::compress(&vec![0; 64 * 1024 * 1024], 1).unwrap();
    assert_eq!(codec.decompress(&bomb).unwrap_err(), too_long);
    // A frame that does not state its size must not get past the bound either.
    let silent = zstd::stream::encode_all(&*vec![0; 64 * 1024 * 1024], 1).unwrap();
    assert_eq!(codec.decompress(&silent).unwrap_err(), too_long);
    assert_eq!(codec.decompress(b"").unwrap_err(), too_long);
}

proptest! {
    #[test]
    fn round_trips(plain in prop::collection::vec(any::<u8>(), 0..4096), place in any::<u32>()) {
        let mut codec = Codec::default();
        let key = fixed_key(1);
        let aad = aad("default", &RECORD, 3, 1, place);
        let mut stored = b"header".to_vec();
        key.seal_into(&aad, &codec.compress(&plain).unwrap(), &mut stored).unwrap();
        let packed = key.open(&aad, &stored[6..]).unwrap();
        prop_assert_eq!(codec.decompress(&packed).unwrap(), plain);
    }

    #[test]
    fn any_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(fixed_key(1).open(b"", &bytes).is_err());
        let _decompressed = Codec::default().decompress(&bytes);
    }
}
