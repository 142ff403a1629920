//! A provider without a model: answers in OpenAI's and Anthropic's formats, plain and streamed,
//! with plausible texts and token counts; and sample traffic from a few made-up applications.
//!
//! The demo (`serve --demo`) runs both; the tests' mock provider misbehaves on top of the first.
//! This crate imports no other crate of the workspace and knows nothing of recording.

mod answer;
mod anthropic;
mod body;
mod chat;
mod provider;
mod random;
mod reply;
mod responses;
mod routes;
mod texts;
mod traffic;

pub use body::{PacedBody, Piece};
pub use provider::{Pace, Provider, ProviderOptions};
pub use reply::{Reply, error_reply};
pub use routes::reply;
pub use traffic::{Summary, Traffic, TrafficOptions};
