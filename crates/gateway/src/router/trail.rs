//! What attempts leave behind: an event for each that failed, and the requests as they were sent
//! where they differ from what was received. Recorded with the call's outcome.

use crate::call::millis;
use crate::settings::Provider;
use crate::targets::{Skipped, Target};
use crate::upstream::UpstreamError;
use bytes::Bytes;
use event::{Component, Event, EventData, RoutingFailed, Timestamp};
use recorder::{BodyWriter, DecisionWriter, RecordError, Role};
use std::time::Instant;

/// What was tried before the call ended.
#[derive(Default)]
pub(crate) struct Trail {
    pub events: Vec<Event>,
    pub bodies: Vec<BodyWriter>,
}

impl Trail {
    /// A provider, without a model of ours, did not answer.
    pub(crate) fn failed(
        provider: &Provider,
        model: Option<&str>,
        error: &UpstreamError,
        sent_at: Instant,
    ) -> Self {
        let data = RoutingFailed {
            provider: Some(provider.name.clone()),
            model: model.map(str::to_owned),
            attempt: Some(1),
            error_kind: Some(error.kind().to_owned()),
            error: Some(error.to_string()),
            latency_ms: Some(millis(sent_at)),
            will_retry: Some(false),
            ..RoutingFailed::default()
        };
        let event = Event::new(Component::ModelRouter, Timestamp::now(), data);
        Self { events: vec![event], bodies: Vec::new() }
    }

    /// Notes a failed attempt; whether another follows is not known yet.
    pub(crate) fn note(&mut self, data: RoutingFailed) {
        self.events.push(Event::new(Component::ModelRouter, Timestamp::now(), data));
    }

    /// Notes that a target was passed over.
    pub(crate) fn skip(&mut self, target: &Target, attempt: u32, skipped: Skipped) {
        self.note(RoutingFailed {
            error_kind: Some(skipped.kind().to_owned()),
            error: Some(skipped.message().to_owned()),
            latency_ms: Some(0.0),
            ..about(target, attempt)
        });
    }

    /// Says in the newest event what follows it.
    pub(crate) fn followed_by(&mut self, target: Option<&Target>) {
        if let Some(Event { data: EventData::RoutingFailed(data), .. }) = self.events.last_mut() {
            data.will_retry = Some(target.is_some());
            data.next_target = target.map(|target| target.name.clone());
        }
    }

    /// Keeps the request of an attempt as it was sent.
    ///
    /// # Errors
    /// Where it cannot be sealed.
    pub(crate) fn keep_request(
        &mut self,
        writer: Option<&DecisionWriter>,
        attempt: u32,
        sent: &Bytes,
    ) -> Result<(), RecordError> {
        if let Some(writer) = writer {
            let mut body = writer.body(Role::UpstreamRequest, part_number(attempt))?;
            body.push(sent);
            self.bodies.push(body);
        }
        Ok(())
    }
}

/// An event about an attempt at a target.
pub(crate) fn about(target: &Target, attempt: u32) -> RoutingFailed {
    RoutingFailed {
        provider: Some(target.provider.name.clone()),
        model: Some(target.model.clone()),
        attempt: Some(attempt),
        ..RoutingFailed::default()
    }
}

/// Attempts count from 1 in events and from 0 in parts.
pub(crate) fn part_number(attempt: u32) -> u8 {
    u8::try_from(attempt.saturating_sub(1)).unwrap_or(u8::MAX)
}

/// Whether these are two bodies and not twice the same one.
pub(crate) fn differ(a: &Bytes, b: &Bytes) -> bool {
    a.as_ptr() != b.as_ptr() || a.len() != b.len()
}
