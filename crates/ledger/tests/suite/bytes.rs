//! Any bytes: no parser panics, and what it accepts it writes back as it was.

use ledger::{
    LogVerifier, Note, ResourceId, Retained, SignedCheckpoint, TlogProof, VerifierKey,
    decode_bundle, parse_signature_lines,
};
use proptest::prelude::*;

use crate::log::{Store, TestKey, leaves, publish, trust};

fn read_all(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(note) = Note::parse(bytes) {
        prop_assert_eq!(note.to_string().into_bytes(), bytes);
    }
    if let Ok(signed) = SignedCheckpoint::parse(bytes) {
        prop_assert_eq!(signed.to_string().into_bytes(), bytes);
        let _ = signed.verify(&trust(&TestKey::log(1)));
    }
    if let Ok(proof) = TlogProof::parse(bytes) {
        prop_assert_eq!(proof.to_string().into_bytes(), bytes);
        let _ = proof.verify(b"leaf", &trust(&TestKey::log(1)));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
        if let Ok(id) = text.parse::<ResourceId>() {
            prop_assert_eq!(id.to_string(), text);
        }
        let _ = parse_signature_lines(text);
    }
    for width in [0, 1, 2, 255, 256, 257] {
        let _ = decode_bundle(bytes, width);
    }
    Ok(())
}

/// One good example of each format.
fn examples() -> Vec<Vec<u8>> {
    let key = TestKey::log(1);
    let store = publish(&leaves(3), &key);
    let checkpoint = SignedCheckpoint::parse(&store.0["checkpoint"]).unwrap();
    let path = ledger::inclusion_proof(&store, 1, 3).unwrap();
    let proof = TlogProof { extra: Some(vec![1, 2, 3]), index: 1, path, checkpoint };
    vec![
        store.0["checkpoint"].clone(),
        store.0["tile/entries/000.p/3"].clone(),
        proof.to_string().into_bytes(),
        key.verifier().to_string().into_bytes(),
        b"tile/entries/x123/456.p/3".to_vec(),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes)?;
    }

    #[test]
    fn arbitrary_lines(text in "([a-z0-9+/=\u{2014} .]{0,20}\n){0,12}") {
        read_all(text.as_bytes())?;
    }

    #[test]
    fn examples_with_changes(
        example in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..4),
    ) {
        let mut bytes = example.get(&examples()).clone();
        for (place, byte, what) in changes {
            let place = place.index(bytes.len());
            match what {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place.max(1)),
            }
        }
        read_all(&bytes)?;
    }

    #[test]
    fn the_verifier_takes_any_store(
        size in 1_u64..700,
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::option::of(prop::collection::vec(any::<u8>(), 0..100))),
            1..4,
        ),
    ) {
        let key = TestKey::log(1);
        let mut store = publish(&leaves(size), &key);
        let names: Vec<String> = store.0.keys().cloned().collect();
        for (which, bytes) in changes {
            match bytes {
                Some(bytes) => drop(store.0.insert(which.get(&names).clone(), bytes)),
                None => drop(store.0.remove(which.get(&names))),
            }
        }
        let checkpoint = store.0.get("checkpoint").cloned().unwrap_or_default();
        let keys = trust(&key);
        let mut verifier = LogVerifier::new(&checkpoint, &keys, &store);
        verifier.retained(Retained { name: "kept", bytes: &checkpoint });
        verifier.bundles(&store);
        prop_assert!(!verifier.finish().is_sound());
        let nothing = Store::default();
        let mut verifier = LogVerifier::new(&checkpoint, &keys, &nothing);
        verifier.bundles(&nothing);
        prop_assert!(!verifier.finish().is_sound());
    }
}
