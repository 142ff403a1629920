//! The provider's answer on its way to the caller: read, judged, recorded, released.

mod verdict;

pub(crate) use verdict::{Guarded, Reviewed};

use crate::body::{AnswerBody, Piece, Sink};
use crate::call::{Answered, Call, commit, millis};
use crate::headers;
use crate::hold::{Hold, WHOLE_BYTES_MAX};
use crate::names;
use crate::policies::Verdict;
use crate::received::{End, Ending, Received};
use crate::refusal::{Code, Refusal};
use crate::release::{self, Caller, with_ids};
use crate::router::{Answerer, Trail};
use crate::settings::Provider;
use crate::{quota, upstream};
use bytes::{Bytes, BytesMut};
use event::{Component, Event, RequestCompleted, RoutingSuccess, Timestamp, UsageOrigin};
use http::{HeaderMap, Response, header, response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use recorder::{BODY_BYTES_MAX, BodyWriter, DecisionWriter, RecordError, Role};
use std::time::{Duration, Instant};
use verdict::{Held, Stopped};
use wire::{EventGate, Format, RequestFacts, ResponseFacts, ResponseReader};

/// Status recorded where the caller left before there was an answer (nginx's convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// One answer to one call.
pub(crate) struct Reply<'a> {
    pub call: Box<Call>,
    pub facts: RequestFacts,
    /// Who answers.
    pub from: Answerer<'a>,
    /// What was tried before.
    pub trail: Trail,
    /// What its answer is judged by; none where no policies are configured.
    pub guarded: Option<Box<Guarded>>,
}

/// Where an answer's pieces go: kept until all is there, or flowing.
enum Out {
    Kept(Caller, response::Parts),
    Flowing(Sink),
}

impl Out {
    /// What is kept has another length than it came with.
    fn forget_length(&mut self) {
        if let Self::Kept(_, head) = self {
            head.headers.remove(header::CONTENT_LENGTH);
        }
    }
}

impl Reply<'_> {
    /// Takes the answer in and passes it on. Gives the writer back where the call ended with an
    /// answer that was recorded and taken.
    pub(crate) async fn relay(
        mut self: Box<Self>,
        mut writer: Option<DecisionWriter>,
        response: Response<Incoming>,
        to: Caller,
    ) -> Option<DecisionWriter> {
        let (mut head, body) = response.into_parts();
        let answered = self.answered(&head);
        let recorded_headers = headers::recorded(&head.headers);
        let content_type = text(&head.headers, header::CONTENT_TYPE.as_str());
        let mut received = match self.receive(writer.as_ref(), &head) {
            Ok(received) => received,
            Err(error) => {
                let refusal = Refusal::unrecorded(&error, true);
                release::answer_refusal(&self.call, &refusal, to);
                return None;
            }
        };
        self.prepare(&mut head, answered.request_id.as_deref());
        let mut out = self.out(&received, head, to);
        let ending = self.pump(body, &mut received, &mut out).await;
        self.free_target(ending);
        let Received { reader, upstream, client, hold, watch, seen, .. } = received;
        let (kept_all, mut last) = (hold.keeps_all(), Vec::new());
        hold.finish(&mut last);
        let delivered = match &out {
            Out::Kept(..) => 0,
            Out::Flowing(sink) => sink.passed(),
        };
        let read = reader.finish();
        let ending = self.whole(ending, &read, &answered, content_type.as_deref());
        let verdict = match &watch {
            Some(watch) => Box::pin(self.judge(watch, ending, &read, &mut last, seen)).await,
            None => None,
        };
        if verdict.as_ref().is_some_and(|verdict| verdict.body.is_some()) {
            out.forget_length();
        }
        let bodies = match Self::bodies(writer.as_ref(), upstream, client, &last, verdict.as_ref())
        {
            Ok(bodies) => bodies,
            Err(error) => {
                return self.refuse(out, Refusal::unrecorded(&error, true)).await;
            }
        };
        let end = End {
            answered,
            read,
            ending,
            content_type,
            headers: recorded_headers,
            bytes: received.bytes,
            delivered: match ending {
                Ending::Complete => delivered + last.iter().map(|p| p.len() as u64).sum::<u64>(),
                _ => delivered,
            },
            first_byte_ms: received.first_byte_ms,
            waited: received.waited,
            error: received.error,
            unsent: kept_all,
        };
        self.measure(received.waited, end.answered.status);
        if let Some(held) = verdict.as_ref().and_then(Held::of) {
            let answer = Stopped { end, bodies, last };
            return Box::pin(self.stop(held, writer, answer, out)).await;
        }
        let (answered, events) = self.ended(end, verdict);
        let refusal = self.record(writer.as_mut(), &answered, events, bodies).await;
        self.release(out, last, received.trailers, ending, refusal, writer).await
    }

    fn answered(&self, head: &response::Parts) -> Answered {
        Answered {
            at: Timestamp::now(),
            status: head.status.as_u16(),
            latency_ms: millis(self.from.sent_at),
            request_id: upstream::request_id(&head.headers),
        }
    }

    fn receive(
        &self,
        writer: Option<&DecisionWriter>,
        head: &response::Parts,
    ) -> Result<Received, RecordError> {
        let content_type = text(&head.headers, header::CONTENT_TYPE.as_str());
        let encoding = text(&head.headers, header::CONTENT_ENCODING.as_str());
        let upstream = writer
            .map(|writer| writer.body(Role::UpstreamResponse, self.from.part_number()))
            .transpose()?;
        let client = match writer {
            Some(writer) if self.from.hides_usage => Some(writer.body(Role::ClientResponse, 0)?),
            _ => None,
        };
        let streams = self.streams(content_type.as_deref());
        let hold = self.hold(head, content_type.as_deref(), streams && encoding.is_none());
        let watch = self.watch(content_type.as_deref(), encoding.as_deref(), streams);
        Ok(Received {
            reader: ResponseReader::new(
                self.call.route.format,
                content_type.as_deref(),
                encoding.as_deref(),
                head.status.as_u16(),
                self.call.shared.preview_chars_read(),
            ),
            upstream,
            client,
            hold: match &watch {
                Some(watch) if watch.keeps => hold.until_judged(),
                _ => hold,
            },
            watch,
            seen: Vec::new(),
            bytes: 0,
            first_byte_ms: None,
            trailers: None,
            // Attempts before, and pauses between them, are not ours either.
            waited: self.from.first_sent.elapsed(),
            error: None,
        })
    }

    /// The target is done with, even where the caller is slow.
    fn free_target(&mut self, ending: Ending) {
        match (self.from.lease.take(), ending) {
            (Some(lease), Ending::Complete) => lease.whole(),
            (Some(lease), Ending::UpstreamInterrupted) => lease.broke_off(),
            // Dropped: a caller that leaves says nothing of the target.
            (_, _) => {}
        }
    }

    fn streams(&self, content_type: Option<&str>) -> bool {
        media(content_type).eq_ignore_ascii_case("text/event-stream")
            || (self.call.route.format == Format::Gemini && self.call.route.path_stream)
    }

    /// How much of the answer has to wait for its record.
    fn hold(&self, head: &response::Parts, content_type: Option<&str>, events: bool) -> Hold {
        if events {
            return Hold::Events(EventGate::new(self.call.route.format, self.from.hides_usage));
        }
        match length(&head.headers) {
            Some(length) if length <= WHOLE_BYTES_MAX as u64 => Hold::whole(),
            None if media(content_type).eq_ignore_ascii_case("application/json") => Hold::whole(),
            _ => Hold::Last(None),
        }
    }

    fn prepare(&self, head: &mut response::Parts, upstream_id: Option<&str>) {
        headers::remove_hop_by_hop(&mut head.headers);
        if let Some(value) = upstream_id.and_then(headers::value) {
            head.headers.insert(names::UPSTREAM_REQUEST_ID.clone(), value);
        }
        if self.from.hides_usage {
            head.headers.remove(header::CONTENT_LENGTH);
        }
        // The version is the connection's own.
        head.version = http::Version::default();
    }

    fn out(&self, received: &Received, head: response::Parts, to: Caller) -> Out {
        if received.hold.keeps_all() {
            return Out::Kept(to, head);
        }
        Out::Flowing(self.begin(head, to))
    }

    /// Sends the head; pieces follow through the sink.
    fn begin(&self, head: response::Parts, to: Caller) -> Sink {
        let (body, sink) = AnswerBody::flowing(length(&head.headers));
        // A caller that is gone closes the sink: the pump finds out there.
        let _gone = to.send(with_ids(Response::from_parts(head, body), &self.call.ids));
        sink
    }

    /// Takes the body in and lets out what may go.
    async fn pump(&self, mut body: Incoming, received: &mut Received, out: &mut Out) -> Ending {
        let mut ready = Vec::new();
        loop {
            let waiting = Instant::now();
            let frame = tokio::select! {
                frame = tokio::time::timeout_at(self.silent_at(), body.frame()) => frame,
                () = gone(out) => return Ending::ClientDisconnected,
            };
            received.waited += waiting.elapsed();
            let data = match frame {
                Ok(None) => return Ending::Complete,
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => data,
                    Err(frame) => {
                        received.trailers = frame.into_trailers().ok();
                        continue;
                    }
                },
                Ok(Some(Err(error))) => return received.interrupted(&error.to_string()),
                Err(_) if self.is_overdue() => {
                    return received.interrupted("the answer took longer than allowed");
                }
                Err(_) => return received.interrupted("the provider fell silent"),
            };
            received.first_byte_ms.get_or_insert_with(|| millis(self.call.arrived));
            if received.bytes + data.len() as u64 > BODY_BYTES_MAX {
                return received.interrupted("the answer exceeds what can be recorded");
            }
            received.take(data, &mut ready);
            if received.is_beyond_judging() {
                return received.interrupted("the answer is longer than policies can judge");
            }
            if !ready.is_empty() && !self.let_out(received, out, &mut ready).await {
                return Ending::ClientDisconnected;
            }
            received.make_room().await;
        }
    }

    /// Until when the next piece has to come.
    fn silent_at(&self) -> tokio::time::Instant {
        let idle = tokio::time::Instant::now() + self.from.idle;
        self.from.until.map_or(idle, |until| until.min(idle))
    }

    /// Whether the answer should be whole by now.
    fn is_overdue(&self) -> bool {
        self.from.until.is_some_and(|until| until <= tokio::time::Instant::now())
    }

    /// Passes on what is ready; false where the caller is gone.
    async fn let_out(&self, received: &Received, out: &mut Out, ready: &mut Vec<Bytes>) -> bool {
        if let Out::Kept(to, head) = out
            && !received.hold.keeps_all()
        {
            let (head, to) =
                (head.clone(), std::mem::replace(to, tokio::sync::oneshot::channel().0));
            *out = Out::Flowing(self.begin(head, to));
        }
        let Out::Flowing(sink) = out else { return true };
        for piece in ready.drain(..) {
            if !sink.send(Piece::Data(piece)).await {
                return false;
            }
        }
        true
    }

    /// A stream that ended without its terminal event was cut off, whatever the transport says.
    fn whole(
        &self,
        ending: Ending,
        read: &ResponseFacts,
        answered: &Answered,
        content_type: Option<&str>,
    ) -> Ending {
        let ends_by_event = matches!(
            self.call.route.format,
            Format::OpenAiChat
                | Format::OpenAiCompletions
                | Format::OpenAiResponses
                | Format::AnthropicMessages
        ) && content_type
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        let open_ended = ends_by_event
            && answered.status == 200
            && !read.terminal
            && read.finish_reason.is_none()
            && read.error_type.is_none();
        if ending == Ending::Complete && open_ended { Ending::UpstreamInterrupted } else { ending }
    }

    /// How the call ended, and the events that say so.
    fn ended(&self, end: End, verdict: Option<Verdict>) -> (Answered, Vec<Event>) {
        let answered = end.answered.clone();
        let completed = self.completed(end, verdict.as_ref());
        self.spend(&completed);
        let mut events = verdict.map(|verdict| verdict.events).unwrap_or_default();
        events.push(Event::new(Component::Gateway, Timestamp::now(), completed));
        (answered, events)
    }

    /// Records the outcome; where that fails, what the caller gets instead.
    async fn record(
        &mut self,
        writer: Option<&mut DecisionWriter>,
        answered: &Answered,
        events: Vec<Event>,
        bodies: Vec<BodyWriter>,
    ) -> Option<Refusal> {
        let error = self.write(writer?, answered, events, bodies).await.err()?;
        release::unrecorded_outcome(&self.call, &error)
    }

    /// Writes what was tried, that a target answered, and what follows.
    async fn write(
        &mut self,
        writer: &mut DecisionWriter,
        answered: &Answered,
        more: Vec<Event>,
        bodies: Vec<BodyWriter>,
    ) -> Result<(), RecordError> {
        let Trail { mut events, bodies: mut all } = std::mem::take(&mut self.trail);
        if !self.from.failed {
            events.push(self.succeeded(answered));
        }
        events.extend(more);
        all.extend(bodies);
        commit(writer, &events, all).await
    }

    /// Counts what was used.
    fn spend(&self, completed: &RequestCompleted) {
        let (usage, cost_usd) = (completed.usage.as_ref(), completed.cost_usd.as_deref());
        if let Some(meter) = &self.call.meter {
            quota::spend(meter, usage, cost_usd);
        }
        if let Some(guard) = &self.call.shared.guard {
            let caller = &self.call.caller;
            guard.spend(caller.user.as_deref(), caller.source.as_deref(), quota::tokens(usage));
        }
    }

    /// A target answered: the event that opens the outcome.
    fn succeeded(&self, head: &Answered) -> Event {
        let model = self.from.model.or(self.facts.model.as_deref());
        let data = RoutingSuccess {
            provider: Some(self.from.provider.name.clone()),
            model: model.map(str::to_owned),
            attempt: Some(self.from.attempt),
            status_code: Some(head.status),
            latency_ms: Some(head.latency_ms),
            fallback_from: self.from.fallback_from.clone(),
            upstream_request_id: head.request_id.clone(),
        };
        Event::new(Component::ModelRouter, head.at, data)
    }

    fn completed(&self, end: End, verdict: Option<&Verdict>) -> RequestCompleted {
        let shared = &self.call.shared;
        let asked = self.from.model.or(self.facts.model.as_deref());
        let model = end.read.model.clone().or_else(|| asked.map(str::to_owned));
        let usage = end.read.usage;
        let cost = match (&usage, &model) {
            (Some(usage), Some(model)) => {
                Some(shared.prices.cost(self.from.provider.kind.as_str(), model, usage))
            }
            _ => None,
        };
        let origin = if usage.is_some() { UsageOrigin::Provider } else { UsageOrigin::Unknown };
        let total = self.call.arrived.elapsed();
        let status = match end.ending {
            Ending::UpstreamInterrupted if end.unsent => Code::UpstreamError.status().as_u16(),
            _ => end.answered.status,
        };
        RequestCompleted {
            status_code: Some(status),
            latency_ms: Some(millis(self.call.arrived)),
            held_ms: self.reviewed().map(|review| review.held_ms),
            ttft_ms: end.first_byte_ms,
            overhead_ms: Some(round(total.saturating_sub(end.waited))),
            provider: Some(self.from.provider.name.clone()),
            model,
            usage_origin: Some(origin.as_str().to_owned()),
            cost_state: Some(match &cost {
                Some(cost) => cost.state.as_str().to_owned(),
                None => "no_usage".to_owned(),
            }),
            cost_usd: cost.and_then(|cost| cost.usd),
            price_catalogue: Some(shared.prices.date().to_owned()),
            usage,
            finish_reason: end.read.finish_reason,
            tool_calls: (!end.read.tool_calls.is_empty()).then_some(end.read.tool_calls),
            response_bytes: Some(end.bytes),
            bytes_delivered: Some(end.delivered),
            content_type: end.content_type,
            outcome: Some(self.outcome(verdict).as_str().to_owned()),
            ending: Some(end.ending.as_str().to_owned()),
            response_preview: end.read.preview.as_deref().map(|text| shared.redact(text)),
            headers: Some(end.headers),
            error: end.error,
        }
    }

    /// Lets out what was held, or what stands in its place.
    async fn release(
        &self,
        out: Out,
        last: Vec<Bytes>,
        trailers: Option<HeaderMap>,
        ending: Ending,
        refusal: Option<Refusal>,
        writer: Option<DecisionWriter>,
    ) -> Option<DecisionWriter> {
        let interrupted = ending == Ending::UpstreamInterrupted;
        match (out, refusal) {
            (Out::Kept(to, _), Some(refusal)) => release::answer_refusal(&self.call, &refusal, to),
            (Out::Kept(to, _), None) if interrupted => {
                let mut refusal = Refusal::new(
                    Code::UpstreamError,
                    format!("The provider {} broke off its answer.", self.from.provider.name),
                );
                refusal.provider_called = true;
                release::answer_refusal(&self.call, &refusal, to);
            }
            (Out::Kept(to, head), None) => {
                let (body, delivery) = AnswerBody::tracked(join(last));
                let response = with_ids(Response::from_parts(head, body), &self.call.ids);
                if ending == Ending::Complete {
                    let _gone = to.send(response);
                    return release::watch_delivery(delivery, writer).await;
                }
            }
            (Out::Flowing(sink), refusal) => {
                if refusal.is_some() || interrupted {
                    sink.send(Piece::Cut).await;
                    return None;
                }
                for piece in last {
                    sink.send(Piece::Data(piece)).await;
                }
                if let Some(trailers) = trailers {
                    sink.send(Piece::Trailers(trailers)).await;
                }
                let delivery = sink.finish();
                if ending == Ending::Complete {
                    return release::watch_delivery(delivery, writer).await;
                }
            }
        }
        None
    }

    fn measure(&self, waited: Duration, status: u16) {
        let total = self.call.arrived.elapsed();
        let class = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        };
        metrics::counter!("audit_layer_requests_total", "provider" => self.from.provider.name.clone(), "status" => class)
            .increment(1);
        metrics::histogram!("audit_layer_request_seconds").record(total.as_secs_f64());
        metrics::histogram!("audit_layer_overhead_seconds")
            .record(total.saturating_sub(waited).as_secs_f64());
    }
}

/// Resolves when the caller is gone.
async fn gone(out: &mut Out) {
    match out {
        Out::Kept(to, _) => to.closed().await,
        Out::Flowing(sink) => sink.closed().await,
    }
}

/// The caller left before the provider answered.
pub(crate) async fn record_gone(
    call: &Call,
    provider: &Provider,
    trail: Trail,
    writer: &mut Option<DecisionWriter>,
) {
    let Some(writer) = writer else { return };
    let data = RequestCompleted {
        status_code: Some(CLIENT_CLOSED_REQUEST),
        latency_ms: Some(millis(call.arrived)),
        provider: Some(provider.name.clone()),
        usage_origin: Some(UsageOrigin::Unknown.as_str().to_owned()),
        cost_state: Some("no_usage".to_owned()),
        bytes_delivered: Some(0),
        outcome: Some("ALLOW".to_owned()),
        ending: Some(Ending::ClientDisconnected.as_str().to_owned()),
        ..RequestCompleted::default()
    };
    let Trail { mut events, bodies } = trail;
    events.push(Event::new(Component::Gateway, Timestamp::now(), data));
    if let Err(error) = writer.commit(&events, bodies).await {
        tracing::error!(%error, "the end of a call was not recorded");
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn media(content_type: Option<&str>) -> &str {
    content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn round(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

fn join(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}
