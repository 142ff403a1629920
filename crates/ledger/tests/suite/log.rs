//! A log in memory, and RFC 6962 as it is written: recursive and slow.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use ledger::{
    Builder, BundleError, BundleId, BundleSource, Checkpoint, Hash, KeyKind, Signer, TileError,
    TileId, TileSource, TrustedKeys, VerifierKey, encode_bundle, key_id, leaf_hash, node_hash,
};

pub const ORIGIN: &str = "gw.example.com/audit/default/w-0badcafe/1";

/// Files by path, as a log directory has them.
#[derive(Debug, Clone, Default)]
pub struct Store(pub BTreeMap<String, Vec<u8>>);

impl TileSource for Store {
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, TileError> {
        self.0.get(&tile.to_string()).cloned().ok_or(TileError::Missing(tile))
    }
}

impl BundleSource for Store {
    fn bundle(&self, bundle: BundleId) -> Result<Vec<u8>, BundleError> {
        self.0.get(&bundle.to_string()).cloned().ok_or(BundleError::Missing(bundle))
    }
}

pub struct TestKey {
    pub name: String,
    pub kind: KeyKind,
    pair: Ed25519KeyPair,
}

impl TestKey {
    pub fn new(name: &str, kind: KeyKind, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        Self { name: name.to_owned(), kind, pair }
    }

    pub fn log(seed: u8) -> Self {
        Self::new(ORIGIN, KeyKind::Ed25519, seed)
    }

    pub fn public(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().unwrap()
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), self.kind, self.public()).unwrap()
    }
}

impl Signer for TestKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, self.kind, &self.public())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().unwrap()
    }
}

pub fn trust(key: &TestKey) -> TrustedKeys {
    TrustedKeys { log: vec![key.verifier()], ..TrustedKeys::default() }
}

pub fn leaf(number: u64) -> Vec<u8> {
    format!("{{\"leaf\":{number}}}").into_bytes()
}

pub fn leaves(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(leaf).collect()
}

pub fn leaf_hashes(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&leaf(number))).collect()
}

/// Tiles, bundles and the signed checkpoint of these leaves.
pub fn publish(leaves: &[Vec<u8>], key: &TestKey) -> Store {
    let mut store = Store::default();
    let mut builder = Builder::new();
    for leaf in leaves {
        builder.append_leaf(leaf);
    }
    for write in builder.take_tiles() {
        store.0.insert(write.path(), write.bytes);
    }
    let size = leaves.len() as u64;
    for (index, entries) in (0_u64..).zip(leaves.chunks(256)) {
        let bundle = BundleId::in_tree(index, size).unwrap();
        store.0.insert(bundle.to_string(), encode_bundle(entries).unwrap());
    }
    store.0.insert("checkpoint".to_owned(), sign(size, builder.root(), key));
    store
}

pub fn sign(size: u64, root: Hash, key: &TestKey) -> Vec<u8> {
    let checkpoint = Checkpoint::new(key.name.clone(), size, root).unwrap();
    checkpoint.sign(key).unwrap().to_string().into_bytes()
}

/// `MTH(D[n])`, RFC 6962 section 2.1.
pub fn mth(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => ledger::EMPTY_ROOT,
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(split(hashes.len()));
            node_hash(&mth(left), &mth(right))
        }
    }
}

/// `PATH(m, D[n])`, RFC 6962 section 2.1.1.
pub fn path(m: usize, hashes: &[Hash]) -> Vec<Hash> {
    if hashes.len() <= 1 {
        return Vec::new();
    }
    let k = split(hashes.len());
    let (left, right) = hashes.split_at(k);
    let (mut below, sibling) =
        if m < k { (path(m, left), mth(right)) } else { (path(m - k, right), mth(left)) };
    below.push(sibling);
    below
}

/// `PROOF(m, D[n])`, RFC 6962 section 2.1.2.
pub fn proof(m: usize, hashes: &[Hash]) -> Vec<Hash> {
    subproof(m, hashes, true)
}

fn subproof(m: usize, hashes: &[Hash], complete: bool) -> Vec<Hash> {
    if m == hashes.len() {
        return if complete { Vec::new() } else { vec![mth(hashes)] };
    }
    let k = split(hashes.len());
    let (left, right) = hashes.split_at(k);
    let (mut below, sibling) = if m <= k {
        (subproof(m, left, complete), mth(right))
    } else {
        (subproof(m - k, right, false), mth(left))
    };
    below.push(sibling);
    below
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}
