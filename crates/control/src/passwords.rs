//! Passwords: Argon2id with the library's recommended parameters.

use crate::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};

/// Bytes of a password at most: hashing takes time in proportion.
const PASSWORD_BYTES_MAX: usize = 1024;

/// The hash to store.
pub(crate) fn hash(password: &str) -> Result<String> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(Error::Invalid { what: "the password", allowed: "1 to 1024 bytes" });
    }
    let hash: PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|_| Error::Crypto)?;
    Ok(hash.to_string())
}

/// Whether the password is the one of the stored hash. Without one it takes as long, so that
/// the time does not tell whether the user exists.
pub(crate) fn matches(password: &str, stored: Option<&str>, decoy: &str) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let Ok(hash) = PasswordHash::new(stored.unwrap_or(decoy)) else { return false };
    let fits = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    fits && stored.is_some()
}
