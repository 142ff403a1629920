#![doc = include_str!("../README.md")]

mod admit;
mod answer;
mod body;
mod call;
mod headers;
mod health;
mod hold;
mod lanes;
mod merge;
mod names;
mod passage;
mod pipeline;
mod policies;
mod processors;
mod quota;
mod received;
mod refusal;
mod release;
mod resume;
mod reviews;
mod router;
mod server;
mod settings;
mod shared;
mod targets;
mod upstream;

pub use lanes::Lanes;
pub use server::{Gateway, GatewayError};
pub use settings::{
    Authentication, Breaker, Dialect, Model, OnRecordFailure, PolicySettings, Provider,
    ProviderKind, Retry, Settings, Strategy, Target, Timeouts,
};
pub use shared::Readiness;
pub use targets::{ATTEMPTS_MAX, ModelError, TARGETS_MAX, TargetHealth};
