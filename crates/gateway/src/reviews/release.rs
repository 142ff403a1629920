//! Releasing an answer that was held, and ending what came to nothing.

use super::keep::response;
use super::stored::{AnswerHead, pack, unpack};
use crate::call::{Call, millis};
use crate::refusal::{Code, Refusal};
use crate::release::{Caller, answer_refusal, with_ids};
use control::Review;
use event::{Component, Event, Timestamp};
use review::{Desk, PickedUp};

/// Records that the answer goes out, keeps it, and gives it: exactly what was reviewed.
pub(crate) async fn release_answer(call: &Call, desk: &Desk, mut picked: PickedUp, to: Caller) {
    let id = picked.review.id.clone();
    let Some((mut head, body)) = unpack::<AnswerHead>(&picked.held) else {
        tracing::error!(review = id, "a held answer is damaged");
        failed(desk, &id).await;
        let refusal = Refusal::new(Code::UpstreamError, "The answer that was held is damaged.");
        return answer_refusal(call, &refusal, to);
    };
    let mut completed = head.completed.take().unwrap_or_default();
    completed.latency_ms = completed.latency_ms.or_else(|| Some(millis(call.arrived)));
    completed.bytes_delivered = Some(body.len() as u64);
    // The request may have been held, too.
    completed.held_ms = Some(completed.held_ms.unwrap_or_default() + held_ms(&picked.review));
    let event = Event::new(Component::Gateway, Timestamp::now(), completed);
    if let Err(error) = picked.writer.commit(&[event], Vec::new()).await {
        failed(desk, &id).await;
        return answer_refusal(call, &Refusal::unrecorded(&error, true), to);
    }
    let kept = pack(&head, body);
    if let Err(error) = desk.answered(&id, &picked.persons, &picked.writer, &kept).await {
        tracing::warn!(%error, review = id, "an answer is given once and not kept");
    }
    // Whoever left may come again.
    let _gone = to.send(with_ids(response(&head, body), &call.ids));
}

/// How long a review has held its call.
pub(crate) fn held_ms(review: &Review) -> u64 {
    let held_us = Timestamp::now().as_micros() - review.created_at.as_micros();
    held_us.max(0).unsigned_abs() / 1_000
}

/// Ends a review that came to nothing.
pub(crate) async fn failed(desk: &Desk, id: &str) {
    if let Err(error) = desk.failed(id).await {
        tracing::warn!(%error, review = id, "a failed review stays running");
    }
}
