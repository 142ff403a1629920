//! The configuration: defaults, then the file, then the environment, then flags.

mod check;
mod check_models;
mod explain;
mod models;
mod reviews;
mod secret;
mod sections;
mod sources;
mod span;
mod values;

pub use check_models::UPSTREAM_NAME;
pub use models::{Model, Strategy, Target};
pub use reviews::OnExpiry;
pub use secret::SecretRef;
pub use sections::{
    Authentication, Config, Durability, LogFormat, OnRecordFailure, Provider, ProviderKind,
    RecordPolicies, UsageInjection,
};
pub use sources::{Flags, load};
pub use values::{BaseUrl, Listen, Network};

#[cfg(test)]
mod tests;
