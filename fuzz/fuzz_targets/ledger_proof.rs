//! Notes, checkpoints, keys and proofs of any bytes: nothing panics, what is accepted is written
//! back as it was, and what nobody signed proves nothing.

#![no_main]

use ledger::{
    Hash, Note, SignedCheckpoint, TlogProof, TrustedKeys, VerifierKey, parse_signature_lines,
    verify_consistency, verify_inclusion,
};
use libfuzzer_sys::fuzz_target;

/// A key whose private half nobody has: the example of signed-note.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

fn proofs(data: &[u8]) {
    let Some((numbers, rest)) = data.split_first_chunk::<16>() else { return };
    let [a, b] = [0, 8].map(|at| {
        let mut number = [0; 8];
        number.copy_from_slice(&numbers[at..at + 8]);
        u64::from_le_bytes(number)
    });
    let hashes: Vec<Hash> = rest.as_chunks::<32>().0.iter().map(|c| Hash::new(*c)).collect();
    if let [leaf, root, proof @ ..] = &hashes[..] {
        let _ = verify_inclusion(leaf, a, b, proof, root);
        let _ = verify_consistency(a, leaf, b, root, proof);
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(key) = VKEY.parse::<VerifierKey>() else { return };
    let keys = TrustedKeys { log: vec![key], ..TrustedKeys::default() };
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data);
    }
    if let Ok(signed) = SignedCheckpoint::parse(data) {
        assert_eq!(signed.to_string().as_bytes(), data);
        assert!(signed.verify(&keys).is_err());
    }
    if let Ok(proof) = TlogProof::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
        assert!(proof.verify(data, &keys).is_err());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = parse_signature_lines(text);
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
    proofs(data);
});
