//! `serve`: the server.

use super::Place;
use crate::compose;
use crate::config::{self, Flags};
use crate::env;
use crate::failure::{Failure, Outcome};
use clap::Args;
use std::ffi::OsString;

/// Run gateway, recorder, indexer and API in one process
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the gateway listens [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR")]
    gateway_listen: Option<String>,
    /// Where API and dashboard listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    api_listen: Option<String>,
    /// The one provider, where none are configured [default: http://127.0.0.1:8001]
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Built-in provider and sample traffic; needs nothing outside
    #[arg(long, conflicts_with_all = ["upstream", "command"])]
    demo: bool,
    /// A program to start and supervise as the upstream, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

// === impl Serve ===

impl Serve {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let flags = Flags {
            gateway_listen: self.gateway_listen,
            api_listen: self.api_listen,
            upstream: self.upstream,
            ..place.flags()
        };
        let config = config::load(&flags, &env::vars())?;
        compose::start_logging(&config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .on_thread_start(crate::turns::take_short)
            .build()
            .map_err(|error| Failure::failed(format!("no threads can be started: {error}")))?;
        let options = compose::Serve { demo: self.demo, command: self.command };
        runtime.block_on(compose::serve(&config, options))
    }
}
