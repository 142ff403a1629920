//! Proofs of decisions, sound and tampered with.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod common;

use common::{Deployment, Script, Shape, secret};
use journal::format::FrameKind;
use ledger::{Prover, TileError, TileId, TileSource, TlogProof, VerifierKey};
use proptest::prelude::*;
use record::{BUNDLE_VERSION, Base64, ProofBundle, ProvenRecord};
use verify::{BundleReport, verify_bundle};

struct Tiles<'a>(&'a Deployment);

impl TileSource for Tiles<'_> {
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, TileError> {
        std::fs::read(self.0.path(&format!("ledger/00000001/{tile}")))
            .map_err(|_| TileError::Missing(tile))
    }
}

fn proven(script: &Script, deployment: &Deployment, seq: usize) -> ProvenRecord {
    let size = deployment.leaves.len() as u64;
    let path = Prover::new(Tiles(deployment), size).unwrap().inclusion(seq as u64).unwrap();
    let checkpoint = deployment.checkpoint(size);
    let proof = TlogProof { extra: None, index: seq as u64, path, checkpoint };
    let item = script.items.iter().filter(|item| item.leaf.is_some()).nth(seq).unwrap();
    let of = |kind| -> Vec<Vec<u8>> {
        let early = item.early.iter().flat_map(|item| &script.items[*item].frames);
        let frames = early.chain(&item.frames).filter(|frame| frame.0 == kind);
        frames.map(|frame| frame.2.clone()).collect()
    };
    let sealed = of(FrameKind::Sealed).pop().unwrap_or_default();
    let parts = of(FrameKind::Part);
    ProvenRecord {
        leaf: String::from_utf8(deployment.leaves[seq].clone()).unwrap(),
        tlog_proof: proof.to_string(),
        open: String::from_utf8(of(FrameKind::Open).pop().unwrap()).unwrap(),
        group_keys: if sealed.is_empty() {
            Vec::new()
        } else {
            vec![Some(Base64(secret().to_vec()))]
        },
        sealed,
        parts_key: (!parts.is_empty()).then(|| Base64(secret().to_vec())),
        parts: parts.into_iter().map(Base64).collect(),
    }
}

fn bundle(shape: Shape) -> (ProofBundle, Vec<VerifierKey>) {
    let mut script = Script::plain(2);
    script.push(shape);
    script.push(Shape::default());
    let deployment = Deployment::new(&script, 1 << 30);
    let record = proven(&script, &deployment, 2);
    let bundle = ProofBundle {
        v: BUNDLE_VERSION.to_owned(),
        decision_id: event::Leaf::read(record.leaf.as_bytes()).unwrap().decision_id,
        checkpoint: deployment.checkpoint(4).to_string(),
        earlier_checkpoints: Vec::new(),
        records: vec![record],
    };
    (bundle, vec![deployment.key.vkey()])
}

const FULL: Shape = Shape { parts: 1, early_parts: 1, sealed: true };

fn refused(bundle: &ProofBundle, keys: &[VerifierKey], message: &str) {
    let report = verify_bundle(bundle, keys);
    let found = report.faults.iter().any(|fault| fault.message.contains(message));
    assert!(found, "no {message:?} in {:#?}", report.faults);
}

/// Everything that a reader is shown.
fn shown(report: &BundleReport) -> String {
    let bodies: Vec<_> = report.records.iter().flat_map(|r| &r.bodies).map(|b| &b.bytes).collect();
    format!("{} {bodies:?}", serde_json::to_string(report).unwrap())
}

#[test]
fn a_sound_bundle_shows_events_and_bodies() {
    let (bundle, keys) = bundle(FULL);
    let report = verify_bundle(&bundle, &keys);
    assert!(report.ok(), "{:#?}", report.faults);
    assert_eq!(report.checkpoint_size, Some(4));
    assert_eq!(report.signed_by, [keys[0].to_string()]);
    let record = &report.records[0];
    assert_eq!(record.seq, 2);
    assert_eq!((record.closed_groups, record.bodies_committed), (0, true));
    let json = serde_json::to_value(&report).unwrap();
    let data = &json["records"][0]["events"][0]["event_data"];
    assert_eq!(data["user_id"], "user-2");
    assert_eq!(data["source"], "finance-app");
    let body = &record.bodies[0];
    assert_eq!((body.role, body.complete), ("client_request", true));
    assert_eq!(body.bytes.as_deref(), Some(&b"body of 2, piece 0body of 2, piece 1"[..]));
}

#[test]
fn keys_can_be_left_out() {
    let (mut bundle, keys) = bundle(FULL);
    bundle.records[0].group_keys = vec![None];
    bundle.records[0].parts_key = None;
    let report = verify_bundle(&bundle, &keys);
    assert!(report.ok(), "{:#?}", report.faults);
    assert_eq!(report.records[0].closed_groups, 1);
    assert!(report.records[0].bodies[0].bytes.is_none());
    let json = serde_json::to_value(&report).unwrap();
    let data = &json["records"][0]["events"][0]["event_data"];
    assert_eq!(
        (&data["source"], &data["user_id"]),
        (&"finance-app".into(), &serde_json::Value::Null)
    );
}

#[test]
fn a_record_without_sealed_part_or_bodies_is_proven() {
    let (bundle, keys) = bundle(Shape::default());
    let report = verify_bundle(&bundle, &keys);
    assert!(report.ok(), "{:#?}", report.faults);
}

#[test]
fn other_keys_other_decisions_and_left_out_records_are_refused() {
    let (sound, keys) = bundle(FULL);
    let with = |edit: &dyn Fn(&mut ProofBundle)| {
        let mut bundle: ProofBundle =
            serde_json::from_value(serde_json::to_value(&sound).unwrap()).unwrap();
        edit(&mut bundle);
        bundle
    };
    refused(&sound, &[common::Key::new(2).vkey()], "no signature by a known key");
    refused(&sound, &[], "no trusted log key");
    refused(&with(&|b| b.v = "audit-layer/proof/9".to_owned()), &keys, "use the version");
    refused(&with(&|b| b.decision_id = uuid::Uuid::nil()), &keys, "the record is of the decision");
    refused(&with(&|b| b.records.clear()), &keys, "1 to");
    refused(
        &with(&|b| {
            let again = serde_json::to_value(&b.records[0]).unwrap();
            b.records.push(serde_json::from_value(again).unwrap());
        }),
        &keys,
        "one is left out",
    );
    refused(
        &with(&|b| b.records[0].group_keys = vec![Some(Base64(vec![1; 32]))]),
        &keys,
        "commitment",
    );
    refused(
        &with(&|b| b.records[0].group_keys = vec![Some(Base64(vec![1; 31]))]),
        &keys,
        "32 bytes",
    );
    refused(&with(&|b| b.records[0].group_keys.clear()), &keys, "number of keys");
    refused(&with(&|b| b.records[0].parts_key = Some(Base64(vec![1; 32]))), &keys, "do not open");
    refused(&with(&|b| drop(b.records[0].parts.pop())), &keys, "the bodies");
    refused(&with(&|b| b.records[0].parts.swap(0, 1)), &keys, "the bodies");
}

#[test]
fn a_changed_byte_anywhere_is_refused_or_shows_the_same() {
    let (sound, keys) = bundle(FULL);
    let json = serde_json::to_vec(&sound).unwrap();
    let truth = shown(&verify_bundle(&sound, &keys));
    let mut accepted = 0;
    for at in 0..json.len() {
        for bit in [0, 1, 5] {
            let mut bytes = json.clone();
            bytes[at] ^= 1 << bit;
            let Ok(bundle) = serde_json::from_slice::<ProofBundle>(&bytes) else { continue };
            let report = verify_bundle(&bundle, &keys);
            if report.ok() {
                accepted += 1;
                assert_eq!(shown(&report), truth, "byte {at} bit {bit}");
            }
        }
    }
    // Only letters of the decision's id, whose case is of no meaning.
    assert!(accepted < 36, "{accepted}");
}

#[test]
fn a_cut_off_bundle_is_no_bundle() {
    let (sound, keys) = bundle(FULL);
    let json = serde_json::to_vec(&sound).unwrap();
    for length in 0..json.len() {
        assert!(serde_json::from_slice::<ProofBundle>(&json[..length]).is_err());
    }
    // Cut off inside its texts, it is read and refused.
    for length in 0..sound.checkpoint.len() {
        let Some(checkpoint) = sound.checkpoint.get(..length) else { continue };
        let mut cut: ProofBundle = serde_json::from_slice(&json).unwrap();
        cut.checkpoint = checkpoint.to_owned();
        assert!(!verify_bundle(&cut, &keys).ok());
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), any::<String>(), "[a-z/\n]{0,80}"]
}

fn bytes() -> impl Strategy<Value = Base64> {
    prop::collection::vec(any::<u8>(), 0..120).prop_map(Base64)
}

prop_compose! {
    /// A sound bundle, some of whose fields are anything.
    fn disturbed()(
        which in any::<u16>(), leaf in text(), proof in text(), open in text(), sealed in bytes(),
        parts in prop::collection::vec(bytes(), 0..4),
        group_keys in prop::collection::vec(prop::option::of(bytes()), 0..3),
        parts_key in prop::option::of(bytes()), checkpoint in text(),
    ) -> (ProofBundle, Vec<VerifierKey>, bool) {
        let (mut bundle, keys) = bundle(FULL);
        let record = &mut bundle.records[0];
        let before = serde_json::to_string(&record).unwrap();
        if which & 1 > 0 { record.leaf = leaf; }
        if which & 2 > 0 { record.tlog_proof = proof; }
        if which & 4 > 0 { record.open = open; }
        if which & 8 > 0 { record.sealed = sealed.0; }
        if which & 16 > 0 { record.parts = parts; }
        if which & 32 > 0 { record.group_keys = group_keys; }
        if which & 64 > 0 { record.parts_key = parts_key; }
        let same = before == serde_json::to_string(&record).unwrap() && which & 128 == 0;
        if which & 128 > 0 { bundle.checkpoint = checkpoint; }
        (bundle, keys, same)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_verified_without_panic((bundle, keys, same) in disturbed()) {
        let report = verify_bundle(&bundle, &keys);
        // Keys may be left out; everything else must be what it was.
        let record = &bundle.records[0];
        let left_out = record.parts_key.is_none() || record.group_keys.iter().all(Option::is_none);
        prop_assert!(same == report.ok() || left_out);
    }

    #[test]
    fn any_json_is_read_without_panic(json in any::<Vec<u8>>()) {
        if let Ok(bundle) = serde_json::from_slice::<ProofBundle>(&json) {
            prop_assert!(!verify_bundle(&bundle, &[]).ok());
        }
    }
}
