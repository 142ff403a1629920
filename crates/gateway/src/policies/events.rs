//! What policies decided, as events.

use super::guard::DETECTORS;
use event::{
    Component, Event, PolicyEvaluated, PolicyEvaluationComplete, PolicyEvaluationStart, Timestamp,
};
use policy::{Bundle, Decision, Facts, Mode, Outcome};
use std::time::Instant;

/// What is told in place of an error of the evaluation, which may say something of a person.
const FAILED: &str = "The policy could not be evaluated.";

/// One evaluation.
pub(super) struct Evaluation<'a> {
    pub bundle: &'a Bundle,
    pub facts: &'a Facts,
    pub decision: &'a Decision,
    pub began_at: Timestamp,
    pub began: Instant,
    pub record_all: bool,
    /// What holds of the outcome.
    pub applied: Outcome,
}

impl Evaluation<'_> {
    /// Start, each policy that matched or failed (or all), end.
    pub(super) fn events(&self) -> Vec<Event> {
        let now = Timestamp::now();
        let stage = || Some(self.facts.stage.as_str().to_owned());
        let event = |at, data: event::EventData| Event::new(Component::PolicyEngine, at, data);
        let bundle = Some(self.bundle.hash().to_owned());
        let start = PolicyEvaluationStart { stage: stage(), bundle: bundle.clone() };
        let mut events = vec![event(self.began_at, start.into())];
        events.extend(self.evaluated().map(|data| event(now, data.into())));
        let ids = self.decision.policy_ids();
        let complete = PolicyEvaluationComplete {
            stage: stage(),
            outcome: Some(self.decision.outcome.as_str().to_owned()),
            applied: (self.applied < self.decision.outcome)
                .then(|| self.applied.as_str().to_owned()),
            violations: Some(ids.iter().map(ToString::to_string).collect()),
            evaluated: Some(self.decision.evaluated as u64),
            bundle,
            data_classes: Some(self.facts.data_classes.clone()),
            duration_us: Some(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)),
            context: serde_json::to_value(self.facts).ok(),
        };
        events.push(event(now, complete.into()));
        events
    }

    fn evaluated(&self) -> impl Iterator<Item = PolicyEvaluated> {
        let stage = self.facts.stage;
        let told = move |id: &str, outcome: Outcome, message: &str, mode: Mode| PolicyEvaluated {
            stage: Some(stage.as_str().to_owned()),
            policy_id: Some(id.to_owned()),
            outcome: Some(outcome.as_str().to_owned()),
            message: Some(message.to_owned()),
            mode: Some(mode.as_str().to_owned()),
            ..PolicyEvaluated::default()
        };
        let matched = self.decision.violations.iter().map(move |one| PolicyEvaluated {
            severity: Some(one.severity.as_str().to_owned()),
            matched: Some(true),
            ..told(&one.policy_id, one.outcome, &one.message, one.mode)
        });
        // It blocks where it is enforced, whatever it would have decided.
        let failed = self.decision.errors.iter().map(move |one| {
            let ours = &*one.policy_id == DETECTORS;
            let message = if ours { one.message.as_str() } else { FAILED };
            told(&one.policy_id, Outcome::Block, message, one.mode)
        });
        let others = self.bundle.policies().iter().filter(move |policy| {
            self.record_all && policy.stage == stage && !self.named(&policy.id)
        });
        let others = others.map(move |policy| PolicyEvaluated {
            severity: Some(policy.severity.as_str().to_owned()),
            matched: Some(false),
            ..told(&policy.id, policy.outcome, &policy.message, policy.mode)
        });
        matched.chain(failed).chain(others)
    }

    fn named(&self, id: &str) -> bool {
        self.decision.violations.iter().any(|one| &*one.policy_id == id)
            || self.decision.errors.iter().any(|one| &*one.policy_id == id)
    }
}
