//! The proof of a decision: one file that convinces on another machine.

use serde::{Deserialize, Serialize};

/// Version of the bundle's format.
pub const BUNDLE_VERSION: &str = "audit-layer/proof/1";
/// Bytes of a bundle at most, so that a verifier can bound what it reads.
pub const BUNDLE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Everything that proves one decision: its records, each with its inclusion in one signed
/// checkpoint of its epoch's log, and (unless left out) the keys that open these records and no
/// others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofBundle {
    /// [`BUNDLE_VERSION`].
    pub v: String,
    /// The decision.
    pub decision_id: uuid::Uuid,
    /// The signed checkpoint (a C2SP tlog-checkpoint) of the last record's epoch.
    pub checkpoint: String,
    /// Those of earlier epochs, oldest first, where the decision began before the last record's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_checkpoints: Vec<String>,
    /// The decision's records, in the order of the log.
    pub records: Vec<ProvenRecord>,
}

/// One record with its proof.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenRecord {
    /// The leaf, verbatim.
    pub leaf: String,
    /// A C2SP tlog-proof of the leaf under its epoch's checkpoint in the bundle.
    pub tlog_proof: String,
    /// The open part, verbatim.
    pub open: String,
    /// The sealed frame's payload.
    #[serde(with = "bytes_base64", default, skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<u8>,
    /// The part frames' payloads, in the order of `parts_root`.
    pub parts: Vec<Base64>,
    /// The derived key of each sealed group (null where it was erased or left out).
    pub group_keys: Vec<Option<Base64>>,
    /// The derived key of the parts.
    pub parts_key: Option<Base64>,
}

/// Bytes, in base64 in JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Base64(#[serde(with = "bytes_base64")] pub Vec<u8>);

mod bytes_base64 {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
