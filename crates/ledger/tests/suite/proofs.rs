use ledger::{
    EMPTY_ROOT, Hash, ProofError, Prover, TileError, consistency_proof, inclusion_proof, tree_hash,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use crate::log::{Store, TestKey, leaf_hashes, leaves, path, proof, publish};

/// Sizes around those at which tiles fill up.
const SIZES: [u64; 12] = [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537];

fn numbers_to_try(size: u64) -> Vec<u64> {
    let near = |at: u64| [at.saturating_sub(1), at, at + 1];
    let mut numbers: Vec<u64> = [0, 3, 127, 256, 511, size / 2, size.saturating_sub(2)]
        .into_iter()
        .flat_map(near)
        .collect();
    numbers.retain(|number| *number <= size);
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[test]
fn all_kinds_at_all_sizes() {
    for size in SIZES {
        let store = publish(&leaves(size), &TestKey::log(1));
        let hashes = leaf_hashes(size);
        let root = tree_hash(&hashes);
        let prover = Prover::new(&store, size).unwrap();
        assert_eq!(prover.root().unwrap(), root, "size {size}");
        for number in numbers_to_try(size) {
            let at = number as usize;
            if number < size {
                let path = path(at, &hashes);
                assert_eq!(prover.inclusion(number).unwrap(), path, "{number} in {size}");
                assert_eq!(prover.leaf_hash(number).unwrap(), hashes[at]);
                verify_inclusion(&hashes[at], number, size, &path, &root).unwrap();
            }
            let expected = if number == 0 { Vec::new() } else { proof(at, &hashes) };
            assert_eq!(prover.consistency(number).unwrap(), expected, "{number} to {size}");
            let old_root = tree_hash(&hashes[..at]);
            verify_consistency(number, &old_root, size, &root, &expected).unwrap();
        }
        assert_eq!(
            prover.inclusion(size),
            Err(ProofError::Index { index: size, size }),
            "size {size}"
        );
        assert!(prover.consistency(size + 1).is_err());
    }
}

#[test]
fn every_leaf_and_every_prefix_of_small_trees() {
    let hashes = leaf_hashes(40);
    for size in 1..=40_usize {
        let store = publish(&leaves(size as u64), &TestKey::log(1));
        let root = tree_hash(&hashes[..size]);
        for number in 0..size {
            let made = inclusion_proof(&store, number as u64, size as u64).unwrap();
            assert_eq!(made, path(number, &hashes[..size]));
            verify_inclusion(&hashes[number], number as u64, size as u64, &made, &root).unwrap();
            let made = consistency_proof(&store, number as u64 + 1, size as u64).unwrap();
            assert_eq!(made, proof(number + 1, &hashes[..size]));
            let old_root = tree_hash(&hashes[..=number]);
            verify_consistency(number as u64 + 1, &old_root, size as u64, &root, &made).unwrap();
        }
    }
}

#[test]
fn changed_proofs_are_refused() {
    let hashes = leaf_hashes(300);
    let root = tree_hash(&hashes);
    let store = publish(&leaves(300), &TestKey::log(1));
    let good = inclusion_proof(&store, 257, 300).unwrap();
    let verify =
        |index, size, proof: &[Hash]| verify_inclusion(&hashes[257], index, size, proof, &root);
    assert_eq!(verify(257, 300, &good), Ok(()));
    assert!(verify(256, 300, &good).is_err());
    assert!(verify(257, 600, &good).is_err());
    assert_eq!(verify(300, 300, &good), Err(ProofError::Index { index: 300, size: 300 }));
    assert_eq!(verify(257, 300, &good[1..]), Err(ProofError::Length));
    assert_eq!(verify(257, 300, &[&good[..], &good[..1]].concat()), Err(ProofError::Length));
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] = EMPTY_ROOT;
        assert_eq!(verify(257, 300, &bad), Err(ProofError::Root), "{place}");
    }
    for old in [200_u64, 256] {
        let old_root = tree_hash(&hashes[..old as usize]);
        let good = consistency_proof(&store, old, 300).unwrap();
        let verify = |proof: &[Hash]| verify_consistency(old, &old_root, 300, &root, proof);
        assert_eq!(verify(&good), Ok(()));
        assert_eq!(verify(&[]), Err(ProofError::Length));
        assert_eq!(verify(&[&good[..], &good[..1]].concat()), Err(ProofError::Length));
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] = EMPTY_ROOT;
            assert_eq!(verify(&bad), Err(ProofError::Root), "{place}");
        }
        let other = &hashes[0];
        assert!(verify_consistency(old, other, 300, &root, &good).is_err());
        assert!(verify_consistency(old, &old_root, 300, other, &good).is_err());
        assert!(verify_consistency(300, &root, old, &old_root, &good).is_err());
    }
}

#[test]
fn the_empty_tree_is_a_prefix_of_all() {
    let root = tree_hash(&leaf_hashes(5));
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 5, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 0, &EMPTY_ROOT, &[]), Ok(()));
    assert_eq!(verify_consistency(5, &root, 5, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(0, &root, 5, &root, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(0, &root, 0, &root, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 5, &root, &[root]), Err(ProofError::Length));
    assert_eq!(verify_consistency(5, &EMPTY_ROOT, 5, &root, &[]), Err(ProofError::Root));
}

#[test]
fn full_tiles_stand_in_for_partial_ones() {
    let hashes = leaf_hashes(300);
    let mut store = publish(&leaves(300), &TestKey::log(1));
    let longer = publish(&leaves(600), &TestKey::log(1));
    store.0.remove("tile/0/001.p/44").unwrap();
    let tile = ledger::TileId::new(0, 1, 44).unwrap();
    let missing = ProofError::Tile(TileError::Missing(tile));
    assert_eq!(inclusion_proof(&store, 299, 300).unwrap_err(), missing);
    store.0.insert("tile/0/001".to_owned(), longer.0["tile/0/001"].clone());
    assert_eq!(inclusion_proof(&store, 299, 300).unwrap(), path(299, &hashes));
    store.0.get_mut("tile/0/001").unwrap().pop();
    assert_eq!(inclusion_proof(&store, 299, 300).unwrap_err(), {
        let tile = tile.full();
        ProofError::Tile(TileError::Length { tile, expected: 8_192, found: 8_191 })
    });
}

#[test]
fn short_tiles_are_refused() {
    let mut store = publish(&leaves(10), &TestKey::log(1));
    store.0.get_mut("tile/0/000.p/10").unwrap().pop();
    let error = inclusion_proof(&store, 0, 10).unwrap_err();
    assert!(
        matches!(error, ProofError::Tile(TileError::Length { expected: 320, found: 319, .. })),
        "{error}"
    );
}

fn hash_strategy() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash::new)
}

fn number_strategy() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0_u64..300,
        Just(u64::MAX),
        Just(ledger::LOG_SIZE_MAX),
        Just(ledger::LOG_SIZE_MAX - 1)
    ]
}

proptest! {
    #[test]
    fn garbage_proofs_are_refused_without_panic(
        old in number_strategy(),
        new in number_strategy(),
        proof in prop::collection::vec(hash_strategy(), 0..70),
        leaf in hash_strategy(),
        root in hash_strategy(),
    ) {
        prop_assert!(verify_inclusion(&leaf, old, new, &proof, &root).is_err());
        prop_assert!(verify_consistency(old, &leaf, new, &root, &proof).is_err());
    }

    #[test]
    fn garbage_tiles_make_no_panic(
        size in number_strategy(),
        index in number_strategy(),
        tiles in prop::collection::vec((0_u8..8, 0_u64..3, prop::collection::vec(any::<u8>(), 0..9000)), 0..4),
    ) {
        let mut store = Store::default();
        for (level, index, bytes) in tiles {
            if let Some(tile) = ledger::TileId::in_tree(level, index, size) {
                store.0.insert(tile.to_string(), bytes);
            }
        }
        if let Ok(prover) = Prover::new(&store, size) {
            let _ = prover.inclusion(index);
            let _ = prover.consistency(index);
            let _ = prover.root();
        }
        let _ = ledger::Builder::from_tiles(&store, size, &EMPTY_ROOT);
    }

    #[test]
    fn proofs_lead_to_one_place_only(size in 2_u64..600, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (a, b) = (a.index(size as usize), b.index(size as usize));
        let hashes = leaf_hashes(size);
        let root = tree_hash(&hashes);
        let made = path(a, &hashes);
        let verdict = verify_inclusion(&hashes[b], b as u64, size, &made, &root);
        prop_assert_eq!(verdict.is_ok(), a == b);
    }
}
