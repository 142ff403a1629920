#![doc = include_str!("../README.md")]

mod credentials;
mod format;
mod gate;
mod inject;
mod json;
mod model;
mod parts;
mod placeholder;
mod preview;
mod prices;
mod prompt;
mod request;
mod response;
mod roles;
mod route;
mod sse;
mod usage;

pub use credentials::{HEADERS_RECORDED_MAX, is_credential, recorded_query, recorded_value};
pub use format::{ErrorStyle, Format};
pub use gate::EventGate;
pub use inject::inject_usage;
pub use model::{rename_model, set_model, set_path_model};
pub use placeholder::is_placeholder;
pub use prices::{Cost, CostState, Prices, PricesError, version_of};
pub use request::{BodyError, RequestFacts, read_request};
pub use response::{ResponseFacts, ResponseReader};
pub use roles::roles;
pub use route::{Route, path_model, route};
