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
mod server;
mod settings;
mod upstream;

pub use server::{Gateway, GatewayError, Readiness};
pub use settings::{Authentication, OnRecordFailure, Provider, ProviderKind, Settings, Timeouts};
