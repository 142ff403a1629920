//! Passwords: Argon2id with the library's recommended parameters, and a floor of strength.

use crate::{Error, Result, secret};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Random bytes of a password that nobody chose.
const PASSWORD_BYTES: usize = 18;

const PASSWORD_CHARS_MIN: usize = 10;
/// Bytes of a password at most: hashing takes time in proportion.
const PASSWORD_BYTES_MAX: usize = 1024;
const DIFFERENT_CHARS_MIN: usize = 5;
/// What the names of people and products are cut from, so that they alone do not count.
const NAME_CHARS_MIN: usize = 4;
/// What is left of a password without what everybody tries has to be at least so long.
const OWN_CHARS_MIN: usize = 5;
/// What everybody tries.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "letmein",
    "welcome",
    "qwertyuiop",
    "qwertz",
    "qwerty",
    "iloveyou",
    "changeme",
    "trustno1",
    "monkey",
    "dragon",
    "football",
    "administrator",
    "admin",
    "secret",
    "abc123",
    "1q2w3e4r5t",
    "1q2w3e4r",
    "zaq12wsx",
    "asdfghjkl",
    "asdfgh",
    "yxcvbnm",
    "zxcvbnm",
    "auditlayer",
    "audit-layer",
    "audit",
];

/// Makes up a password.
///
/// # Errors
/// Where there is no randomness.
pub fn new_password() -> Result<Zeroizing<String>> {
    secret::random_text::<PASSWORD_BYTES>("")
}

/// Whether a password may be chosen.
pub(crate) fn check(password: &str, username: &str) -> Result<()> {
    const ALLOWED: &str = "10 characters to 1024 bytes, at least 5 different ones, and more than \
                           digits, a common password, a row of characters or the username";
    let allowed = password.chars().count() >= PASSWORD_CHARS_MIN
        && password.len() <= PASSWORD_BYTES_MAX
        && password.chars().collect::<BTreeSet<_>>().len() >= DIFFERENT_CHARS_MIN
        && own_chars(password, username) >= OWN_CHARS_MIN;
    if allowed { Ok(()) } else { Err(Error::Invalid { what: "the password", allowed: ALLOWED }) }
}

/// Characters that are not of a common password, of the username, or next in a row.
fn own_chars(password: &str, username: &str) -> usize {
    let mut rest = password.to_lowercase();
    let username = username.to_lowercase();
    let name = username.split('@').next().filter(|name| name.len() >= NAME_CHARS_MIN);
    for common in name.into_iter().chain(COMMON.iter().copied()) {
        rest = rest.replace(common, "\u{0}");
    }
    // A year or an exclamation mark at the end is what everybody adds.
    let rest =
        rest.trim_end_matches(|char: char| char.is_ascii_digit() || "!?.$#*@".contains(char));
    let mut before: Option<char> = None;
    let mut own = 0;
    for char in rest.chars() {
        let step = before.map(|before| i64::from(u32::from(char)) - i64::from(u32::from(before)));
        own += usize::from(char != '\u{0}' && !matches!(step, Some(-1..=1)));
        before = Some(char);
    }
    own
}

/// The hash to store.
pub(crate) fn hash(password: &str) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_is_refused() {
        let long = "x7-".repeat(400);
        for weak in [
            "",
            "short-1",
            "aaaaaaaaaaaa",
            "abababababab",
            "123456789012",
            "abcdefghijkl",
            "Password1234",
            "password!2024",
            "qwertyuiop12",
            "Administrator1",
            "vera.miller1",
            "8305729164",
            "Vera.Miller-vera.miller",
            "letmeinletmein",
            &long,
        ] {
            assert!(check(weak, "vera.miller").is_err(), "{weak:?}");
        }
        for good in [
            "correct horse",
            "test-admin-password",
            "a-long-password",
            "Tr0ub4dor&3x",
            "тайное слово",
        ] {
            assert!(check(good, "admin").is_ok(), "{good:?}");
        }
    }
}
