//! A feed as server-sent events.

use super::telling::{HEARTBEAT, Message, Telling};
use crate::serve::Stopping;
use axum::body::{Body, Bytes};
use futures_util::stream;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use tokio::time::{Instant, Interval, interval_at};

/// What a browser waits before it comes back by itself.
const RETRY: &str = "retry: 1000\n";

struct Events {
    telling: Telling,
    beat: Interval,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    first: bool,
}

/// The events, until somebody ends them.
pub(super) fn body(telling: Telling, stopping: Option<Stopping>) -> Body {
    let beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    let stopped = Box::pin(Stopping::wait(stopping));
    let events = Events { telling, beat, stopped, first: true };
    Body::from_stream(stream::unfold(Some(events), |events| async {
        let (text, events) = events?.next().await;
        Some((Ok::<Bytes, Infallible>(text.into()), events))
    }))
}

impl Events {
    /// The next events; and itself, unless they are the last.
    async fn next(mut self) -> (String, Option<Self>) {
        if std::mem::take(&mut self.first) {
            return (format!("{RETRY}{}", written(&[self.telling.hello()])), Some(self));
        }
        tokio::select! {
            next = self.telling.next() => match next {
                Ok(messages) => (written(&messages), Some(self)),
                // The problem is in the log; the listener comes back.
                Err(_) => (written(&[self.telling.closing()]), None),
            },
            _ = self.beat.tick() => match self.telling.heartbeat() {
                Some(message) => (written(&[message]), Some(self)),
                None => (written(&[self.telling.closing()]), None),
            },
            () = &mut self.stopped => (written(&[self.telling.closing()]), None),
        }
    }
}

fn written(messages: &[Message]) -> String {
    let mut out = String::new();
    for Message { kind, cursor, text } in messages {
        // Writing into memory cannot fail; JSON has no line ends.
        let _written = write!(out, "id: {cursor}\nevent: {kind}\ndata: {text}\n\n");
    }
    out
}
