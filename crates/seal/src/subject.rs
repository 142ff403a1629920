//! A person's key.

use crate::KeyId;
use crate::kdf::Secret;
use std::fmt;

/// Whom a key stands for. Each class has names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyClass {
    /// A person whom records are about; erasure destroys the key.
    Subject,
    /// Everybody unknown on one day (calls that never authenticated).
    Day,
    /// Administrators and reviewers; erasure does not touch it.
    Staff,
}

impl KeyClass {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Subject => 1,
            Self::Day => 2,
            Self::Staff => 3,
        }
    }
}

/// A subject's key, unwrapped. Zeroed when the last holder drops it.
pub struct SubjectKey {
    id: KeyId,
    secret: Secret,
}

impl SubjectKey {
    pub(crate) const fn new(id: KeyId, secret: Secret) -> Self {
        Self { id, secret }
    }

    /// Its identity.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectKey").field("id", &self.id).finish_non_exhaustive()
    }
}
