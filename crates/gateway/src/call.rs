//! One call through the gateway, from its arrival to the record of its outcome.

use crate::admit::{Caller, Ids};
use crate::policies::Asked;
use crate::refusal::Refusal;
use crate::settings::Authentication;
use crate::shared::Shared;
use bytes::Bytes;
use control::{Fingerprint, Meter};
use event::{
    Component, DeliveryFailed, Event, RequestCompleted, RequestFailed, RequestReceived,
    RequestRejected, Timestamp, UsageOrigin,
};
use http::{HeaderMap, Method};
use recorder::{
    BodyWriter, DecisionIds, DecisionWriter, EVENTS_MAX, PersonNames, RecordError, Role,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use wire::{RequestFacts, Route};

/// A call under way.
pub(crate) struct Call {
    pub shared: Arc<Shared>,
    pub ids: Ids,
    pub arrived: Instant,
    pub arrived_at: Timestamp,
    pub route: Route,
    pub method: Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub address: IpAddr,
    pub caller: Caller,
    /// Counts what the caller's key uses, where that is limited.
    pub meter: Option<Arc<Meter>>,
}

/// Milliseconds with microseconds behind the point.
pub(crate) fn millis(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

impl Call {
    /// Begins the decision's records.
    pub(crate) async fn writer(&self) -> Result<DecisionWriter, RecordError> {
        self.writer_for(self.persons()).await
    }

    /// The media type of the body, as the caller says.
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    }

    /// The request as policies are asked about it.
    pub(crate) fn asked<'a>(&'a self, read: &'a RequestFacts, body: &'a Bytes) -> Asked<'a> {
        Asked {
            caller: &self.caller,
            route: &self.route,
            content_type: self.content_type(),
            arrived_at: self.arrived_at,
            read,
            body,
        }
    }

    /// What makes a request the same one.
    pub(crate) fn fingerprint(&self, received: &[u8]) -> Fingerprint {
        let place = match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        };
        let (key, user) = (self.caller.api_key_id.as_deref(), self.caller.user.as_deref());
        review::fingerprint(key, self.method.as_str(), &place, user, received)
    }

    /// Whose keys seal what is recorded.
    pub(crate) fn persons(&self) -> PersonNames {
        // Who was never authenticated has only claimed to be somebody.
        match &self.caller.user {
            Some(_) => self.caller.persons(),
            None => PersonNames::default(),
        }
    }

    async fn writer_for(&self, persons: PersonNames) -> Result<DecisionWriter, RecordError> {
        let persons = self.shared.recorder.persons(&persons).await?;
        let ids = DecisionIds {
            decision_id: self.ids.decision_id,
            trace_id: self.ids.trace_id,
            request_id: self.ids.request_id.clone(),
        };
        Ok(self.shared.recorder.decision(ids, persons))
    }

    fn received(&self, facts: Option<&RequestFacts>, request_bytes: u64) -> Event {
        let caller = &self.caller;
        let mut data = RequestReceived {
            source: caller.source.clone(),
            user_id: caller.user.clone(),
            user_email: caller.email.clone(),
            client_address: Some(self.address.to_string()),
            session_id: caller.session.clone(),
            subjects: (!caller.subjects.is_empty()).then(|| caller.subjects.clone()),
            request_type: caller.request_type.clone(),
            method: Some(self.method.as_str().to_owned()),
            path: Some(self.path.clone()),
            query: crate::headers::recorded_query(self.query.as_deref()),
            format: Some(self.route.format.as_str().to_owned()),
            request_bytes: Some(request_bytes),
            api_key_id: caller.api_key_id.clone(),
            headers: Some(crate::headers::recorded(&self.headers)),
            ..RequestReceived::default()
        };
        if let Some(facts) = facts {
            data.model.clone_from(&facts.model);
            data.stream = Some(facts.stream);
            data.tools = (!facts.tools.is_empty()).then(|| facts.tools.clone());
            data.prompt_preview =
                facts.prompt_preview.as_deref().map(|text| self.shared.redact(text));
        }
        Event::new(Component::Gateway, self.arrived_at, data)
    }

    /// The intent, durable before the provider is called.
    pub(crate) async fn begin(&self, intent: Intent<'_>) -> Result<DecisionWriter, RecordError> {
        let mut writer = self.writer().await?;
        let mut events = vec![self.received(Some(intent.facts), intent.received.len() as u64)];
        events.extend(intent.events);
        let mut bodies: Vec<BodyWriter> = Vec::new();
        if !intent.received.is_empty() {
            let mut body = writer.body(Role::ClientRequest, 0)?;
            body.push(intent.received);
            bodies.push(body);
        }
        if let Some(sent) = intent.sent {
            let mut body = writer.body(Role::UpstreamRequest, 0)?;
            body.push(sent);
            bodies.push(body);
        }
        commit(&mut writer, &events, bodies).await?;
        Ok(writer)
    }

    /// That a request which was held goes on, durable before the provider is called.
    pub(crate) async fn record_start(
        &self,
        writer: &mut DecisionWriter,
        start: Event,
        sent: Option<&[u8]>,
    ) -> Result<(), RecordError> {
        let mut bodies = Vec::new();
        if let Some(sent) = sent {
            let mut body = writer.body(Role::UpstreamRequest, 0)?;
            body.push(sent);
            bodies.push(body);
        }
        writer.commit(&[start], bodies).await?;
        Ok(())
    }

    /// A request that went no further than admission.
    pub(crate) async fn record_rejection(
        &self,
        refusal: &Refusal,
        received: &[u8],
        count: Option<u64>,
    ) -> Result<(), RecordError> {
        let trusted = self.caller.api_key_id.is_some()
            || self.shared.settings.authentication == Authentication::None;
        let authenticated = trusted && self.caller.user.is_some();
        let persons = if authenticated { self.caller.persons() } else { PersonNames::default() };
        let subjects_known = authenticated || self.caller.subjects.is_empty();
        let mut writer = self.writer_for(persons).await?;
        let mut first = self.received(None, received.len() as u64);
        if !subjects_known && let event::EventData::RequestReceived(data) = &mut first.data {
            data.subjects = None;
        }
        let rejected = Event::new(
            Component::Gateway,
            Timestamp::now(),
            RequestRejected {
                status_code: Some(refusal.code.status().as_u16()),
                code: Some(refusal.code.as_str().to_owned()),
                error: Some(refusal.message.clone()),
                count,
                latency_ms: Some(millis(self.arrived)),
            },
        );
        let mut bodies = Vec::new();
        if !received.is_empty() {
            let mut body = writer.body(Role::ClientRequest, 0)?;
            body.push(received);
            bodies.push(body);
        }
        writer.commit(&[first, rejected], bodies).await?;
        Ok(())
    }

    /// A request that the gateway answered itself.
    pub(crate) async fn record_own_answer(
        &self,
        facts: &RequestFacts,
        body: &[u8],
    ) -> Result<(), RecordError> {
        let mut writer = self.writer().await?;
        let completed = RequestCompleted {
            status_code: Some(200),
            latency_ms: Some(millis(self.arrived)),
            usage_origin: Some(UsageOrigin::Unknown.as_str().to_owned()),
            cost_state: Some("no_usage".to_owned()),
            response_bytes: Some(body.len() as u64),
            bytes_delivered: Some(body.len() as u64),
            content_type: Some("application/json".to_owned()),
            outcome: Some("ALLOW".to_owned()),
            ending: Some("complete".to_owned()),
            ..RequestCompleted::default()
        };
        let events = [
            self.received(Some(facts), 0),
            Event::new(Component::Gateway, Timestamp::now(), completed),
        ];
        let mut answer = writer.body(Role::ClientResponse, 0)?;
        answer.push(body);
        writer.commit(&events, vec![answer]).await?;
        Ok(())
    }

    /// No provider answered. `tried` tells of the attempts.
    pub(crate) async fn record_failure(
        &self,
        writer: &mut DecisionWriter,
        mut tried: Vec<Event>,
        bodies: Vec<BodyWriter>,
        failed: RequestFailed,
    ) -> Result<(), RecordError> {
        let latency_ms = Some(millis(self.arrived));
        let data = RequestFailed { latency_ms, ..failed };
        tried.push(Event::new(Component::Gateway, Timestamp::now(), data));
        writer.commit(&tried, bodies).await?;
        Ok(())
    }
}

/// Writes events as one record, or as several where there are too many for one; the bodies go
/// with the first.
pub(crate) async fn commit(
    writer: &mut DecisionWriter,
    events: &[Event],
    bodies: Vec<BodyWriter>,
) -> Result<(), RecordError> {
    let (first, rest) = events.split_at(events.len().min(EVENTS_MAX));
    writer.commit(first, bodies).await?;
    for more in rest.chunks(EVENTS_MAX) {
        writer.commit(more, Vec::new()).await?;
    }
    Ok(())
}

/// What is recorded before a provider is called.
pub(crate) struct Intent<'a> {
    pub facts: &'a RequestFacts,
    /// What follows the arrival.
    pub events: Vec<Event>,
    pub received: &'a [u8],
    /// The request as the provider gets it, where it differs.
    pub sent: Option<&'a [u8]>,
}

/// The head of a provider's answer.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub at: Timestamp,
    pub status: u16,
    pub latency_ms: f64,
    pub request_id: Option<String>,
}

/// The answer was whole here and did not reach the caller.
pub(crate) async fn record_undelivered(mut writer: DecisionWriter, bytes_delivered: u64) {
    let event = Event::new(
        Component::Gateway,
        Timestamp::now(),
        DeliveryFailed { bytes_delivered: Some(bytes_delivered) },
    );
    if let Err(error) = writer.commit(&[event], Vec::new()).await {
        tracing::error!(%error, "a failed delivery was not recorded");
    }
}
