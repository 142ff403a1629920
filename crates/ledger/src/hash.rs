//! RFC 6962 section 2.1: hashes of leaves, nodes and whole lists.

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of one hash.
pub const HASH_BYTES: usize = 32;

/// Leaves up to this size are hashed in one call from the stack.
const ONE_SHOT_LEAF_BYTES_MAX: usize = 2_047;

/// A SHA-256 hash: of a leaf, of a node, or the root of a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash([u8; HASH_BYTES]);

/// The root of the tree without leaves: SHA-256 of the empty string.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// `SHA-256(0x00 ‖ leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    if leaf.len() <= ONE_SHOT_LEAF_BYTES_MAX {
        let mut buffer = [0_u8; ONE_SHOT_LEAF_BYTES_MAX + 1];
        buffer[1..=leaf.len()].copy_from_slice(leaf);
        return sha256(&buffer[..=leaf.len()]);
    }
    let mut context = digest::Context::new(&SHA256);
    context.update(&[0]);
    context.update(leaf);
    from_digest(&context.finish())
}

/// `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut buffer = [1_u8; 1 + 2 * HASH_BYTES];
    buffer[1..=HASH_BYTES].copy_from_slice(&left.0);
    buffer[1 + HASH_BYTES..].copy_from_slice(&right.0);
    sha256(&buffer)
}

/// Plain SHA-256, as key ids need it.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    from_digest(&digest::digest(&SHA256, bytes))
}

fn from_digest(digest: &digest::Digest) -> Hash {
    let mut hash = Hash::default();
    // SHA-256 always yields 32 bytes; zip keeps this free of a panicking path.
    for (to, from) in hash.0.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    hash
}

// === impl Hash ===

impl Hash {
    /// Wraps 32 bytes that are a hash already.
    pub const fn new(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// The bytes, by value.
    pub const fn into_bytes(self) -> [u8; HASH_BYTES] {
        self.0
    }

    /// Standard base64, as checkpoints and proofs carry it.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads standard, padded, canonical base64; anything else is `None`.
    pub fn from_base64(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; HASH_BYTES];
        match STANDARD.decode_slice(text, &mut bytes) {
            Ok(HASH_BYTES) => Some(Self(bytes)),
            _ => None,
        }
    }
}

impl fmt::Display for Hash {
    /// Lower case hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl From<[u8; HASH_BYTES]> for Hash {
    fn from(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }
}

impl From<Hash> for [u8; HASH_BYTES] {
    fn from(hash: Hash) -> Self {
        hash.0
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}
