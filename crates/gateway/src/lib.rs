//! The data plane: takes a call in, records its intent, passes it to a provider, records the
//! outcome, and only then releases the answer's last piece. Knows no index backend and no API.

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
