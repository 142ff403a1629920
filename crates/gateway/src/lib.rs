#![doc = include_str!("../README.md")]

mod admit;
mod answer;
mod body;
mod call;
mod headers;
mod health;
mod hold;
mod merge;
mod pipeline;
mod received;
mod refusal;
mod release;
mod server;
mod settings;
mod shared;
mod upstream;

pub use server::{Gateway, GatewayError};
pub use settings::{Authentication, OnRecordFailure, Provider, ProviderKind, Settings, Timeouts};
pub use shared::Readiness;
