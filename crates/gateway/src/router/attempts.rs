//! Sending a request until a target answers or no attempt is left. All of it happens before the
//! first byte of an answer is taken in, so nothing is ever tried again after one was released.

use super::end::{Answerer, End, NoAnswer, Routed};
use super::plan::Sending;
use super::retry::{self, Fault};
use super::rewrite::{self, Prepared};
use super::send::{excerpt, send};
use super::trail::{Trail, about, differ};
use crate::call::{Call, millis};
use crate::release::Caller;
use crate::targets::{Dice, Lease, LogicalModel, Skipped, Target, Targets};
use crate::upstream::{self, UpstreamError};
use http::Response;
use hyper::body::Incoming;
use recorder::{DecisionWriter, RecordError};
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

/// The attempts of one call.
pub(crate) struct Attempts<'a, 'c> {
    call: &'c Call,
    model: &'a LogicalModel,
    dice: Option<&'c Dice>,
    sending: Sending<'c>,
    writer: Option<&'c DecisionWriter>,
    /// Targets not tried yet.
    left: VecDeque<&'a Target>,
    trail: Trail,
    /// Attempts so far, targets that were passed over included.
    number: u32,
    /// Requests so far.
    sent: u32,
    first_sent: Option<Instant>,
    /// The target that failed before this one.
    failed: Option<&'a Target>,
    /// The target that was tried or passed over last.
    last: &'a Target,
}

/// One attempt's result.
struct Tried {
    result: Result<Response<Incoming>, UpstreamError>,
    sent_at: Instant,
    hides_usage: bool,
}

/// What follows a failed attempt.
enum Then<'a> {
    Again(Duration),
    Next(&'a Target, Lease<'a>),
    End,
}

impl<'a, 'c> Attempts<'a, 'c> {
    /// None were made yet; targets are tried in this order.
    pub(crate) fn new(
        call: &'c Call,
        model: &'a LogicalModel,
        order: &[usize],
        sending: Sending<'c>,
        writer: Option<&'c DecisionWriter>,
    ) -> Self {
        Self {
            call,
            model,
            dice: call.shared.targets.as_ref().map(Targets::dice),
            sending,
            writer,
            left: order.iter().map(|at| &model.targets[*at]).collect(),
            trail: Trail::default(),
            number: 0,
            sent: 0,
            first_sent: None,
            failed: None,
            last: &model.targets[order.first().copied().unwrap_or(0)],
        }
    }

    /// Tries until there is an answer. `first` is the request of the first target.
    pub(crate) async fn run(mut self, first: Prepared<'_>, caller: &mut Caller) -> Routed<'a> {
        let mut first = self.left.front().copied().map(|target| (target, first));
        let Some((mut target, mut lease)) = self.begin(caller).await else {
            return if caller.is_closed() { self.gone() } else { self.ended(None) };
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let prepared = first.take().filter(|(planned, _)| std::ptr::eq(*planned, target));
            let tried = match self.attempt(target, prepared.map(|(_, first)| first), caller).await {
                Ok(Some(tried)) => tried,
                Ok(None) => return self.gone(),
                Err(error) => return Routed { end: End::Unrecorded(error), trail: self.trail },
            };
            let Some(fault) = judge(&tried.result) else {
                lease.answered(tried.sent_at.elapsed());
                return self.answered(target, tried, Some(lease));
            };
            lease.failed(fault.counts);
            let now = tokio::time::Instant::now();
            if let Some(wait) = fault.retry_after {
                target.rest(now + wait);
            }
            self.note(target, &tried);
            match self.after(target, fault, tries) {
                // An error that the provider answered goes to the caller as it is.
                Then::End => return self.answered(target, tried, None),
                Then::Next(next, entered) => {
                    self.explain(tried).await;
                    self.failed = Some(target);
                    (target, lease, tries) = (next, entered, 0);
                }
                Then::Again(pause) => {
                    self.explain(tried).await;
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = caller.closed() => return self.gone(),
                    }
                    let again = target.enter(tokio::time::Instant::now());
                    let entered = match again {
                        Ok(lease) => Some((target, lease)),
                        Err(skipped) => {
                            self.skip(target, skipped);
                            self.next()
                        }
                    };
                    let Some(entered) = entered else { return self.ended(None) };
                    if !std::ptr::eq(entered.0, target) {
                        self.failed = Some(target);
                        tries = 0;
                    }
                    (target, lease) = entered;
                }
            }
        }
    }

    /// The first target that may be called; where all that could are busy, after a wait.
    async fn begin(&mut self, caller: &mut Caller) -> Option<(&'a Target, Lease<'a>)> {
        let all = self.left.clone();
        if let Some(found) = self.next() {
            return Some(found);
        }
        let now = tokio::time::Instant::now();
        let busy = all.into_iter().find(|target| target.lets(now))?;
        let lease = tokio::select! {
            lease = busy.enter_queued() => lease?,
            () = caller.closed() => return None,
        };
        self.trail.followed_by(Some(busy));
        Some((busy, lease))
    }

    /// The next target that may be called; those passed over are noted.
    fn next(&mut self) -> Option<(&'a Target, Lease<'a>)> {
        let now = tokio::time::Instant::now();
        while let Some(target) = self.left.pop_front() {
            self.trail.followed_by(Some(target));
            match target.enter(now) {
                Ok(lease) => return Some((target, lease)),
                Err(skipped) => self.skip(target, skipped),
            }
        }
        None
    }

    fn skip(&mut self, target: &'a Target, skipped: Skipped) {
        self.number += 1;
        self.trail.skip(target, self.number, skipped);
        self.trail.followed_by(None);
        (self.failed, self.last) = (Some(target), target);
    }

    async fn attempt(
        &mut self,
        target: &'a Target,
        prepared: Option<Prepared<'_>>,
        caller: &mut Caller,
    ) -> Result<Option<Tried>, RecordError> {
        self.number += 1;
        self.sent += 1;
        self.last = target;
        let planned = prepared.is_some();
        let call = self.call;
        let request = prepared.unwrap_or_else(|| rewrite::for_target(call, target, &self.sending));
        // The planned one is recorded with the intent, as the first attempt's.
        if (!planned || self.number > 1) && differ(&request.body, self.sending.received) {
            self.trail.keep_request(self.writer, self.number, &request.body)?;
        }
        let hides_usage = request.injected;
        let sent_at = Instant::now();
        self.first_sent.get_or_insert(sent_at);
        let provider = &target.provider;
        let sent = send(call, provider, &target.upstream, target.first_byte, request, caller).await;
        Ok(sent.map(|result| Tried { result, sent_at, hides_usage }))
    }

    fn note(&mut self, target: &'a Target, tried: &Tried) {
        let (status, kind, error, id) = match &tried.result {
            Ok(response) => {
                let status = response.status().as_u16();
                let id = upstream::request_id(response.headers());
                (Some(status), "status", format!("the provider answered {status}"), id)
            }
            Err(error) => (None, error.kind(), error.to_string(), None),
        };
        self.trail.note(event::RoutingFailed {
            status_code: status,
            error_kind: Some(kind.to_owned()),
            error: Some(error),
            latency_ms: Some(millis(tried.sent_at)),
            will_retry: Some(false),
            upstream_request_id: id,
            ..about(target, self.number)
        });
    }

    fn after(&mut self, target: &'a Target, fault: Fault, tries: u32) -> Then<'a> {
        let retry = &self.model.retry;
        if self.sent >= retry.attempts_max {
            return Then::End;
        }
        let asked = fault.retry_after.filter(|wait| !wait.is_zero());
        let may_again = fault.retries
            && tries <= retry.retries
            && asked.is_none_or(|wait| wait <= retry.retry_after_max)
            && target.lets(tokio::time::Instant::now());
        let pause = || {
            let share = self.dice.map_or(0.5, Dice::share);
            asked.unwrap_or_else(|| retry::backoff(retry, tries, share))
        };
        if may_again && asked.is_none() {
            let pause = pause();
            self.trail.followed_by(Some(target));
            return Then::Again(pause);
        }
        // Who asks for a pause gets one, while others are asked.
        let (pause, before) = (may_again.then(pause), self.failed);
        if let Some((next, lease)) = self.next() {
            return Then::Next(next, lease);
        }
        match pause {
            Some(pause) => {
                self.trail.followed_by(Some(target));
                self.failed = before;
                Then::Again(pause)
            }
            None => Then::End,
        }
    }

    /// Adds to the newest event what a failed answer says.
    async fn explain(&mut self, tried: Tried) {
        let Ok(response) = tried.result else { return };
        let text = excerpt(response.into_body()).await;
        let event = self.trail.events.iter_mut().rev().find_map(|event| match &mut event.data {
            event::EventData::RoutingFailed(data) if data.status_code.is_some() => Some(data),
            _ => None,
        });
        if let Some(error) = event.and_then(|data| data.error.as_mut())
            && !text.is_empty()
        {
            error.push_str(": ");
            error.push_str(&text);
        }
    }

    fn answered(self, target: &'a Target, tried: Tried, lease: Option<Lease<'a>>) -> Routed<'a> {
        let failed = lease.is_none();
        match tried.result {
            Err(error) => self.ended(Some(error)),
            Ok(response) => {
                let before = self.failed.filter(|failed| !std::ptr::eq(*failed, target));
                let answerer = Answerer {
                    provider: &target.provider,
                    model: Some(&target.model),
                    attempt: self.number,
                    fallback_from: before.map(|target| target.name.clone()),
                    failed,
                    hides_usage: tried.hides_usage,
                    first_sent: self.first_sent.unwrap_or(tried.sent_at),
                    sent_at: tried.sent_at,
                    idle: target.idle,
                    until: target.total.map(|total| {
                        let left = total.saturating_sub(tried.sent_at.elapsed());
                        tokio::time::Instant::now() + left
                    }),
                    lease,
                };
                Routed { end: End::Answered(response, answerer), trail: self.trail }
            }
        }
    }

    fn ended(self, error: Option<UpstreamError>) -> Routed<'a> {
        let (provider, model) = (&self.last.provider, Some(self.model.name.as_str()));
        let end = End::Failed(NoAnswer { provider, model, error });
        Routed { end, trail: self.trail }
    }

    fn gone(self) -> Routed<'a> {
        Routed { end: End::Gone(&self.last.provider), trail: self.trail }
    }
}

fn judge(result: &Result<Response<Incoming>, UpstreamError>) -> Option<Fault> {
    match result {
        Ok(response) => retry::of_status(response.status(), response.headers(), SystemTime::now()),
        Err(error) => Some(retry::of_error(error)),
    }
}
