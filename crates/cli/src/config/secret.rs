//! Secrets: the configuration holds only where they are.

use crate::env;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Bytes of a secret at most.
const SECRET_BYTES_MAX: usize = 16 * 1024;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretRef {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(PathBuf),
}

/// A secret. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

// === impl SecretRef ===

impl SecretRef {
    /// Fetches the secret.
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => env::var(name)
                .ok_or_else(|| format!("the environment variable {name} is not set"))?,
            Self::File(path) => read_file(path)?,
        };
        let text = text.trim();
        let printable = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        if text.is_empty() || text.len() > SECRET_BYTES_MAX || !printable {
            return Err(format!(
                "{self} holds no usable secret; allowed: 1 to {SECRET_BYTES_MAX} visible ASCII characters"
            ));
        }
        Ok(Secret(text.to_owned()))
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))
}

impl TryFrom<String> for SecretRef {
    type Error = &'static str;

    /// The error does not repeat what was found: it may be the secret itself.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str =
            "found something else (not shown, it may be a secret), allowed: env:NAME or file:PATH";
        match text.split_once(':') {
            Some(("env", name)) if is_name(name) => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            _ => Err(WRONG),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl Secret ===

impl Secret {
    /// The secret itself, for the one who sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
