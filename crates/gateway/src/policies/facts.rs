//! What policies see of a call.

use crate::admit::Caller;
use crate::settings::Provider;
use bytes::Bytes;
use event::Timestamp;
use policy::{Counters, Facts, Stage};
use wire::{RequestFacts, Route};

/// Bytes of a token, on average: good enough to compare with a limit.
const TOKEN_BYTES: u64 = 4;

/// A request that is judged.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub caller: &'a Caller,
    pub route: &'a Route,
    pub content_type: Option<&'a str>,
    pub arrived_at: Timestamp,
    pub read: &'a RequestFacts,
    pub body: &'a Bytes,
}

/// What is known of a request before its content was looked at and a provider chosen.
pub(crate) fn of_request(asked: Asked<'_>) -> Facts {
    let Asked { caller, route, arrived_at, read, body, .. } = asked;
    let Caller { source, user, request_type, session, .. } = caller;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let bytes = body.len() as u64;
    Facts {
        source: text(source),
        user: text(user),
        request_type: text(request_type),
        session: session.clone(),
        stage: Stage::Request,
        model: text(&read.model),
        request_bytes: bytes,
        estimated_tokens: bytes / TOKEN_BYTES,
        roles: if route.takes_json_body { wire::roles(body) } else { Vec::new() },
        tools_offered: read.tools.clone(),
        streamed: read.stream,
        at: arrived_at.as_micros(),
        counters: Counters::default(),
        ..Facts::default()
    }
}

/// The same, as it concerns a provider.
pub(super) fn at_provider(facts: &Facts, provider: &Provider) -> Facts {
    Facts { provider: provider.name.clone(), baa: provider.baa, ..facts.clone() }
}
