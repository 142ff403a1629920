#![doc = include_str!("../README.md")]

mod audit;
mod caller;
mod cookie;
mod detail;
mod docs;
mod extract;
mod feed;
mod figures;
mod gate;
mod headers;
mod ledger_files;
mod machine;
mod openapi;
mod params;
mod problem;
mod redact;
mod roles;
mod router;
mod routes;
mod schemas;
mod serve;
mod state;
mod throttle;

pub use openapi::openapi_json;
pub use serve::{Peer, ServeError, ServeLimits};
pub use state::{Api, ModelFacts, Parts, Settings};
