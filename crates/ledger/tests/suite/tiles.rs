use ledger::{BundleId, PathError, ResourceId, TileId, decode_bundle, encode_bundle};
use proptest::prelude::*;

#[test]
fn paths_of_the_specification() {
    for (path, level, index, width) in [
        ("tile/0/000", 0, 0, 256),
        ("tile/0/x001/x234/067", 0, 1_234_067, 256),
        ("tile/0/x001/x234/067.p/255", 0, 1_234_067, 255),
        ("tile/7/000.p/127", 7, 0, 127),
        ("tile/1/x001/000", 1, 1_000, 256),
    ] {
        let tile = TileId::new(level, index, width).unwrap();
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(ResourceId::Tile(tile)));
    }
    let bundle = BundleId::new(123_456, 3).unwrap();
    assert_eq!(bundle.to_string(), "tile/entries/x123/456.p/3");
    assert_eq!("tile/entries/x123/456.p/3".parse(), Ok(ResourceId::Bundle(bundle)));
}

#[test]
fn other_paths_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/+00",
        "tile/0/ 00",
        "tile/00/000",
        "tile/+1/000",
        "tile/-1/000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/000/001",
        "tile/0/x001/x002",
        "tile/0/X001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/1/",
        "tile/0/000/",
        "tile/0//000",
        "/tile/0/000",
        "tile/data/000",
        "tile/entries/",
        "tile/8/0/000",
        "tile/0/٠٠٠",
        "tile/0/../../../etc/passwd",
    ] {
        assert_eq!(path.parse::<ResourceId>(), Err(PathError::Malformed), "{path:?}");
    }
    for path in [
        "tile/8/000",
        "tile/63/000",
        "tile/7/001",
        "tile/7/000.p/128",
        "tile/0/x999/x999/x999/x999/x999/999",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(path.parse::<ResourceId>(), Err(PathError::OutOfRange), "{path:?}");
    }
}

#[test]
fn bundles_are_length_prefixed() {
    let entries: [&[u8]; 3] = [b"one", b"", b"three"];
    let bytes = encode_bundle(&entries).unwrap();
    assert_eq!(bytes, b"\x00\x03one\x00\x00\x00\x05three");
    assert_eq!(decode_bundle(&bytes, 3).unwrap(), entries);
    for width in [0, 1, 2, 4, 256, 257, u16::MAX] {
        assert!(decode_bundle(&bytes, width).is_err(), "width {width}");
    }
    for end in 0..bytes.len() {
        assert!(decode_bundle(&bytes[..end], 3).is_err(), "cut at {end}");
    }
    assert!(encode_bundle::<Vec<u8>>(&[]).is_err());
    assert!(encode_bundle(&vec![b"x"; 257]).is_err());
    assert!(encode_bundle(&[vec![0; 65_536]]).is_err());
    let largest = encode_bundle(&vec![vec![0_u8; 65_535]; 256]).unwrap();
    assert_eq!(largest.len(), ledger::BUNDLE_BYTES_MAX);
    assert_eq!(decode_bundle(&largest, 256).unwrap().len(), 256);
}

proptest! {
    #[test]
    fn every_tile_has_one_path(level in 0_u8..8, index in any::<u64>(), width in 1_u16..=256) {
        let index = index.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
        if let Ok(tile) = TileId::new(level, index, width) {
            prop_assert_eq!(tile.to_string().parse(), Ok(ResourceId::Tile(tile)));
            let bundle = BundleId::from(tile);
            prop_assert_eq!(bundle.to_string().parse(), Ok(ResourceId::Bundle(bundle)));
            let (first, leaves) = tile.leaves_at(0);
            let size = first + leaves * u64::from(width);
            prop_assert_eq!(TileId::in_tree(level, index, size), Some(tile));
        }
    }

    #[test]
    fn a_path_that_parses_is_the_path(
        path in "tile/(entries|[0-9]{1,2})(/x?[0-9]{3}){1,4}(\\.p/[0-9]{1,3})?"
    ) {
        if let Ok(id) = path.parse::<ResourceId>() {
            prop_assert_eq!(id.to_string(), path);
        }
    }

    #[test]
    fn bundles_round_trip(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..=256)
    ) {
        let bytes = encode_bundle(&entries).unwrap();
        prop_assert_eq!(decode_bundle(&bytes, entries.len() as u16).unwrap(), entries);
    }
}
