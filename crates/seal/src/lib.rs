#![doc = include_str!("../README.md")]

mod codec;
mod error;
mod kdf;
mod key_file;
mod key_id;
mod provider;
mod record_key;
mod ring;
mod shared;
mod signing;
mod store;
mod subject;
mod writer;

pub use codec::{Codec, PIECE_BYTES_MAX};
pub use error::{Error, Result};
pub use kdf::random16;
pub use key_id::KeyId;
pub use provider::{KeyProvider, LocalKeyFile};
pub use record_key::{COMMITMENT_BYTES, NONCE_BYTES, RecordKey, SEALED_OVERHEAD_BYTES, aad};
pub use ring::{KeyRing, Options, Stats};
pub use signing::SigningKey;
pub use subject::{KeyClass, SubjectKey};
