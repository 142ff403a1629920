//! Closed vocabularies: roles and scopes.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads everything, reviews, generates reports.
    ComplianceOfficer,
    /// Reads what is their own.
    Viewer,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Call providers through the gateway.
    Gateway,
    /// Report events and decisions.
    Ingest,
    /// Read the audit.
    Read,
}

// === impl Role ===

impl Role {
    /// The name in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::ComplianceOfficer => "compliance_officer",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Admin, Self::ComplianceOfficer, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(Error::Invalid {
                what: "the role",
                allowed: "admin, compliance_officer, viewer",
            })
    }
}

// === impl Scope ===

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Ingest, Self::Read];

    /// The name in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Ingest => "ingest",
            Self::Read => "read",
        }
    }

    /// What keys made for this scope begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Gateway => "al_gw_",
            Self::Ingest => "al_in_",
            Self::Read => "al_rd_",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(Error::Invalid { what: "the scope", allowed: "gateway, ingest, read" })
    }
}
