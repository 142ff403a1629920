//! The same results as two independent crates: `signed_note` and `ct-merkle`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use ledger::{
    Hash, KeyKind, Note, Prover, Signer as _, key_id, tree_hash, verify_consistency,
    verify_inclusion,
};
use sha2::Sha256;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

use crate::log::{ORIGIN, TestKey, leaf, leaf_hashes, leaves, publish};

#[test]
fn signed_note_accepts_our_checkpoints() {
    let key = TestKey::log(1);
    let bytes = publish(&leaves(300), &key).0["checkpoint"].clone();
    let vkey = key.verifier().to_string();
    let theirs = signed_note::Note::from_bytes(&bytes).unwrap();
    let verifier = StandardVerifier::new(&vkey).unwrap();
    let (verified, unverified) =
        theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    assert_eq!(verified[0].id(), key.key_id());
    assert_eq!(theirs.to_bytes(), bytes);
}

#[test]
fn we_accept_notes_of_signed_note() {
    let seed = [1_u8; 32];
    let public = TestKey::log(1).public();
    let id = key_id(ORIGIN, KeyKind::Ed25519, &public);
    let secret = STANDARD.encode([&[1_u8][..], &seed].concat());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id:08x}+{secret}")).unwrap();
    let mut theirs = signed_note::Note::new(b"one\n\nthree\n", &[]).unwrap();
    theirs.add_sigs(&[&signer]).unwrap();
    let ours = Note::parse(&theirs.to_bytes()).unwrap();
    assert_eq!(ours.verify(&[TestKey::log(1).verifier()]).unwrap().len(), 1);
    assert_eq!(ours.to_string().as_bytes(), theirs.to_bytes());
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn split(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(32).map(|chunk| Hash::try_from(chunk).unwrap()).collect()
}

#[test]
fn ct_merkle_makes_and_accepts_the_same_proofs() {
    for size in [1_u64, 2, 3, 255, 256, 257, 513, 1_000] {
        let store = publish(&leaves(size), &TestKey::log(1));
        let prover = Prover::new(&store, size).unwrap();
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for leaf in leaves(size) {
            theirs.push(leaf);
        }
        let hashes = leaf_hashes(size);
        let root = tree_hash(&hashes);
        assert_eq!(theirs.root().as_bytes().as_slice(), root.as_ref(), "size {size}");
        for number in (0..size).step_by(7).chain([size - 1]) {
            let ours = prover.inclusion(number).unwrap();
            let proof = theirs.prove_inclusion(number as usize);
            assert_eq!(concat(&ours), proof.as_bytes(), "{number} in {size}");
            let proof = InclusionProof::<Sha256>::try_from_bytes(concat(&ours)).unwrap();
            theirs.root().verify_inclusion(&leaf(number), number, &proof).unwrap();

            let old = number + 1;
            let ours = prover.consistency(old).unwrap();
            let proof = theirs.prove_consistency((size - old) as usize);
            assert_eq!(concat(&ours), proof.as_bytes(), "{old} to {size}");
            let old_root = tree_hash(&hashes[..old as usize]);
            verify_consistency(old, &old_root, size, &root, &split(proof.as_bytes())).unwrap();
            let mut old_tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
            for leaf in leaves(old) {
                old_tree.push(leaf);
            }
            let proof = ConsistencyProof::<Sha256>::try_from_bytes(concat(&ours)).unwrap();
            theirs.root().verify_consistency(&old_tree.root(), &proof).unwrap();
        }
        let proof = theirs.prove_inclusion(0);
        verify_inclusion(&hashes[0], 0, size, &split(proof.as_bytes()), &root).unwrap();
    }
}
