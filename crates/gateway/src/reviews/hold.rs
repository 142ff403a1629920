//! Holding a call, after its records say that it is held.

use crate::call::Call;
use crate::policies::Verdict;
use control::{Claim, Fingerprint, Review, ReviewViolation};
use event::{Component, Event, RequestCompleted, RequestEscalated, ResponseEscalated};
use policy::Outcome;
use recorder::DecisionWriter;
use review::{About, Desk, Hold, NotHeld, Opening, ReviewError};

/// A call that is to be held.
pub(crate) struct Held<'a> {
    pub call: &'a Call,
    pub verdict: &'a Verdict,
    pub opening: Opening,
    pub fingerprint: Fingerprint,
    pub model: Option<&'a str>,
    pub prompt_preview: Option<String>,
    /// What is held back.
    pub bytes: Vec<u8>,
}

/// The right to open a review of such requests, or the one that is open already.
pub(crate) async fn claim(
    desk: &Desk,
    fingerprint: &Fingerprint,
) -> Result<Result<Claim, Box<Review>>, ReviewError> {
    let mut changed = desk.reviews().changed();
    loop {
        changed.borrow_and_update();
        let claim = desk.reviews().claim(fingerprint);
        if let Some(review) = super::find(desk, fingerprint).await? {
            return Ok(Err(Box::new(review)));
        }
        if let Some(claim) = claim {
            return Ok(Ok(claim));
        }
        if changed.changed().await.is_err() {
            return Err(ReviewError::Internal);
        }
    }
}

/// Stores what is held.
pub(crate) async fn hold(
    desk: &Desk,
    writer: DecisionWriter,
    held: Held<'_>,
) -> Result<Review, NotHeld> {
    let Held { call, verdict, .. } = held;
    let persons = match call.shared.recorder.persons(&call.persons()).await {
        Ok(persons) => persons,
        Err(error) => return Err(NotHeld { writer: Box::new(writer), error: error.into() }),
    };
    let caller = &call.caller;
    let violations = verdict.decision.violations.iter().map(|one| ReviewViolation {
        policy_id: one.policy_id.to_string(),
        outcome: one.outcome.as_str().to_owned(),
        severity: Some(one.severity.as_str().to_owned()),
        message: Some(one.message.to_string()),
        mode: Some(one.mode.as_str().to_owned()),
    });
    let about = About {
        user_id: caller.user.clone(),
        user_email: caller.email.clone(),
        session_id: caller.session.clone(),
        subjects: caller.subjects.clone(),
        prompt_preview: held.prompt_preview,
        facts: serde_json::to_value(&verdict.facts).ok(),
    };
    let hold = Hold {
        opening: held.opening,
        fingerprint: held.fingerprint,
        arrived_at: call.arrived_at,
        policy_ids: verdict.policy_ids(),
        violations: violations.collect(),
        api_key_id: caller.api_key_id.clone(),
        source: caller.source.clone(),
        request_type: caller.request_type.clone(),
        model: held.model.map(str::to_owned),
        about,
        held: held.bytes,
    };
    desk.hold(writer, &persons, hold).await
}

/// The events of a request that is held: escalated, review opened.
pub(crate) fn request_escalated(verdict: &Verdict, opening: &Opening) -> [Event; 2] {
    let data = RequestEscalated {
        outcome: Some(Outcome::Escalate.as_str().to_owned()),
        policy_ids: Some(verdict.policy_ids()),
        review_id: Some(opening.id.clone()),
    };
    [Event::new(Component::Gateway, opening.created_at, data), opening.event()]
}

/// The events of an answer that is held; they say what it cost, whatever becomes of it.
pub(crate) fn answer_escalated(
    verdict: &Verdict,
    opening: &Opening,
    answer: &RequestCompleted,
) -> [Event; 2] {
    let answer = answer.clone();
    let data = ResponseEscalated {
        outcome: Some(Outcome::Escalate.as_str().to_owned()),
        policy_ids: Some(verdict.policy_ids()),
        review_id: Some(opening.id.clone()),
        provider: answer.provider,
        model: answer.model,
        usage: answer.usage,
        usage_origin: answer.usage_origin,
        cost_usd: answer.cost_usd,
        cost_state: answer.cost_state,
        price_catalogue: answer.price_catalogue,
        finish_reason: answer.finish_reason,
        response_bytes: answer.response_bytes,
    };
    [Event::new(Component::Gateway, opening.created_at, data), opening.event()]
}
