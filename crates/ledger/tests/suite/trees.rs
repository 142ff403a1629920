use ledger::{Builder, EMPTY_ROOT, Hash, TileId, Tree, TreeError, leaf_hash, root_of, tree_hash};
use proptest::prelude::*;

use crate::log::{Store, TestKey, leaf_hashes, leaves, mth, publish};

#[test]
fn hashes_are_those_of_rfc_6962() {
    // From the test vectors of the Certificate Transparency project.
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    assert_eq!(
        tree_hash(&hashes[..0]).to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        tree_hash(&hashes[..1]).to_string(),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(
        tree_hash(&hashes).to_string(),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
    assert_eq!(root_of(hashes.iter().copied()), tree_hash(&hashes));
    assert_eq!(root_of([]), EMPTY_ROOT);
}

#[test]
fn long_leaves_hash_as_short_ones_do() {
    for length in [0, 1, 2_046, 2_047, 2_048, 65_535, 300_000] {
        let leaf = vec![7_u8; length];
        let mut prefixed = vec![0_u8];
        prefixed.extend_from_slice(&leaf);
        let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &prefixed);
        assert_eq!(leaf_hash(&leaf).as_ref(), expected.as_ref(), "{length} bytes");
    }
}

#[test]
fn every_size_has_the_root_of_the_definition() {
    let hashes = leaf_hashes(600);
    let mut tree = Tree::new();
    for size in 0..=600 {
        assert_eq!(tree.size(), size as u64);
        assert_eq!(tree.root(), mth(&hashes[..size]), "size {size}");
        assert_eq!(tree.frontier().len(), size.count_ones() as usize);
        if size < 600 {
            tree.append(hashes[size]);
        }
    }
}

/// The tiles that tlog-tiles defines for these leaf hashes.
fn tiles_by_definition(hashes: &[Hash]) -> Store {
    let mut store = Store::default();
    let mut level_hashes = hashes.to_vec();
    for level in 0..8 {
        for (index, chunk) in (0_u64..).zip(level_hashes.chunks(256)) {
            let tile = TileId::new(level, index, chunk.len() as u16).unwrap();
            store.0.insert(tile.to_string(), chunk.iter().flat_map(|h| *h.as_bytes()).collect());
        }
        let full = level_hashes.chunks(256).filter(|chunk| chunk.len() == 256);
        level_hashes = full.map(mth).collect();
    }
    store
}

#[test]
fn tiles_are_those_of_the_definition() {
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000] {
        let hashes = leaf_hashes(size);
        let expected = tiles_by_definition(&hashes);
        let mut builder = Builder::new();
        for hash in &hashes {
            builder.append(*hash);
        }
        let writes = builder.take_tiles();
        assert_eq!(writes.len(), expected.0.len(), "size {size}");
        for write in writes {
            assert_eq!(expected.0.get(&write.path()), Some(&write.bytes), "size {size}");
        }
        assert!(builder.take_tiles().is_empty());
        let listed: Vec<String> = TileId::all_in_tree(size).map(|tile| tile.to_string()).collect();
        assert!(listed.iter().all(|path| expected.0.contains_key(path)), "size {size}");
        assert_eq!(listed.len(), expected.0.len(), "size {size}");
    }
}

#[test]
fn the_example_of_tlog_tiles() {
    let tiles: Vec<TileId> = TileId::all_in_tree(70_000).collect();
    let at = |level: u8, partial: bool| {
        tiles.iter().filter(|t| t.level() == level && t.is_partial() == partial).count()
    };
    assert_eq!((at(0, false), at(0, true)), (273, 1));
    assert_eq!((at(1, false), at(1, true)), (1, 1));
    assert_eq!((at(2, false), at(2, true)), (0, 1));
    assert!(tiles.iter().any(|tile| tile.to_string() == "tile/0/273.p/112"));
    assert!(tiles.iter().any(|tile| tile.to_string() == "tile/1/001.p/17"));
    assert!(tiles.iter().any(|tile| tile.to_string() == "tile/2/000.p/1"));
}

#[test]
fn a_forged_tile_does_not_resume() {
    let store = publish(&leaves(300), &TestKey::log(1));
    let root = tree_hash(&leaf_hashes(300));
    assert_eq!(Tree::from_tiles(&store, 300, &root).unwrap().root(), root);
    for path in ["tile/0/001.p/44", "tile/1/000.p/1"] {
        let mut forged = store.clone();
        forged.0.get_mut(path).unwrap()[5] ^= 1;
        let error = Builder::from_tiles(&forged, 300, &root).unwrap_err();
        assert!(matches!(error, TreeError::Root { size: 300, .. }), "{error}");
    }
    assert!(matches!(Builder::from_tiles(&store, 301, &root), Err(TreeError::Tile(_))));
    assert!(matches!(Builder::from_tiles(&store, u64::MAX, &root), Err(TreeError::Size(_))));
}

proptest! {
    /// Checkpoints at any sizes, with a restart at each: the store always has exactly what each
    /// checkpoint needs.
    #[test]
    fn tiles_grow_as_they_would_at_once(
        steps in prop::collection::vec((1_u64..400, any::<bool>()), 1..8),
    ) {
        let total = steps.iter().map(|(step, _)| step).sum();
        let hashes = leaf_hashes(total);
        let mut store = Store::default();
        let mut builder = Builder::new();
        for (step, restart) in steps {
            let from = builder.size();
            for number in from..from + step {
                builder.append(hashes[number as usize]);
            }
            for write in builder.take_tiles() {
                let old = store.0.insert(write.path(), write.bytes);
                prop_assert!(old.is_none(), "{} was written twice", write.id);
            }
            let size = builder.size();
            let expected = tiles_by_definition(&hashes[..size as usize]);
            for (path, bytes) in &expected.0 {
                prop_assert_eq!(store.0.get(path), Some(bytes));
            }
            if restart {
                builder = Builder::from_tiles(&store, size, &builder.root()).unwrap();
            }
        }
        prop_assert_eq!(builder.root(), mth(&hashes));
    }
}
