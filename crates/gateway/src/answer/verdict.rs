//! What policies decide about an answer, and what becomes of it then.

use super::{Out, Reply, join};
use crate::body::Piece;
use crate::policies::{AnswerFacts, Looks, Verdict, Watch};
use crate::received::{End, Ending};
use crate::refusal::{Code, Refusal};
use crate::release;
use crate::reviews::{self, AnswerHead, Followed};
use bytes::Bytes;
use control::{Claim, Fingerprint, ReviewStage};
use event::{Component, Event, RequestFailed, ResponseBlocked, Timestamp};
use http::response;
use policy::{Facts, Outcome, Tokens};
use recorder::{BodyWriter, DecisionWriter, RecordError, Role};
use review::Desk;
use wire::{Format, ResponseFacts};

/// What is known of a request, for judging its answer.
pub(crate) struct Guarded {
    /// What policies saw of it.
    pub facts: Facts,
    /// What they decided.
    pub outcome: Outcome,
    /// What was replaced in it.
    pub tokens: Tokens,
    /// The request as the caller sent it.
    pub received: Bytes,
    /// The review that let it through.
    pub review: Option<Reviewed>,
}

/// The review that let a request through.
pub(crate) struct Reviewed {
    pub id: String,
    /// What makes a request the same one: that of the caller's, before anything was taken out.
    pub fingerprint: Fingerprint,
    /// How long it held the call.
    pub held_ms: u64,
}

/// An answer that does not go out, or not yet.
pub(super) enum Held<'a> {
    Blocked(&'a Verdict),
    ForReview(&'a Verdict),
}

/// The answer itself.
pub(super) struct Stopped {
    pub end: End,
    pub bodies: Vec<BodyWriter>,
    pub last: Vec<Bytes>,
}

impl<'a> Held<'a> {
    pub(super) fn of(verdict: &'a Verdict) -> Option<Self> {
        match verdict.outcome {
            Outcome::Block => Some(Self::Blocked(verdict)),
            Outcome::Escalate => Some(Self::ForReview(verdict)),
            _ => None,
        }
    }
}

impl Reply<'_> {
    /// How the answer is judged; none where it is not.
    pub(super) fn watch(
        &self,
        content_type: Option<&str>,
        encoding: Option<&str>,
        streams: bool,
    ) -> Option<Watch> {
        self.guarded.as_ref()?;
        let encoded = encoding.is_some_and(|name| !name.trim().eq_ignore_ascii_case("identity"));
        let known = self.call.route.format != Format::Generic;
        self.call.shared.guard.as_ref()?.watch(Looks { content_type, encoded, streams, known })
    }

    /// Asks the policies about the answer: about all of it where it was kept, else about what
    /// went out. Where it is redacted, `last` is what goes out.
    pub(super) async fn judge(
        &self,
        watch: &Watch,
        ending: Ending,
        read: &ResponseFacts,
        last: &mut Vec<Bytes>,
        seen: Vec<Bytes>,
    ) -> Option<Verdict> {
        let guarded = self.guarded.as_ref()?;
        if watch.keeps && ending != Ending::Complete {
            return None;
        }
        let body = if watch.keeps { join(std::mem::take(last)) } else { join(seen) };
        let answer = AnswerFacts {
            request: &guarded.facts,
            provider: self.from.provider,
            body: &body,
            tokens: &guarded.tokens,
            tools_called: &read.tool_calls,
        };
        let verdict = self.call.shared.guard.as_ref()?.judge_answer(watch, answer).await;
        if watch.keeps {
            *last = vec![verdict.body.clone().unwrap_or(body)];
        }
        Some(verdict)
    }

    /// The review that let the request through.
    pub(super) fn reviewed(&self) -> Option<&Reviewed> {
        self.guarded.as_ref()?.review.as_ref()
    }

    /// The strongest outcome of request and answer.
    pub(super) fn outcome(&self, verdict: Option<&Verdict>) -> Outcome {
        let request = self.guarded.as_ref().map_or(Outcome::Allow, |guarded| guarded.outcome);
        request.max(verdict.map_or(Outcome::Allow, |verdict| verdict.outcome))
    }

    /// The bodies to be recorded: what came, and what goes out where that differs.
    pub(super) fn bodies(
        writer: Option<&DecisionWriter>,
        upstream: Option<BodyWriter>,
        client: Option<BodyWriter>,
        last: &[Bytes],
        verdict: Option<&Verdict>,
    ) -> Result<Vec<BodyWriter>, RecordError> {
        let mut bodies: Vec<BodyWriter> = upstream.into_iter().collect();
        if verdict.is_some_and(|verdict| verdict.outcome == Outcome::Block) {
            return Ok(bodies);
        }
        let redacted = verdict.is_some_and(|verdict| verdict.body.is_some());
        let client = match (client, writer) {
            (None, Some(writer)) if redacted => Some(writer.body(Role::ClientResponse, 0)?),
            (client, _) => client,
        };
        if let Some(mut client) = client {
            last.iter().for_each(|piece| client.push_streamed(piece));
            bodies.push(client);
        }
        Ok(bodies)
    }

    /// Answers with an error in place of the answer.
    pub(super) async fn refuse(&self, out: Out, refusal: Refusal) -> Option<DecisionWriter> {
        match out {
            Out::Kept(to, _) => release::answer_refusal(&self.call, &refusal, to),
            Out::Flowing(sink) => {
                sink.send(Piece::Cut).await;
            }
        }
        None
    }

    /// Does not let the answer out: for good, or until a person has looked at it.
    pub(super) async fn stop(
        self,
        held: Held<'_>,
        writer: Option<DecisionWriter>,
        answer: Stopped,
        out: Out,
    ) -> Option<DecisionWriter> {
        let desk = self.call.shared.settings.desk.clone();
        match (held, desk, writer) {
            (Held::ForReview(verdict), Some(desk), Some(writer)) => {
                self.review(&desk, verdict, writer, answer, out).await;
                None
            }
            (Held::Blocked(verdict) | Held::ForReview(verdict), _, writer) => {
                self.block(verdict, writer, answer, out).await
            }
        }
    }

    async fn block(
        mut self,
        verdict: &Verdict,
        mut writer: Option<DecisionWriter>,
        answer: Stopped,
        out: Out,
    ) -> Option<DecisionWriter> {
        let Stopped { end, bodies, .. } = answer;
        let answered = end.answered.clone();
        let completed = self.completed(end, Some(verdict));
        self.spend(&completed);
        let mut refusal = Refusal::new(Code::PolicyViolation, verdict.message());
        let blocked = ResponseBlocked {
            outcome: Some(Outcome::Block.as_str().to_owned()),
            policy_ids: Some(verdict.policy_ids()),
            review_id: None,
            status_code: Some(refusal.code.status().as_u16()),
            latency_ms: completed.latency_ms,
            provider: completed.provider,
            model: completed.model,
            usage: completed.usage,
            usage_origin: completed.usage_origin,
            cost_usd: completed.cost_usd,
            cost_state: completed.cost_state,
            price_catalogue: completed.price_catalogue,
            finish_reason: completed.finish_reason,
            response_bytes: completed.response_bytes,
        };
        let mut events = verdict.events.clone();
        events.push(Event::new(Component::Gateway, Timestamp::now(), blocked));
        if let Some(into) = &mut writer
            && let Err(error) = self.write(into, &answered, events, bodies).await
        {
            refusal = release::unrecorded_outcome(&self.call, &error).unwrap_or(refusal);
            writer = None;
        }
        self.refuse(out, refusal).await;
        writer
    }

    /// Holds the answer for a person and waits as long as callers wait.
    async fn review(
        mut self,
        desk: &Desk,
        verdict: &Verdict,
        writer: DecisionWriter,
        answer: Stopped,
        out: Out,
    ) {
        // Only what is kept whole is ever held.
        let Out::Kept(to, head) = out else { return };
        let Some(guarded) = self.guarded.take() else { return };
        let fingerprint = match &guarded.review {
            Some(before) => {
                // One request has one review at a time: that of its answer follows that of itself.
                reviews::failed(desk, &before.id).await;
                before.fingerprint
            }
            None => self.call.fingerprint(&guarded.received),
        };
        let claimed = match reviews::claim(desk, &fingerprint).await {
            Ok(claimed) => claimed,
            Err(error) => {
                let refusal = reviews::unavailable(&error);
                self.fail(writer, verdict, answer, &refusal).await;
                return release::answer_refusal(&self.call, &refusal, to);
            }
        };
        let id = match claimed {
            Ok(claim) => {
                let held = ToHold { verdict, claim, fingerprint, head: &head };
                match self.keep(desk, held, writer, answer).await {
                    Ok(id) => id,
                    Err(refusal) => return release::answer_refusal(&self.call, &refusal, to),
                }
            }
            Err(other) => {
                // An equal request was quicker; this one gets its answer.
                let refusal = Refusal::new(Code::ReviewPending, "An equal request is held.");
                self.fail(writer, verdict, answer, &refusal).await;
                other.id
            }
        };
        let mut call = self.call;
        if let Followed::PickedUp(picked, to) = reviews::follow(&mut call, desk, &id, to).await {
            reviews::release_answer(&call, desk, *picked, to).await;
        }
    }

    /// Records that the answer is held, and stores it; gives the review's id.
    async fn keep(
        &mut self,
        desk: &Desk,
        held: ToHold<'_>,
        mut writer: DecisionWriter,
        answer: Stopped,
    ) -> Result<String, Refusal> {
        let ToHold { verdict, claim, fingerprint, head } = held;
        let Stopped { end, bodies, last } = answer;
        let (answered, status) = (end.answered.clone(), end.answered.status);
        let completed = self.completed(end, Some(verdict));
        self.spend(&completed);
        let opening = desk.opening(ReviewStage::Response, verdict.decision.reviewers());
        let mut events = verdict.events.clone();
        events.extend(reviews::answer_escalated(verdict, &opening, &completed));
        if let Err(error) = self.write(&mut writer, &answered, events, bodies).await {
            // Nothing is held that is not recorded as held.
            return Err(Refusal::unrecorded(&error, true));
        }
        let kept =
            AnswerHead { completed: Some(completed), ..AnswerHead::new(status, &head.headers) };
        let preview = self.facts.prompt_preview.as_deref();
        let held = reviews::Held {
            call: &self.call,
            verdict,
            opening,
            fingerprint,
            model: self.facts.model.as_deref(),
            prompt_preview: preview.map(|text| self.call.shared.redact(text)),
            bytes: reviews::pack(&kept, &join(last)),
        };
        let stored = reviews::hold(desk, writer, held).await;
        drop(claim);
        match stored {
            Ok(review) => Ok(review.id),
            Err(not_held) => {
                let mut refusal = reviews::unavailable(&not_held.error);
                refusal.provider_called = true;
                let mut writer = *not_held.writer;
                let failed = failure(&refusal);
                let ended = self.call.record_failure(&mut writer, Vec::new(), Vec::new(), failed);
                if let Err(error) = ended.await {
                    tracing::error!(%error, "the end of a call was not recorded");
                }
                Err(refusal)
            }
        }
    }

    /// Records that an answer which should be held is not.
    async fn fail(
        &mut self,
        mut writer: DecisionWriter,
        verdict: &Verdict,
        answer: Stopped,
        refusal: &Refusal,
    ) {
        let Stopped { end, bodies, .. } = answer;
        let answered = end.answered.clone();
        let completed = self.completed(end, Some(verdict));
        self.spend(&completed);
        let failed = RequestFailed { latency_ms: completed.latency_ms, ..failure(refusal) };
        let mut events = verdict.events.clone();
        events.push(Event::new(Component::Gateway, Timestamp::now(), failed));
        if let Err(error) = self.write(&mut writer, &answered, events, bodies).await {
            tracing::error!(%error, "the end of a call was not recorded");
        }
    }
}

/// What an answer is held with.
struct ToHold<'a> {
    verdict: &'a Verdict,
    claim: Claim,
    fingerprint: Fingerprint,
    head: &'a response::Parts,
}

fn failure(refusal: &Refusal) -> RequestFailed {
    RequestFailed {
        status_code: Some(refusal.code.status().as_u16()),
        code: Some(refusal.code.as_str().to_owned()),
        error: Some(refusal.message.clone()),
        ..RequestFailed::default()
    }
}
