//! What a decided review adds to its decision's records.

use control::{Review, ReviewOutcome, ReviewStage, ReviewState};
use event::{
    Component, Event, RequestBlocked, RequestFailed, ResponseBlocked, ReviewApproved,
    ReviewExpired, ReviewRejected, Timestamp,
};

/// Status of a call that a review refused.
const FORBIDDEN: u16 = 403;
/// Error code of an approved call that nobody came back for.
const ABANDONED: &str = "review_abandoned";

/// The events of the review's decision.
pub(crate) fn decided(review: &Review) -> Vec<Event> {
    if review.state == ReviewState::Failed {
        return vec![abandoned(review)];
    }
    let mut events = Vec::with_capacity(review.votes.len() + 2);
    for vote in &review.votes {
        let (review_id, stage) = names(review);
        let reviewer = Some(vote.reviewer.clone());
        let rationale = Some(vote.rationale.clone());
        let waited_ms = Some(waited_ms(review, vote.at));
        let event = if vote.approve {
            let data = ReviewApproved { review_id, stage, reviewer, rationale, waited_ms };
            Event::new(Component::Hitl, vote.at, data)
        } else {
            let data = ReviewRejected { review_id, stage, reviewer, rationale, waited_ms };
            Event::new(Component::Hitl, vote.at, data)
        };
        events.push(event);
    }
    let at = review.decided_at.unwrap_or_else(Timestamp::now);
    if review.outcome == Some(ReviewOutcome::Expired) {
        let (review_id, stage) = names(review);
        let data = ReviewExpired { review_id, stage, waited_ms: Some(waited_ms(review, at)) };
        events.push(Event::new(Component::Hitl, at, data));
    }
    if matches!(review.state, ReviewState::Rejected | ReviewState::Expired) {
        events.push(blocked(review, at));
    }
    events
}

fn names(review: &Review) -> (Option<String>, Option<String>) {
    (Some(review.id.clone()), Some(review.stage.as_str().to_owned()))
}

fn waited_ms(review: &Review, until: Timestamp) -> u64 {
    let waited_us = until.as_micros() - review.created_at.as_micros();
    waited_us.max(0).unsigned_abs() / 1_000
}

fn latency_ms(review: &Review, until: Timestamp) -> f64 {
    let micros = until.as_micros() - review.arrived_at.as_micros();
    micros.max(0) as f64 / 1_000.0
}

fn blocked(review: &Review, at: Timestamp) -> Event {
    let outcome = Some("BLOCK".to_owned());
    let policy_ids = Some(review.policy_ids.clone());
    let review_id = Some(review.id.clone());
    let status_code = Some(FORBIDDEN);
    let latency_ms = Some(latency_ms(review, at));
    match review.stage {
        ReviewStage::Request => {
            let data = RequestBlocked { outcome, policy_ids, review_id, status_code, latency_ms };
            Event::new(Component::Gateway, at, data)
        }
        ReviewStage::Response => {
            // What the answer cost was said when it was held.
            let data = ResponseBlocked {
                outcome,
                policy_ids,
                review_id,
                status_code,
                latency_ms,
                ..ResponseBlocked::default()
            };
            Event::new(Component::Gateway, at, data)
        }
    }
}

fn abandoned(review: &Review) -> Event {
    let at = review.finished_at.unwrap_or_else(Timestamp::now);
    let data = RequestFailed {
        code: Some(ABANDONED.to_owned()),
        latency_ms: Some(latency_ms(review, at)),
        ..RequestFailed::default()
    };
    Event::new(Component::Gateway, at, data)
}
