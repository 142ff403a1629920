//! Requests that are held: holding one, joining one that is, going on with one that was let
//! through.

use crate::answer::{Guarded, Reviewed};
use crate::call::{Call, Intent};
use crate::passage::{self, Begun, Passing};
use crate::policies::{Verdict, of_request};
use crate::refusal::{Code, Refusal};
use crate::release::{Caller, answer_refusal};
use crate::reviews::{self, Followed, Held, RequestHead};
use crate::router::{self, Plan};
use crate::shared::Shared;
use bytes::Bytes;
use control::{Review, ReviewStage};
use event::RequestFailed;
use http::{HeaderValue, Method, header};
use policy::{Outcome, Tokens};
use recorder::DecisionWriter;
use review::{About, Desk, PickedUp, ReviewError};
use std::time::{Duration, Instant};
use wire::RequestFacts;

/// Header by which a request names the review that holds it.
const REVIEW_ID: &str = "x-llm-review-id";

/// Whether a request joined one that is held.
pub(crate) enum Joined {
    /// It did not, and goes its own way.
    No(Box<Call>, Caller),
    /// It did; the caller has got its answer.
    Done,
}

/// Where the request may have a review to join: most calls have none, and ask nobody.
pub(crate) fn desk<'a>(shared: &'a Shared, call: &Call) -> Option<&'a Desk> {
    let desk = shared.settings.desk.as_ref()?;
    (named(call).is_some() || desk.reviews().any_live()).then_some(desk)
}

fn named(call: &Call) -> Option<&str> {
    call.headers.get(REVIEW_ID).and_then(|value| value.to_str().ok())
}

/// Joins the review of an equal request, or the one that the caller names.
pub(crate) async fn join(desk: &Desk, call: Box<Call>, received: &Bytes, to: Caller) -> Joined {
    let named = named(&call);
    let found = match reviews::find(desk, &call.fingerprint(received)).await {
        Ok(None) => by_name(desk, &call, named).await,
        found => found,
    };
    match found {
        Ok(Some(review)) => {
            Box::pin(follow(call, desk, &review.id, to)).await;
            Joined::Done
        }
        Ok(None) => Joined::No(call, to),
        Err(error) => {
            answer_refusal(&call, &reviews::unavailable(&error), to);
            Joined::Done
        }
    }
}

/// The review that a request names, where it is its caller's own.
async fn by_name(
    desk: &Desk,
    call: &Call,
    named: Option<&str>,
) -> Result<Option<Review>, ReviewError> {
    let Some(id) = named else { return Ok(None) };
    let shown = match desk.show(id).await {
        Err(ReviewError::Store(control::Error::NotFound { .. })) => return Ok(None),
        shown => shown?,
    };
    let own = shown.review.api_key_id == call.caller.api_key_id
        && shown.about.is_some_and(|about| about.user_id == call.caller.user);
    // One that ended and told so is over: the request is a new one.
    let live = desk.reviews().is_live(&shown.review.fingerprint);
    Ok((own && live).then_some(shown.review))
}

/// Holds a request for persons and waits as long as callers wait.
pub(crate) async fn hold(
    call: Box<Call>,
    desk: &Desk,
    verdict: Verdict,
    facts: RequestFacts,
    received: Bytes,
    to: Caller,
) {
    let fingerprint = call.fingerprint(&received);
    let claim = match reviews::claim(desk, &fingerprint).await {
        Ok(Ok(claim)) => claim,
        Ok(Err(review)) => return follow(call, desk, &review.id, to).await,
        Err(error) => return answer_refusal(&call, &reviews::unavailable(&error), to),
    };
    let opening = desk.opening(ReviewStage::Request, verdict.decision.reviewers());
    let mut events = verdict.events.clone();
    events.extend(reviews::request_escalated(&verdict, &opening));
    // What is held is what goes on once it is let through, so what persons see and decide about.
    let sent = verdict.body.as_deref();
    let intent = Intent { facts: &facts, events, received: &received, sent };
    let writer = match call.begin(intent).await {
        Ok(writer) => writer,
        // Nothing is held that is not recorded as held, whatever happens to other calls.
        Err(error) => return answer_refusal(&call, &Refusal::unrecorded(&error, false), to),
    };
    let head = RequestHead {
        method: call.method.as_str().to_owned(),
        path: call.path.clone(),
        content_type: call.content_type().map(str::to_owned),
        tokens: verdict.tokens.clone(),
    };
    let preview = facts.prompt_preview.as_deref().map(|text| call.shared.redact(text));
    let held = Held {
        call: &call,
        verdict: &verdict,
        opening,
        fingerprint,
        model: facts.model.as_deref(),
        prompt_preview: preview,
        bytes: reviews::pack(&head, verdict.body.as_ref().unwrap_or(&received)),
    };
    match reviews::hold(desk, writer, held).await {
        Ok(review) => {
            drop(claim);
            follow(call, desk, &review.id, to).await;
        }
        Err(not_held) => {
            let mut refusal = reviews::unavailable(&not_held.error);
            "This call cannot be held now, so it is not made.".clone_into(&mut refusal.message);
            end(&call, *not_held.writer, &refusal).await;
            answer_refusal(&call, &refusal, to);
        }
    }
}

/// Records that a call which was held ends with an error.
async fn end(call: &Call, mut writer: DecisionWriter, refusal: &Refusal) {
    let failed = RequestFailed {
        status_code: Some(refusal.code.status().as_u16()),
        code: Some(refusal.code.as_str().to_owned()),
        error: Some(refusal.message.clone()),
        ..RequestFailed::default()
    };
    if let Err(error) = call.record_failure(&mut writer, Vec::new(), Vec::new(), failed).await {
        tracing::error!(%error, "the end of a held call was not recorded");
    }
}

/// Waits for what becomes of a review; where it was let through, goes on with it.
async fn follow(mut call: Box<Call>, desk: &Desk, id: &str, to: Caller) {
    match reviews::follow(&mut call, desk, id, to).await {
        Followed::Done => {}
        Followed::PickedUp(picked, to) => match picked.review.stage {
            ReviewStage::Request => Box::pin(go_on(call, desk, *picked, to)).await,
            ReviewStage::Response => reviews::release_answer(&call, desk, *picked, to).await,
        },
    }
}

/// Goes on with a request exactly as it was reviewed. The answer is kept, so it is taken in whole
/// whether the caller stays or not.
async fn go_on(mut call: Box<Call>, desk: &Desk, picked: PickedUp, to: Caller) {
    let shared = call.shared.clone();
    // What is not taken out here stays until the end, which ends the review.
    let PickedUp { review, about, persons, writer, held, .. } = picked;
    let held = Bytes::from(held);
    let restored = restore(&mut call, &review, about, &held);
    let ready = restored.and_then(|restored| {
        let plan = router::plan(&shared, &call, &restored.facts)?;
        Ok((plan, restored))
    });
    let (plan, Restored { received, facts, tokens }): (Plan<'_>, _) = match ready {
        Ok(ready) => ready,
        Err(refusal) => {
            end(&call, writer, &refusal).await;
            reviews::failed(desk, &review.id).await;
            return answer_refusal(&call, &refusal, to);
        }
    };
    let guarded = shared.guard.as_ref().map(|_| {
        Box::new(Guarded {
            facts: of_request(call.asked(&facts, &received)),
            outcome: Outcome::Escalate,
            tokens,
            received: received.clone(),
            review: Some(Reviewed {
                id: review.id.clone(),
                fingerprint: review.fingerprint,
                held_ms: reviews::held_ms(&review),
            }),
        })
    });
    let (inner, kept) = reviews::tee(to);
    let body = received.clone();
    let passing = Passing { facts, received, body, guarded };
    let writer = passage::route(call, plan, passing, Begun::Held(writer), inner).await;
    // Ends when the answer has gone through, or there is none.
    match (writer, kept.await) {
        (Some(writer), Ok(kept)) => {
            let stored = desk.answered(&review.id, &persons, &writer, &kept.pack()).await;
            if let Err(error) = stored {
                tracing::warn!(%error, review = review.id, "an answer is given once and not kept");
            }
        }
        _ => reviews::failed(desk, &review.id).await,
    }
}

/// A request as it was held.
struct Restored {
    received: Bytes,
    facts: RequestFacts,
    tokens: Tokens,
}

/// Makes a call what it was when it was held.
fn restore(
    call: &mut Call,
    review: &Review,
    about: About,
    held: &Bytes,
) -> Result<Restored, Refusal> {
    let damaged = || {
        tracing::error!(review = review.id, "a held request is damaged");
        Refusal::new(Code::UpstreamError, "The request that was held is damaged.")
    };
    let (head, body) = reviews::unpack::<RequestHead>(held).ok_or_else(damaged)?;
    let received = held.slice_ref(body);
    call.method = Method::from_bytes(head.method.as_bytes()).map_err(|_| damaged())?;
    call.route = wire::route(&head.method, &head.path);
    if call.path != head.path {
        (call.path, call.query) = (head.path, None);
    }
    call.headers.remove(header::CONTENT_TYPE);
    if let Some(value) = head.content_type.and_then(|text| HeaderValue::try_from(text).ok()) {
        call.headers.insert(header::CONTENT_TYPE, value);
    }
    call.caller.user = about.user_id;
    call.caller.email = about.user_email;
    call.caller.session = about.session_id;
    call.caller.subjects = about.subjects;
    call.caller.source.clone_from(&review.source);
    call.caller.request_type.clone_from(&review.request_type);
    // How long persons took is told apart: what counts is the time before, and from now on.
    let before_us = review.created_at.as_micros() - review.arrived_at.as_micros();
    let before = Duration::from_micros(before_us.max(0).unsigned_abs());
    let now = Instant::now();
    call.arrived = now.checked_sub(before).unwrap_or(now);
    let chars = call.shared.preview_chars_read();
    let facts = wire::read_request(&call.route, call.content_type(), &received, chars)
        .map_err(|error| Refusal::new(Code::InvalidBody, error.to_string()))?;
    Ok(Restored { received, facts, tokens: head.tokens })
}
