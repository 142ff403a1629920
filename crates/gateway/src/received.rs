//! What of an answer was received, and how it ended.

use crate::call::Answered;
use crate::hold::Hold;
use crate::policies::Watch;
use bytes::Bytes;
use event::Headers;
use http::HeaderMap;
use recorder::BodyWriter;
use std::time::Duration;
use wire::{ResponseFacts, ResponseReader};

/// Bytes of an answer that can be judged at most.
pub(crate) const JUDGED_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete,
    ClientDisconnected,
    UpstreamInterrupted,
}

/// What was received, and what of it was released.
pub(crate) struct Received {
    pub reader: ResponseReader,
    pub upstream: Option<BodyWriter>,
    pub client: Option<BodyWriter>,
    pub hold: Hold,
    /// How it is judged, where it is.
    pub watch: Option<Watch>,
    /// What went out so far of an answer that is judged at its end.
    pub seen: Vec<Bytes>,
    pub bytes: u64,
    pub first_byte_ms: Option<f64>,
    pub trailers: Option<HeaderMap>,
    pub waited: Duration,
    pub error: Option<String>,
}

/// What is known of an answer when it has ended.
pub(crate) struct End {
    pub answered: Answered,
    pub read: ResponseFacts,
    pub ending: Ending,
    pub content_type: Option<String>,
    pub headers: Headers,
    pub bytes: u64,
    pub delivered: u64,
    pub first_byte_ms: Option<f64>,
    pub waited: Duration,
    pub error: Option<String>,
    /// Nothing of the answer was passed on.
    pub unsent: bool,
}

impl Ending {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientDisconnected => "client_disconnected",
            Self::UpstreamInterrupted => "upstream_interrupted",
        }
    }
}

impl Received {
    pub(crate) fn take(&mut self, data: Bytes, ready: &mut Vec<Bytes>) {
        self.bytes += data.len() as u64;
        self.reader.feed(&data);
        if let Some(upstream) = &mut self.upstream {
            upstream.push_streamed(&data);
        }
        if self.observes() && self.bytes <= JUDGED_BYTES_MAX {
            self.seen.push(data.clone());
        }
        self.hold.push(data, ready);
        if let Some(client) = &mut self.client {
            ready.iter().for_each(|piece| client.push_streamed(piece));
        }
    }

    /// Whether it goes out as it comes and is judged at its end.
    fn observes(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| !watch.keeps)
    }

    /// Whether it cannot be judged any more because it is too long.
    pub(crate) fn is_beyond_judging(&self) -> bool {
        self.bytes > JUDGED_BYTES_MAX && self.watch.as_ref().is_some_and(|watch| watch.keeps)
    }

    /// Holds the provider back where the journal does not keep up.
    pub(crate) async fn make_room(&mut self) {
        for body in self.upstream.iter_mut().chain(&mut self.client) {
            body.make_room().await;
        }
    }

    pub(crate) fn interrupted(&mut self, error: &str) -> Ending {
        self.error = Some(error.to_owned());
        Ending::UpstreamInterrupted
    }
}
