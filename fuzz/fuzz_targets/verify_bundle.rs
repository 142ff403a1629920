//! Proof bundles of any bytes: nothing panics, and what nobody signed proves nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use record::{BUNDLE_VERSION, Base64, ProofBundle, ProvenRecord};
use verify::verify_bundle;

/// A key whose private half nobody has: the example of signed-note.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

/// A bundle whose fields are pieces of the data, so that they are reached without valid JSON.
fn pieces(data: &[u8]) -> ProofBundle {
    let mut rest = data.split(|byte| *byte == 0xff);
    let mut text = || String::from_utf8_lossy(rest.next().unwrap_or_default()).into_owned();
    let (checkpoint, leaf, tlog_proof, open) = (text(), text(), text(), text());
    let sealed = rest.next().unwrap_or_default().to_vec();
    let parts: Vec<Base64> = rest.map(|part| Base64(part.to_vec())).collect();
    let key = parts.first().cloned();
    let record = ProvenRecord {
        leaf,
        tlog_proof,
        open,
        sealed,
        group_keys: vec![key.clone()],
        parts_key: key,
        parts,
    };
    ProofBundle {
        v: BUNDLE_VERSION.to_owned(),
        decision_id: Default::default(),
        earlier_checkpoints: vec![checkpoint.clone()],
        checkpoint,
        records: vec![record],
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(key) = VKEY.parse() else { return };
    let keys = [key];
    assert!(!verify_bundle(&pieces(data), &keys).ok());
    if let Ok(bundle) = serde_json::from_slice::<ProofBundle>(data) {
        assert!(!verify_bundle(&bundle, &keys).ok());
    }
});
