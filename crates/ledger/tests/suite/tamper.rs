//! What the verifier must find, and where.

use std::convert::Infallible;

use ledger::{
    Builder, BundleId, CheckpointError, Fault, LogVerifier, NoteError, Report, ResourceId,
    Retained, TileId, TrustedKeys, encode_bundle, leaf_hash, tree_hash, verify_log,
};

use crate::log::{ORIGIN, Store, TestKey, leaf_hashes, leaves, publish, sign, trust};

const SIZE: u64 = 300;

/// Verifies as an auditor does, who has the published files only.
fn audit(store: &Store, keys: &TrustedKeys, retained: &[(&str, &[u8])]) -> Report {
    let mut verifier = LogVerifier::new(&store.0["checkpoint"], keys, store);
    for (name, bytes) in retained {
        verifier.retained(Retained { name, bytes });
    }
    for path in store.0.keys() {
        if let Ok(ResourceId::Tile(tile)) = path.parse() {
            verifier.stored_tile(tile);
        }
    }
    verifier.bundles(store);
    verifier.finish()
}

fn log() -> (Store, TestKey, TrustedKeys) {
    let key = TestKey::log(1);
    (publish(&leaves(SIZE), &key), TestKey::log(1), trust(&key))
}

/// Publishes a changed leaf with everything that follows from it up to this tile level.
fn forge_leaf(store: &mut Store, number: u64, levels: u8) {
    let mut changed = leaves(SIZE);
    changed[number as usize] = b"forged".to_vec();
    let forged = publish(&changed, &TestKey::log(1));
    for (path, bytes) in forged.0 {
        let replace = match path.parse() {
            Ok(ResourceId::Bundle(_)) => true,
            Ok(ResourceId::Tile(tile)) => tile.level() < levels,
            Err(_) => false,
        };
        if replace {
            store.0.insert(path, bytes);
        }
    }
}

#[test]
fn a_sound_log_is_sound() {
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537] {
        let key = TestKey::log(1);
        let store = publish(&leaves(size), &key);
        let report = audit(&store, &trust(&key), &[("self", &store.0["checkpoint"])]);
        assert_eq!(report.faults, [], "size {size}");
        assert!(report.is_sound());
        assert_eq!((report.leaves, report.retained), (size, 1));
        assert_eq!(report.tiles, TileId::all_in_tree(size).count() as u64, "size {size}");
        assert_eq!((report.signatures.len(), report.tiles_beyond), (1, 0));
    }
}

#[test]
fn every_changed_byte_is_found_at_its_place() {
    let (store, _, keys) = log();
    let mut changed = store.clone();
    for (path, bytes) in &store.0 {
        for (place, byte) in bytes.iter().enumerate() {
            changed.0.get_mut(path).unwrap()[place] ^= 1 << (place % 8);
            let report = audit(&changed, &keys, &[]);
            changed.0.get_mut(path).unwrap()[place] = *byte;
            assert!(!report.is_sound(), "{path} byte {place}");
            match path.parse() {
                Ok(ResourceId::Tile(tile)) => {
                    let Some(Fault::TileHash { tile: found, offset, .. }) = report.faults.first()
                    else {
                        panic!("{path} byte {place}: {:?}", report.faults)
                    };
                    assert_eq!((*found, usize::from(*offset)), (tile, place / 32));
                    assert_eq!(report.faults.len(), 1, "{path} byte {place}");
                }
                Ok(ResourceId::Bundle(bundle)) => {
                    let first = report.faults.first().and_then(Fault::leaf).unwrap();
                    let within = first >= bundle.first_leaf()
                        && first < bundle.first_leaf() + u64::from(bundle.width());
                    assert!(within, "{path} byte {place}: {:?}", report.faults);
                }
                Err(_) => {
                    assert_eq!(report.faults[0].place(), "checkpoint", "byte {place}");
                }
            }
        }
    }
}

#[test]
fn every_bit_of_the_checkpoint_counts() {
    let (store, _, keys) = log();
    for place in 0..store.0["checkpoint"].len() {
        for bit in 0..8 {
            let mut changed = store.clone();
            changed.0.get_mut("checkpoint").unwrap()[place] ^= 1 << bit;
            assert!(!audit(&changed, &keys, &[]).is_sound(), "byte {place} bit {bit}");
        }
    }
}

#[test]
fn a_changed_leaf_is_named() {
    let (mut store, _, keys) = log();
    let mut entries = leaves(SIZE);
    entries[270] = b"forged".to_vec();
    let bundle = BundleId::in_tree(1, SIZE).unwrap();
    store.0.insert(bundle.to_string(), encode_bundle(&entries[256..]).unwrap());
    let report = audit(&store, &keys, &[]);
    assert_eq!(report.faults.len(), 2);
    assert_eq!(report.faults[0].leaf(), Some(270));
    assert_eq!(report.faults[0].place(), "tile/0/001.p/44");
    assert!(matches!(report.faults[1], Fault::Root { size: SIZE, .. }));
    let said = report.faults[0].to_string();
    assert!(said.starts_with("tile/0/001.p/44 holds "), "{said}");
    assert!(said.contains(" at 14, the leaves 270 to 270 give "), "{said}");
}

#[test]
fn a_valid_entry_under_a_forged_tile_is_found() {
    // CVE-2026-56865: the entries and the root are right, the tile between them is not.
    let (mut store, _, keys) = log();
    let forged = leaf_hash(b"forged");
    store.0.get_mut("tile/0/000").unwrap()[32 * 9..32 * 10].copy_from_slice(forged.as_ref());
    let report = audit(&store, &keys, &[]);
    let computed = leaf_hashes(10)[9];
    let tile = TileId::new(0, 0, 256).unwrap();
    let fault =
        Fault::TileHash { tile, offset: 9, first_leaf: 9, leaves: 1, stored: forged, computed };
    assert_eq!(report.faults, [fault]);
}

#[test]
fn a_forged_entry_with_its_tile_is_found_above() {
    let (mut store, _, keys) = log();
    forge_leaf(&mut store, 9, 1);
    let report = audit(&store, &keys, &[]);
    assert!(
        matches!(report.faults[..], [
            Fault::TileHash { tile, offset: 0, first_leaf: 0, leaves: 256, .. },
            Fault::Root { .. },
        ] if tile.level() == 1),
        "{:?}",
        report.faults
    );
}

#[test]
fn a_forged_entry_with_all_tiles_is_found_by_the_root() {
    let (mut store, _, keys) = log();
    forge_leaf(&mut store, 9, 8);
    let report = audit(&store, &keys, &[]);
    assert!(matches!(report.faults[..], [Fault::Root { size: SIZE, .. }]), "{:?}", report.faults);
}

#[test]
fn removed_and_reordered_leaves_are_found() {
    let (store, key, keys) = log();
    let verify = |given: Vec<Vec<u8>>| {
        let leaves = given.into_iter().map(Ok::<_, Infallible>);
        verify_log(&sign(SIZE, tree_hash(&leaf_hashes(SIZE)), &key), &keys, leaves, &store, &[])
    };
    assert!(verify(leaves(SIZE)).is_sound());
    // The journal may be ahead of the checkpoint.
    assert!(verify(leaves(SIZE + 5)).is_sound());

    let mut removed = leaves(SIZE);
    removed.remove(270);
    let report = verify(removed);
    assert_eq!(report.faults[0].leaf(), Some(270));
    let missing = Fault::LeavesMissing { expected: SIZE, found: SIZE - 1 };
    assert!(report.faults.contains(&missing), "{:?}", report.faults);

    let mut swapped = leaves(SIZE);
    swapped.swap(5, 6);
    let report = verify(swapped);
    let found: Vec<Option<u64>> = report.faults.iter().map(Fault::leaf).collect();
    assert_eq!(found, [Some(5), Some(6), Some(0), None], "{:?}", report.faults);

    let report = verify(leaves(SIZE - 7));
    assert_eq!(report.faults, [Fault::LeavesMissing { expected: SIZE, found: SIZE - 7 }]);

    let report = verify(Vec::new());
    assert_eq!(report.faults, [Fault::LeavesMissing { expected: SIZE, found: 0 }]);
}

#[test]
fn an_unreadable_leaf_does_not_hide_others() {
    let (store, _, keys) = log();
    let mut given: Vec<Result<Vec<u8>, &str>> = leaves(SIZE).into_iter().map(Ok).collect();
    given[3] = Err("segment 7 is damaged");
    given[260] = Ok(b"forged".to_vec());
    let report = verify_log(&store.0["checkpoint"], &keys, given, &store, &[]);
    let reason = "segment 7 is damaged".to_owned();
    assert_eq!(report.faults[0], Fault::Leaf { leaf: 3, reason });
    assert_eq!(report.faults[1].leaf(), Some(260));
    assert!(matches!(report.faults[2], Fault::Root { .. }));
    assert_eq!((report.faults.len(), report.leaves), (3, SIZE - 1));
}

#[test]
fn missing_and_short_files_are_named() {
    let (store, _, keys) = log();
    for path in store.0.keys().filter(|path| path.starts_with("tile/")) {
        let mut changed = store.clone();
        changed.0.remove(path);
        let report = audit(&changed, &keys, &[]);
        assert_eq!(report.faults.len(), 1, "{path}: {:?}", report.faults);
        assert_eq!(&report.faults[0].place(), path);
        let mut changed = store.clone();
        changed.0.get_mut(path).unwrap().pop();
        let report = audit(&changed, &keys, &[]);
        assert_eq!(report.faults.len(), 1, "{path}: {:?}", report.faults);
        assert_eq!(&report.faults[0].place(), path);
    }
}

#[test]
fn stored_tiles_of_older_checkpoints_are_compared() {
    let (mut store, key, keys) = log();
    let mut builder = Builder::new();
    for leaf in leaves(270) {
        builder.append_leaf(&leaf);
    }
    for write in builder.take_tiles() {
        store.0.insert(write.path(), write.bytes);
    }
    let kept = sign(270, builder.root(), &key);
    let report = audit(&store, &keys, &[("kept", &kept)]);
    assert_eq!((report.faults.len(), report.tiles, report.retained), (0, 4, 1));
    store.0.get_mut("tile/0/001.p/14").unwrap()[40] ^= 1;
    let report = audit(&store, &keys, &[]);
    assert_eq!(report.faults.len(), 1);
    assert_eq!(report.faults[0].place(), "tile/0/001.p/14");
    assert_eq!(report.faults[0].leaf(), Some(257));
    store.0.insert("tile/0/002.p/3".to_owned(), vec![0; 96]);
    assert_eq!(audit(&store, &keys, &[]).tiles_beyond, 1);
}

#[test]
fn a_truncated_log_is_found_by_a_kept_checkpoint() {
    let (store, key, keys) = log();
    let kept = store.0["checkpoint"].clone();
    let shorter = publish(&leaves(280), &key);
    assert!(audit(&shorter, &keys, &[]).is_sound());
    let report = audit(&shorter, &keys, &[("kept", &kept)]);
    let name = "kept".to_owned();
    assert_eq!(report.faults, [Fault::Truncated { name, size: 280, retained: SIZE }]);
    let said = report.faults[0].to_string();
    assert!(said.contains("leaves 280 to 299 were removed"), "{said}");
}

#[test]
fn a_rewrite_with_the_same_key_is_found_by_a_kept_checkpoint() {
    let (store, key, keys) = log();
    let kept = store.0["checkpoint"].clone();
    let mut rewritten = leaves(400);
    rewritten[17] = b"another past".to_vec();
    let rewritten = publish(&rewritten, &key);
    assert!(audit(&rewritten, &keys, &[]).is_sound());
    let report = audit(&rewritten, &keys, &[("kept", &kept)]);
    let [Fault::Rewritten { name, size: SIZE, signed, .. }] = &report.faults[..] else {
        panic!("{:?}", report.faults)
    };
    assert_eq!((name.as_str(), *signed), ("kept", tree_hash(&leaf_hashes(SIZE))));
    // A log that went on honestly continues it.
    let longer = publish(&leaves(400), &key);
    assert!(audit(&longer, &keys, &[("kept", &kept)]).is_sound());
}

#[test]
fn a_rewrite_with_a_new_key_is_found() {
    let (store, _, keys) = log();
    let kept = store.0["checkpoint"].clone();
    let thief = TestKey::log(2);
    let rewritten = publish(&leaves(400), &thief);
    let unsigned = CheckpointError::Note(NoteError::NoKnownSignature);
    let report = audit(&rewritten, &keys, &[("kept", &kept)]);
    assert_eq!(report.faults, [Fault::Checkpoint { error: unsigned.clone() }]);
    // Even to those who were given the new key, if they kept the old checkpoint.
    let report = audit(&rewritten, &trust(&thief), &[("kept", &kept)]);
    let name = "kept".to_owned();
    assert_eq!(report.faults, [Fault::Retained { name, error: unsigned }]);
}

#[test]
fn kept_checkpoints_of_other_logs_are_told_apart() {
    let (store, _, mut keys) = log();
    let other = TestKey::new("other.example.com", ledger::KeyKind::Ed25519, 3);
    let kept = sign(10, tree_hash(&leaf_hashes(10)), &other);
    keys.log.push(other.verifier());
    let report = audit(&store, &keys, &[("kept", &kept)]);
    let (name, found, expected) =
        ("kept".to_owned(), "other.example.com".to_owned(), ORIGIN.to_owned());
    assert_eq!(report.faults, [Fault::RetainedOrigin { name, found, expected }]);
}

#[test]
fn faults_are_bounded() {
    let (mut store, _, keys) = log();
    for bytes in store.0.values_mut() {
        for byte in bytes {
            *byte ^= 0x10;
        }
    }
    store.0.insert("checkpoint".to_owned(), sign(2_000, leaf_hash(b"x"), &TestKey::log(1)));
    let nothing: Vec<Result<Vec<u8>, &str>> = vec![Err("gone"); 2_000];
    let report = verify_log(&store.0["checkpoint"], &keys, nothing, &store, &[]);
    assert_eq!(report.faults.len(), ledger::FAULTS_MAX);
    assert!(report.faults_left_out >= 1_000);
    assert!(!report.is_sound());
}
