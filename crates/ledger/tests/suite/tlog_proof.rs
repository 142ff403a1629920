use ledger::{
    CheckpointError, NoteError, ProofError, SignedCheckpoint, TlogProof, TlogProofError,
    inclusion_proof,
};
use proptest::prelude::*;

use crate::log::{ORIGIN, TestKey, leaf, leaves, publish, trust};

fn make(index: u64, size: u64, extra: Option<Vec<u8>>) -> TlogProof {
    let store = publish(&leaves(size), &TestKey::log(1));
    let checkpoint = SignedCheckpoint::parse(&store.0["checkpoint"]).unwrap();
    TlogProof { extra, index, path: inclusion_proof(&store, index, size).unwrap(), checkpoint }
}

#[test]
fn the_form_is_that_of_the_specification() {
    let proof = make(2, 3, Some(b"hi".to_vec()));
    let text = proof.to_string();
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra aGk=", "index 2"]);
    assert_eq!(lines[3], proof.path[0].to_base64());
    assert_eq!(lines[4..7], ["", ORIGIN, "3"]);
    assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof));
    // One leaf needs no hashes.
    let single = make(0, 1, None).to_string();
    assert!(single.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\ngw.example.com/"));
    assert!(TlogProof::parse(single.as_bytes()).is_ok());
}

#[test]
fn it_proves_this_leaf_at_this_place() {
    let proof = make(257, 300, None);
    let keys = trust(&TestKey::log(1));
    let proven = proof.verify(&leaf(257), &keys).unwrap();
    assert_eq!((proven.index, proven.checkpoint.size), (257, 300));
    assert_eq!(proven.signatures[0].key, TestKey::log(1).verifier());
    assert_eq!(proof.verify(&leaf(256), &keys), Err(TlogProofError::Proof(ProofError::Root)));
    let moved = TlogProof { index: 256, ..proof.clone() };
    assert!(moved.verify(&leaf(257), &keys).is_err());
    let outside = TlogProof { index: 300, ..proof.clone() };
    assert!(outside.verify(&leaf(257), &keys).is_err());
    assert_eq!(
        proof.verify(&leaf(257), &trust(&TestKey::log(2))),
        Err(TlogProofError::Checkpoint(CheckpointError::Note(NoteError::NoKnownSignature)))
    );
}

#[test]
fn other_forms_are_refused() {
    let text = make(2, 3, Some(b"hi".to_vec())).to_string();
    for bad in [
        text.replace("@v1", "@v2"),
        text.replace("index 2", "index 02"),
        text.replace("index 2", "index"),
        text.replace("index 2", "index 18446744073709551616"),
        text.replace("index 2\n", ""),
        text.replace("extra aGk=", "extra "),
        text.replace("extra aGk=", "extra aGk"),
        text.replace("extra aGk=\nindex 2", "index 2\nextra aGk="),
        text.replace("extra aGk=", "extra aGk=\nextra aGk="),
        text.replacen("=\n\n", "=\n", 1),
        text.replacen("=\n\n", "=\nAAAA\n\n", 1),
        format!("\n{text}"),
        format!("{text}\n"),
        text.trim_end().to_owned(),
        text.replacen("\n\n", &format!("\n{}\n", "A".repeat(43) + "=\n").repeat(65), 1),
    ] {
        assert!(TlogProof::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn no_changed_byte_proves_the_leaf() {
    let proof = make(257, 300, None);
    let keys = trust(&TestKey::log(1));
    let bytes = proof.to_string().into_bytes();
    for place in 0..bytes.len() {
        for flip in [0x01, 0x04, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            let verdict = TlogProof::parse(&changed).and_then(|p| p.verify(&leaf(257), &keys));
            assert!(verdict.is_err(), "byte {place} ^ {flip:#x}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn round_trip(
        size in 1_u64..600,
        at in any::<prop::sample::Index>(),
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 1..100)),
    ) {
        let index = at.index(size as usize) as u64;
        let proof = make(index, size, extra);
        let parsed = TlogProof::parse(proof.to_string().as_bytes()).unwrap();
        prop_assert!(parsed.verify(&leaf(index), &trust(&TestKey::log(1))).is_ok());
        prop_assert_eq!(parsed, proof);
    }
}
