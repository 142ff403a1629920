//! How routing ends.

use super::trail::{Trail, part_number};
use crate::settings::Provider;
use crate::targets::Lease;
use crate::upstream::UpstreamError;
use http::Response;
use hyper::body::Incoming;
use recorder::RecordError;
use std::time::{Duration, Instant};

/// How routing ended, and what was tried before.
pub(crate) struct Routed<'a> {
    pub end: End<'a>,
    pub trail: Trail,
}

/// How routing ended.
#[expect(
    clippy::large_enum_variant,
    reason = "moved once per call; a box would cost every call an allocation"
)]
pub(crate) enum End<'a> {
    /// An answer for the caller begins.
    Answered(Response<Incoming>, Answerer<'a>),
    /// Nobody answered.
    Failed(NoAnswer<'a>),
    /// The caller is gone.
    Gone(&'a Provider),
    /// An attempt could not be recorded.
    Unrecorded(RecordError),
}

/// Who answers.
pub(crate) struct Answerer<'a> {
    pub provider: &'a Provider,
    /// The model that was asked there, where it is one of ours.
    pub model: Option<&'a str>,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The target that failed before.
    pub fallback_from: Option<String>,
    /// The answer is an error that no attempt is left for; the trail tells it.
    pub failed: bool,
    /// The usage chunk that our injection causes is hidden.
    pub hides_usage: bool,
    /// When the first attempt was sent.
    pub first_sent: Instant,
    /// When this one was.
    pub sent_at: Instant,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// When the answer has to be whole.
    pub until: Option<tokio::time::Instant>,
    pub lease: Option<Lease<'a>>,
}

impl Answerer<'_> {
    /// The attempt's number in parts.
    pub(crate) fn part_number(&self) -> u8 {
        part_number(self.attempt)
    }
}

/// Nobody answered.
pub(crate) struct NoAnswer<'a> {
    /// Who was tried last.
    pub provider: &'a Provider,
    /// The model that the caller named, where it is one of ours.
    pub model: Option<&'a str>,
    /// The last error; none where no target could be called.
    pub error: Option<UpstreamError>,
}
