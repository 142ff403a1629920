//! Waiting for what becomes of a review, for as long as callers wait.

use super::keep::response;
use super::stored::{AnswerHead, unpack};
use crate::call::Call;
use crate::refusal::{Code, Refusal};
use crate::release::{Caller, answer_refusal, with_ids};
use control::{Fingerprint, Review, ReviewState};
use review::{Desk, PickedUp, ReviewError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// When a caller whose call is held should come again.
const COME_AGAIN: Duration = Duration::from_secs(10);
/// Reviews of one request that follow each other at most while one caller waits.
const FOLLOWED_MAX: usize = 8;

/// What came of waiting.
pub(crate) enum Followed {
    /// The call was let through, and this caller goes on with it.
    PickedUp(Box<PickedUp>, Caller),
    /// The caller has got its answer, or is gone.
    Done,
}

/// The review that a request of this fingerprint joins.
pub(crate) async fn find(
    desk: &Desk,
    fingerprint: &Fingerprint,
) -> Result<Option<Review>, ReviewError> {
    if !desk.reviews().is_live(fingerprint) {
        return Ok(None);
    }
    let (reviews, fingerprint) = (desk.reviews().clone(), *fingerprint);
    let found = tokio::task::spawn_blocking(move || reviews.find(&fingerprint));
    Ok(found.await.map_err(|_| ReviewError::Internal)??)
}

/// Waits for what becomes of a review and answers the caller.
pub(crate) async fn follow(call: &mut Call, desk: &Desk, id: &str, mut to: Caller) -> Followed {
    let mut deadline = Instant::now() + desk.settings().wait;
    let mut stopping = call.shared.stopping.subscribe();
    let mut id = id.to_owned();
    for _ in 0..FOLLOWED_MAX {
        let review = tokio::select! {
            review = desk.wait(&id, deadline) => review,
            () = to.closed() => return Followed::Done,
            () = told(&mut stopping) => {
                // What is held stays held; the caller is told now and may come again.
                deadline = Instant::now();
                desk.wait(&id, deadline).await
            }
        };
        let review = match review {
            Ok(review) => review,
            Err(error) => return refuse(call, &unavailable(&error), to),
        };
        // Whoever joins a review goes on with its decision.
        (call.ids.decision_id, call.ids.trace_id) = (review.decision_id, review.trace_id);
        match review.state {
            ReviewState::Pending | ReviewState::Running => {
                return refuse(call, &pending(&review), to);
            }
            ReviewState::Approved if !review.recorded => {
                return refuse(call, &pending(&review), to);
            }
            ReviewState::Approved => match desk.pick_up(&id).await {
                Ok(Some(picked)) => return Followed::PickedUp(Box::new(picked), to),
                // Somebody else did: wait for what comes of it.
                Ok(None) => {}
                Err(error) => return refuse(call, &of_pick_up(&error, &review), to),
            },
            ReviewState::Rejected | ReviewState::Expired => {
                refuse(call, &rejected(&review), to);
                if let Err(error) = desk.told(&id).await {
                    tracing::warn!(%error, review = id, "that a caller was told is not stored");
                }
                return Followed::Done;
            }
            ReviewState::Answered => return give(call, desk, &review, to).await,
            ReviewState::Failed => match find(desk, &review.fingerprint).await {
                // Its answer is held, too, or somebody has asked again.
                Ok(Some(next)) if next.id != id => id = next.id,
                _ => return refuse(call, &came_to_nothing(&review), to),
            },
        }
    }
    let review_id = Some(id);
    let refusal = Refusal { review_id, ..Refusal::new(Code::ReviewPending, PENDING) };
    refuse(call, &refusal, to)
}

/// Resolves when the process is told to stop.
async fn told(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody can tell any more.
        std::future::pending::<()>().await;
    }
}

const PENDING: &str = "This call is held until a person has looked at it. Send the same request \
                       again later to get its answer; it is not held twice.";

/// Gives an answer that was kept.
async fn give(call: &Call, desk: &Desk, review: &Review, to: Caller) -> Followed {
    let stored = match desk.answer(&review.id).await {
        Ok(stored) => stored,
        Err(error) => return refuse(call, &unavailable(&error), to),
    };
    match stored.as_deref().and_then(unpack::<AnswerHead>) {
        Some((head, body)) => {
            // Whoever left may come again.
            let _gone = to.send(with_ids(response(&head, body), &call.ids));
            Followed::Done
        }
        None => refuse(call, &came_to_nothing(review), to),
    }
}

fn refuse(call: &Call, refusal: &Refusal, to: Caller) -> Followed {
    answer_refusal(call, refusal, to);
    Followed::Done
}

fn pending(review: &Review) -> Refusal {
    Refusal {
        retry_after: Some(COME_AGAIN),
        headers: vec![("x-should-retry", "false".to_owned())],
        review_id: Some(review.id.clone()),
        ..Refusal::new(Code::ReviewPending, PENDING)
    }
}

fn rejected(review: &Review) -> Refusal {
    let message = match review.state {
        ReviewState::Expired => "Nobody approved this call in time.",
        _ => "A person looked at this call and rejected it.",
    };
    Refusal { review_id: Some(review.id.clone()), ..Refusal::new(Code::ReviewRejected, message) }
}

fn came_to_nothing(review: &Review) -> Refusal {
    Refusal {
        review_id: Some(review.id.clone()),
        provider_called: true,
        ..Refusal::new(
            Code::UpstreamError,
            "This call was approved, but its answer was lost. Sent again, it is a new call.",
        )
    }
}

fn of_pick_up(error: &ReviewError, review: &Review) -> Refusal {
    match error {
        ReviewError::Erased { .. } => Refusal {
            review_id: Some(review.id.clone()),
            ..Refusal::new(
                Code::ReviewRejected,
                "What was held is about somebody who was erased since; it cannot be released.",
            )
        },
        error => unavailable(error),
    }
}

/// The store of reviews, or the journal, does not answer.
pub(crate) fn unavailable(error: &ReviewError) -> Refusal {
    tracing::error!(%error, "a held call cannot be looked up");
    Refusal {
        retry_after: Some(Duration::from_secs(5)),
        ..Refusal::new(
            Code::AuditUnavailable,
            "Held calls cannot be looked up now. Try again later; the operator finds the cause \
             in the log.",
        )
    }
}
