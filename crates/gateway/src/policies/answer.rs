//! What policies decide about an answer.

use super::events::Evaluation;
use super::facts;
use super::guard::{Guard, changes_answers, fail_closed, redacts};
use super::request::Verdict;
use crate::settings::Provider;
use bytes::Bytes;
use event::Timestamp;
use policy::{Answer, Bundle, Decision, Facts, Outcome, Reads, Stage, Tokens};
use std::sync::Arc;
use std::time::Instant;

/// Why an answer cannot be judged that comes in another form than was asked for.
const ENCODED: &str = "The answer is compressed, which was not asked for, and cannot be read.";

/// How an answer is judged.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    bundle: Arc<Bundle>,
    reads: Reads,
    streams: bool,
    encoded: bool,
    /// Nothing of it goes out before it is judged.
    pub keeps: bool,
}

/// What is known of an answer.
pub(crate) struct AnswerFacts<'a> {
    /// What was known of its request.
    pub request: &'a Facts,
    /// Who answers.
    pub provider: &'a Provider,
    /// The answer as the caller would get it.
    pub body: &'a Bytes,
    /// What was replaced in its request.
    pub tokens: &'a Tokens,
    /// Tools that it calls.
    pub tools_called: &'a [String],
}

/// How an answer looks before its body is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks<'a> {
    pub content_type: Option<&'a str>,
    /// It is encoded, which was not asked for: nobody can judge it.
    pub encoded: bool,
    pub streams: bool,
    /// Its format is one that is known.
    pub known: bool,
}

// === impl Watch ===

impl Watch {
    /// What holds of what was decided: whatever concerns a stream that went out already can only
    /// be marked.
    fn holds(&self, decision: &Decision) -> Outcome {
        if !self.keeps {
            return decision.outcome.min(Outcome::Flag);
        }
        if !self.streams {
            return decision.outcome;
        }
        let failed = decision.outcome == Outcome::Block && !decision.errors.is_empty();
        let strongest = self.asked(decision).max().unwrap_or_default();
        if failed { Outcome::Block } else { strongest }
    }

    /// What each violation asks for that can still be had.
    fn asked(&self, decision: &Decision) -> impl Iterator<Item = Outcome> {
        let policies = self.bundle.policies();
        let observed = |id: &str| {
            policies.iter().any(|policy| &*policy.id == id && policy.stream == Answer::Observe)
        };
        decision.enforced().map(move |one| match self.streams && observed(&one.policy_id) {
            true => one.outcome.min(Outcome::Flag),
            false => one.outcome,
        })
    }
}

impl Guard {
    /// How an answer is judged; none where no policy asks about answers.
    pub(crate) fn watch(&self, looks: Looks<'_>) -> Option<Watch> {
        let bundle = self.bundle();
        if !bundle.has_stage(Stage::Response) {
            return None;
        }
        let keeps = match looks.streams {
            true => bundle.buffers_streams(),
            false => changes_answers(&bundle),
        };
        let reads = match looks {
            Looks { encoded: true, .. } => Reads::Opaque,
            Looks { streams: true, content_type: None, .. } => Reads::Events,
            _ => Reads::of(looks.content_type, looks.known),
        };
        let Looks { streams, encoded, .. } = looks;
        Some(Watch { bundle, reads, streams, encoded, keeps })
    }

    /// Asks the policies about an answer.
    pub(crate) async fn judge_answer(&self, watch: &Watch, answer: AnswerFacts<'_>) -> Verdict {
        let (began_at, began) = (Timestamp::now(), Instant::now());
        let seen = self.content.scan(watch.reads, answer.body).await;
        let facts = Facts {
            stage: Stage::Response,
            answer_bytes: answer.body.len() as u64,
            tools_called: answer.tools_called.to_vec(),
            data_classes: seen.classes.clone(),
            findings: seen.findings.clone(),
            ..facts::at_provider(answer.request, answer.provider)
        };
        let mut decision = watch.bundle.decide(&facts);
        let missed = if watch.encoded { Some(ENCODED) } else { seen.missed };
        fail_closed(&mut decision, missed);
        let outcome = watch.holds(&decision);
        let evaluation = Evaluation {
            bundle: &watch.bundle,
            facts: &facts,
            decision: &decision,
            began_at,
            began,
            record_all: self.settings.record_all,
            applied: outcome,
        };
        let events = evaluation.events();
        let tokens = answer.tokens.clone();
        let (body, tokens) = match redacts(outcome, watch.asked(&decision)) {
            true => self.content.redact(watch.reads, answer.body, &seen, tokens).await,
            false => (None, tokens),
        };
        Verdict { outcome, decision, facts, events, body, tokens }
    }
}
