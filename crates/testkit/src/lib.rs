//! What tests and benchmarks of the other crates stand on: a provider that misbehaves on command,
//! a provider that replays recorded exchanges, a TCP proxy that breaks connections, a small HTTP
//! client, and the product itself as a child process.
//!
//! Only ever a dev-dependency. It fails a test where something is wrong, so it panics freely.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "dev only: what goes wrong here has to fail the test that it goes wrong in"
)]

mod behaviour;
mod chaos;
mod client;
mod logging_md;
mod mock;
mod pack;
mod percentiles;
mod process;
mod replay;
mod timer;

pub use behaviour::{Behaviour, Fault};
pub use chaos::{Chaos, ChaosProxy};
pub use client::{Answer, Client, StreamedAnswer};
pub use logging_md::{LoggingError, update_logging_md};
pub use mock::{MockProvider, Received, refused_url};
pub use pack::{pack, unpack};
pub use percentiles::percentiles;
pub use process::{AuditLayer, AuditLayerBuilder};
pub use replay::{Exchange, ReplayServer, read_exchanges};
