//! Tile paths, entry bundles and tiles of any bytes: nothing panics, nothing forged is sound.

#![no_main]

use ledger::{
    Builder, BundleError, BundleId, BundleSource, EMPTY_ROOT, LogVerifier, Prover, ResourceId,
    TileError, TileId, TileSource, TrustedKeys, decode_bundle,
};
use libfuzzer_sys::fuzz_target;

/// The same bytes wherever one looks, cut or repeated to the length asked for.
struct Same<'a>(&'a [u8]);

impl TileSource for Same<'_> {
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, TileError> {
        match self.0.first() {
            None => Err(TileError::Missing(tile)),
            Some(byte) if byte & 7 == 0 => Ok(self.0.to_vec()),
            Some(_) => Ok(self.0.iter().copied().cycle().take(tile.bytes_len()).collect()),
        }
    }
}

impl BundleSource for Same<'_> {
    fn bundle(&self, _: BundleId) -> Result<Vec<u8>, BundleError> {
        Ok(self.0.to_vec())
    }
}

fn tiles(size: u64, index: u64, bytes: &[u8]) {
    let source = Same(bytes);
    if let Ok(prover) = Prover::new(&source, size) {
        let _ = prover.inclusion(index);
        let _ = prover.consistency(index);
        let _ = prover.root();
    }
    if size > 0 {
        assert!(Builder::from_tiles(&source, size, &EMPTY_ROOT).is_err());
    }
    // A checkpoint of a few leaves that nobody signed.
    let checkpoint = format!(
        "log.example\n{}\n{}\n\n\u{2014} x AAAAAAA=\n",
        size % 600 + 1,
        EMPTY_ROOT.to_base64()
    );
    let keys = TrustedKeys::default();
    let mut verifier = LogVerifier::new(checkpoint.as_bytes(), &keys, &source);
    verifier.bundles(&source);
    assert!(!verifier.finish().is_sound());
}

fuzz_target!(|data: &[u8]| {
    if let Ok(path) = std::str::from_utf8(data)
        && let Ok(id) = path.parse::<ResourceId>()
    {
        assert_eq!(id.to_string(), path);
    }
    for width in [1, 2, 255, 256] {
        if let Ok(entries) = decode_bundle(data, width) {
            assert_eq!(ledger::encode_bundle(&entries).as_deref(), Ok(data));
        }
    }
    if let Some((numbers, bytes)) = data.split_first_chunk::<16>() {
        let [size, index] = [0, 8].map(|at| {
            let mut number = [0; 8];
            number.copy_from_slice(&numbers[at..at + 8]);
            u64::from_le_bytes(number)
        });
        tiles(size, index, bytes);
    }
});
