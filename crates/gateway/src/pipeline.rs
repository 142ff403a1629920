//! The way of a request: admit, capture, join what is held, judge; then it goes on, or is refused.

use crate::admit;
use crate::answer::Guarded;
use crate::body::AnswerBody;
use crate::call::{Call, Intent, millis};
use crate::merge::Merged;
use crate::passage::{self, Begun, Passing};
use crate::policies::Verdict;
use crate::quota;
use crate::refusal::{Code, Refusal};
use crate::release::{Caller, answer_refusal, with_ids};
use crate::resume::{self, Joined};
use crate::router::{self, Plan, listing};
use crate::settings::OnRecordFailure;
use crate::shared::Shared;
use bytes::{Bytes, BytesMut};
use control::ApiKey;
use event::{Component, Event, RequestBlocked, Timestamp};
use http::{Request, Response, StatusCode, header, request};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use policy::Outcome;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use wire::RequestFacts;

/// What seldom happens; in a place of its own, so that it adds nothing to what every call moves.
type Seldom<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Answers one request, on this runtime. The work goes on without the caller, so that it is always
/// recorded.
pub(crate) async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    peer: IpAddr,
    runtime: &Handle,
) -> Response<AnswerBody> {
    let (answer, head) = oneshot::channel();
    // In a box: a task moves its future several times before it runs.
    runtime.spawn(Box::pin(run(shared, request, peer, answer)));
    head.await.unwrap_or_else(|_| {
        let mut response = Response::new(AnswerBody::whole(Bytes::new()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

async fn run(shared: Arc<Shared>, request: Request<Incoming>, peer: IpAddr, to: Caller) {
    let (arrived, arrived_at) = (Instant::now(), Timestamp::now());
    let (head, body) = request.into_parts();
    let (call, admitted) = admit(&shared, head, peer, arrived, arrived_at);
    if let Err(refusal) = admitted {
        if refusal.code == Code::InvalidApiKey {
            return Box::pin(refuse_unauthenticated(call, refusal, to)).await;
        }
        return refuse(&call, refusal, &[], to).await;
    }
    let received = match read_body(&call, body).await {
        Ok(received) => received,
        Err((refusal, received)) => return refuse(&call, refusal, &received, to).await,
    };
    let preview_chars = call.shared.preview_chars_read();
    let read = wire::read_request(&call.route, call.content_type(), &received, preview_chars);
    let facts = match read {
        Ok(facts) => facts,
        Err(error) => {
            let refusal = Refusal::new(Code::InvalidBody, error.to_string());
            return refuse(&call, refusal, &received, to).await;
        }
    };
    let shared = call.shared.clone();
    let listed = shared.targets.as_ref().and_then(|t| listing(t, &call.method, &call.path));
    match listed {
        Some(Ok(body)) => return Box::pin(list_models(&call, &facts, body, to)).await,
        Some(Err(refusal)) => return refuse(&call, refusal, &received, to).await,
        None => {}
    }
    let (call, to) = match resume::desk(&shared, &call) {
        None => (call, to),
        Some(desk) => match Box::pin(resume::join(desk, call, &received, to)).await {
            Joined::No(call, to) => (call, to),
            Joined::Done => return,
        },
    };
    match router::plan(&shared, &call, &facts) {
        Ok(plan) => enter(call, plan, facts, received, to).await,
        Err(refusal) => refuse(&call, refusal, &received, to).await,
    }
}

/// Asks the policies, where there are any, and does what they decide.
async fn enter(call: Box<Call>, plan: Plan<'_>, facts: RequestFacts, received: Bytes, to: Caller) {
    let shared = call.shared.clone();
    let Some(guard) = &shared.guard else {
        let body = received.clone();
        let passing = Passing { facts, received, body, guarded: None };
        Box::pin(passage::route(call, plan, passing, Begun::New(Vec::new()), to)).await;
        return;
    };
    let providers = plan.providers();
    let verdict = Box::pin(guard.judge_request(call.asked(&facts, &received), &providers)).await;
    match (verdict.outcome, &shared.settings.desk) {
        (Outcome::Escalate, Some(desk)) => {
            Box::pin(resume::hold(call, desk, verdict, facts, received, to)).await;
        }
        (Outcome::Block | Outcome::Escalate, _) => {
            Box::pin(block(&call, &verdict, &facts, &received, to)).await;
        }
        (outcome, _) => {
            let Verdict { facts: seen, events, body, tokens, .. } = verdict;
            let received_too = received.clone();
            let guarded =
                Guarded { facts: seen, outcome, tokens, received: received_too, review: None };
            let body = body.unwrap_or_else(|| received.clone());
            let passing = Passing { facts, received, body, guarded: Some(Box::new(guarded)) };
            Box::pin(passage::route(call, plan, passing, Begun::New(events), to)).await;
        }
    }
}

/// Refuses what a policy blocks; so where it would be held and nothing can be.
async fn block(call: &Call, verdict: &Verdict, facts: &RequestFacts, received: &Bytes, to: Caller) {
    let refusal = Refusal::new(Code::PolicyViolation, verdict.message());
    let blocked = RequestBlocked {
        outcome: Some(Outcome::Block.as_str().to_owned()),
        policy_ids: Some(verdict.policy_ids()),
        review_id: None,
        status_code: Some(refusal.code.status().as_u16()),
        latency_ms: Some(millis(call.arrived)),
    };
    let mut events = verdict.events.clone();
    events.push(Event::new(Component::Gateway, Timestamp::now(), blocked));
    let begun = call.begin(Intent { facts, events, received, sent: None }).await;
    let refusal = match begun {
        Ok(_) => refusal,
        Err(error) => passage::pass_unrecorded(call, &error).map_or_else(|err| err, |()| refusal),
    };
    answer_refusal(call, &refusal, to);
}

/// Who calls, and whether the call may go on.
fn admit(
    shared: &Arc<Shared>,
    head: request::Parts,
    peer: IpAddr,
    arrived: Instant,
    arrived_at: Timestamp,
) -> (Box<Call>, Result<(), Refusal>) {
    let settings = &shared.settings;
    let (ids, traced) = admit::ids(&head.headers);
    let query = head.uri.query().map(str::to_owned);
    let key = admit::authenticate(
        &shared.keys,
        admit::presented_key(&head.headers, query.as_deref()),
        settings,
    );
    let known = key.as_ref().ok().and_then(Option::as_deref);
    let (caller, said) = admit::caller(&head.headers, known, settings);
    let stripped = head.uri.path().strip_prefix(settings.base_path.as_str());
    let path = stripped.filter(|path| path.starts_with('/'));
    let placed = path.map(|_| ()).ok_or_else(|| {
        Refusal::new(
            Code::NotFound,
            format!("This gateway serves paths below {:?}.", settings.base_path),
        )
    });
    let path = path.unwrap_or_else(|| head.uri.path()).to_owned();
    let limited = |key: Option<Arc<ApiKey>>| quota::admit(&shared.keys, key.as_deref(), settings);
    let mut meter = None;
    let admitted = match key {
        Ok(key) => placed.and(traced).and(said).and_then(|()| {
            meter = limited(key)?;
            Ok(())
        }),
        Err(refusal) => Err(refusal),
    };
    let call = Box::new(Call {
        ids,
        arrived,
        arrived_at,
        route: wire::route(head.method.as_str(), &path),
        method: head.method,
        path,
        query,
        address: admit::client_address(peer, &head.headers, settings),
        headers: head.headers,
        caller,
        meter,
        shared: shared.clone(),
    });
    (call, admitted)
}

/// The body, whole; with a refusal, what came of it.
async fn read_body(call: &Call, mut body: Incoming) -> Result<Bytes, (Refusal, Bytes)> {
    let settings = &call.shared.settings;
    let bytes_max = settings.body_bytes_max;
    let too_large = || {
        Refusal::new(
            Code::BodyTooLarge,
            format!("The body exceeds {bytes_max} bytes, the limit of this gateway."),
        )
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err((too_large(), Bytes::new()));
    }
    let whole_in_time = tokio::time::Instant::now() + settings.timeouts.body_read;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let Ok(frame) = tokio::time::timeout_at(whole_in_time, body.frame()).await else {
            let refusal = Refusal::new(
                Code::InvalidBody,
                format!("The body did not arrive within {:?}.", settings.timeouts.body_read),
            );
            return Err((refusal, together(first, &rest)));
        };
        match frame {
            None => return Ok(together(first, &rest)),
            Some(Err(_)) => {
                let refusal = Refusal::new(Code::InvalidBody, "The body was cut off.");
                return Err((refusal, together(first, &rest)));
            }
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if first.len() + rest.len() + data.len() > bytes_max {
                    return Err((too_large(), Bytes::new()));
                }
                if first.is_empty() && rest.is_empty() {
                    first = data;
                } else {
                    rest.extend_from_slice(&data);
                }
            }
        }
    }
}

fn together(first: Bytes, rest: &BytesMut) -> Bytes {
    if rest.is_empty() {
        return first;
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(rest);
    whole.freeze()
}

/// Answers with the models that callers may name.
async fn list_models(call: &Call, facts: &RequestFacts, body: String, to: Caller) {
    let body = Bytes::from(body);
    match call.record_own_answer(facts, &body).await {
        Ok(()) => {}
        Err(_) if call.shared.settings.on_record_failure == OnRecordFailure::Forward => {
            call.shared.recorder.note_gap();
        }
        Err(error) => return answer_refusal(call, &Refusal::unrecorded(&error, false), to),
    }
    let mut response = Response::new(AnswerBody::whole(body));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    let _gone = to.send(with_ids(response, &call.ids));
}

/// Refuses and records it.
fn refuse<'a>(call: &'a Call, refusal: Refusal, received: &'a [u8], to: Caller) -> Seldom<'a> {
    Box::pin(async move {
        let refusal = match call.record_rejection(&refusal, received, None).await {
            Ok(()) => refusal,
            Err(_) if call.shared.settings.on_record_failure == OnRecordFailure::Forward => {
                call.shared.recorder.note_gap();
                refusal
            }
            Err(error) => Refusal::unrecorded(&error, false),
        };
        answer_refusal(call, &refusal, to);
    })
}

/// Refusals before authentication beyond a rate are merged into one record.
async fn refuse_unauthenticated(call: Box<Call>, refusal: Refusal, to: Caller) {
    let refusals = call.shared.refusals.clone();
    let (ids, style) = (call.ids.clone(), call.route.error_style);
    match refusals.take(call.address, Refused { call, refusal: refusal.clone() }) {
        Some(refused) => refuse(&refused.call, refusal, &[], to).await,
        None => {
            let response = refusal.response(style, &ids.request_id);
            let _gone = to.send(with_ids(response, &ids));
        }
    }
}

/// A call refused before authentication.
struct Refused {
    call: Box<Call>,
    refusal: Refusal,
}

impl Merged for Refused {
    fn record(self: Box<Self>, count: u64) -> Seldom<'static> {
        Box::pin(async move {
            let recorded = self.call.record_rejection(&self.refusal, &[], Some(count)).await;
            if let Err(error) = recorded {
                tracing::error!(%error, count, "merged refusals were not recorded");
            }
        })
    }
}
