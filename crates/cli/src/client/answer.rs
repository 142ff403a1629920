//! What the server answered.

use crate::failure::{Failure, Outcome};
use crate::output::plain;
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Bytes,
}

// === impl Answer ===

impl Answer {
    pub(super) const fn new(status: StatusCode, body: Bytes) -> Self {
        Self { status, body }
    }

    /// The body of a good answer.
    pub fn bytes(self) -> Outcome<Bytes> {
        if self.status.is_success() { Ok(self.body) } else { Err(self.failure()) }
    }

    /// The body of a good answer, as JSON.
    pub fn json(self) -> Outcome<Value> {
        let body = self.bytes()?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::failed(format!(
                "the server's answer is not JSON ({error}); use the same version as the server"
            ))
        })
    }

    /// A problem, as one line.
    fn failure(&self) -> Failure {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = ["detail", "title"].iter().find_map(|key| problem.get(key)?.as_str());
        match text {
            Some(text) => Failure::failed(plain(text)),
            None => Failure::failed(format!("the server answered {}; see its log", self.status)),
        }
    }
}
