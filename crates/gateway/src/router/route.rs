//! From a plan to an answer.

use super::attempts::Attempts;
use super::end::{Answerer, End, NoAnswer, Routed};
use super::plan::{Plan, Sending};
use super::rewrite::Prepared;
use super::send::send;
use super::trail::Trail;
use crate::call::Call;
use crate::release::Caller;
use crate::settings::Provider;
use recorder::DecisionWriter;
use std::time::Instant;

/// Sends the request as planned. `first` is the first attempt's, recorded with the intent.
pub(crate) async fn route<'a>(
    call: &Call,
    plan: Plan<'a>,
    first: Prepared<'_>,
    sending: Sending<'_>,
    writer: Option<&DecisionWriter>,
    caller: &mut Caller,
) -> Routed<'a> {
    match plan {
        Plan::Provider(provider) => single(call, provider, first, sending, caller).await,
        Plan::Model { model, order } => {
            Attempts::new(call, model, &order, sending, writer).run(first, caller).await
        }
    }
}

/// One attempt at one provider.
async fn single<'a>(
    call: &Call,
    provider: &'a Provider,
    request: Prepared<'_>,
    sending: Sending<'_>,
    caller: &mut Caller,
) -> Routed<'a> {
    let hides_usage = request.injected;
    let timeouts = call.shared.settings.timeouts;
    let sent_at = Instant::now();
    let upstream = &call.shared.upstream;
    let sent = send(call, provider, upstream, timeouts.first_byte, request, caller).await;
    match sent {
        None => Routed { end: End::Gone(provider), trail: Trail::default() },
        Some(Ok(response)) => {
            let answerer = Answerer {
                provider,
                model: None,
                attempt: 1,
                fallback_from: None,
                failed: false,
                hides_usage,
                first_sent: sent_at,
                sent_at,
                idle: timeouts.idle,
                until: None,
                lease: None,
            };
            Routed { end: End::Answered(response, answerer), trail: Trail::default() }
        }
        Some(Err(error)) => {
            let trail = Trail::failed(provider, sending.facts.model.as_deref(), &error, sent_at);
            let no_answer = NoAnswer { provider, model: None, error: Some(error) };
            Routed { end: End::Failed(no_answer), trail }
        }
    }
}
