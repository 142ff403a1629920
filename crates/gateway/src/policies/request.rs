//! What policies decide about a request.

use super::events::Evaluation;
use super::facts::{self, Asked};
use super::guard::{Guard, fail_closed, redacts};
use crate::settings::Provider;
use bytes::Bytes;
use event::{Event, Timestamp};
use policy::{Decision, Facts, Outcome, Reads, Tokens};
use std::time::Instant;
use wire::Format;

/// What is told where no policy says why.
const NO_MESSAGE: &str = "The policies could not be evaluated, so this call is not made.";

/// What policies decided.
pub(crate) struct Verdict {
    /// The strongest outcome that holds.
    pub outcome: Outcome,
    /// What was decided.
    pub decision: Decision,
    /// What they saw.
    pub facts: Facts,
    /// The events that say so.
    pub events: Vec<Event>,
    /// What goes on in place of what came.
    pub body: Option<Bytes>,
    /// What was replaced in it.
    pub tokens: Tokens,
}

// === impl Verdict ===

impl Verdict {
    /// What the caller of a call that does not go on is told.
    pub(crate) fn message(&self) -> String {
        let strongest = self.decision.enforced().next();
        strongest.map_or_else(|| NO_MESSAGE.to_owned(), |one| one.message.to_string())
    }

    /// Ids of the policies behind it.
    pub(crate) fn policy_ids(&self) -> Vec<String> {
        self.decision.policy_ids().iter().map(ToString::to_string).collect()
    }
}

impl Guard {
    /// Asks the policies about a request. Each of `providers` may get it, so what the strictest
    /// of them asks for holds for all.
    pub(crate) async fn judge_request(&self, asked: Asked<'_>, providers: &[&Provider]) -> Verdict {
        let body = asked.body;
        let (began_at, began) = (Timestamp::now(), Instant::now());
        let bundle = self.bundle();
        let reads = Reads::of(asked.content_type, asked.route.format != Format::Generic);
        let seen = self.content.scan(reads, body).await;
        let base = facts::of_request(asked);
        let counters = self.windows.arrive(&base.user, &base.source, asked.arrived_at);
        let base = Facts {
            data_classes: seen.classes.clone(),
            findings: seen.findings.clone(),
            counters,
            ..base
        };
        let judged = providers.iter().map(|provider| {
            let facts = facts::at_provider(&base, provider);
            (bundle.decide(&facts), facts)
        });
        let mut asked = Vec::new();
        let strictest = judged
            .inspect(|(decision, _)| asked.extend(decision.enforced().map(|one| one.outcome)))
            .reduce(|before, next| if next.0.outcome > before.0.outcome { next } else { before });
        let (mut decision, facts) = strictest.unwrap_or_else(|| (bundle.decide(&base), base));
        fail_closed(&mut decision, seen.missed);
        let evaluation = Evaluation {
            bundle: &bundle,
            facts: &facts,
            decision: &decision,
            began_at,
            began,
            record_all: self.settings.record_all,
            applied: decision.outcome,
        };
        let events = evaluation.events();
        let (body, tokens) = match redacts(decision.outcome, asked.into_iter()) {
            true => self.content.redact(reads, body, &seen, Tokens::new()).await,
            false => (None, Tokens::new()),
        };
        Verdict { outcome: decision.outcome, decision, facts, events, body, tokens }
    }
}
