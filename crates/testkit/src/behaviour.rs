//! How the mock provider answers: set for all requests, or by a header for one.

use bytes::Bytes;
use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing: a plausible answer of the demo provider.
    #[default]
    None,
    /// An error of this status in the route's format.
    Status(u16),
    /// This status, content type and body, as they are.
    Raw(u16, String, Bytes),
    /// Status 200 with JSON that ends in the middle.
    MalformedJson,
    /// A stream with events that are not JSON among good ones.
    MalformedEvents,
    /// The connection breaks after so many pieces of the body (0: after the head).
    CutAfter(usize),
    /// The body's length is announced and less is sent.
    ShortBody,
    /// The connection closes without an answer.
    Reset,
    /// No answer, ever.
    Silence,
    /// A head and so many pieces, then nothing, ever.
    HangAfter(usize),
    /// A body of so many bytes.
    Bytes(u64),
}

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Behaviour {
    /// What goes wrong.
    pub fault: Fault,
    /// Pause before the head.
    pub head_delay: Duration,
    /// Pause before each event of a stream.
    pub event_delay: Duration,
    /// Added to the answer's headers.
    pub headers: Vec<(String, String)>,
}

/// Header by which one request chooses its behaviour, as `status=500`, `cut=3`, `delay=20,slow=5`.
pub(crate) const BEHAVIOUR_HEADER: &str = "x-mock-behaviour";

// === impl Behaviour ===

impl Behaviour {
    /// Plausible answers at once.
    pub fn good() -> Self {
        Self::default()
    }

    /// Something goes wrong.
    pub fn fault(fault: Fault) -> Self {
        Self { fault, ..Self::default() }
    }

    /// Plausible answers after `head`, with `event` before each event.
    pub fn slow(head: Duration, event: Duration) -> Self {
        Self { head_delay: head, event_delay: event, ..Self::default() }
    }

    /// With a header in the answer.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// From the text of the header: comma-separated `name=value`.
    ///
    /// # Panics
    /// Where the text names no behaviour: the test is wrong.
    pub fn parse(text: &str) -> Self {
        let mut behaviour = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, "0"));
            let number: u64 =
                value.parse().unwrap_or_else(|_| panic!("{part:?}: {value:?} is no number"));
            match name {
                "delay" => behaviour.head_delay = Duration::from_millis(number),
                "slow" => behaviour.event_delay = Duration::from_millis(number),
                "status" => behaviour.fault = Fault::Status(number as u16),
                "malformed-json" => behaviour.fault = Fault::MalformedJson,
                "malformed-events" => behaviour.fault = Fault::MalformedEvents,
                "cut" => behaviour.fault = Fault::CutAfter(number as usize),
                "short" => behaviour.fault = Fault::ShortBody,
                "reset" => behaviour.fault = Fault::Reset,
                "silence" => behaviour.fault = Fault::Silence,
                "hang" => behaviour.fault = Fault::HangAfter(number as usize),
                "bytes" => behaviour.fault = Fault::Bytes(number),
                _ => panic!("{name:?} is no behaviour of the mock provider"),
            }
        }
        behaviour
    }
}
