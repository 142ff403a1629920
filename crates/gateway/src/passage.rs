//! The way of a request that may go on: record the intent, ask those who may answer, and go on
//! with what comes of it.

use crate::answer::{self, Guarded, Reply};
use crate::call::{Call, Intent};
use crate::refusal::{Code, Refusal};
use crate::release::{Caller, answer_refusal, unrecorded_outcome};
use crate::router::{self, End, NoAnswer, Plan, Routed, Sending, Trail, differ};
use crate::settings::OnRecordFailure;
use crate::upstream::UpstreamError;
use bytes::Bytes;
use event::{Event, RequestFailed};
use recorder::{DecisionWriter, RecordError};
use wire::RequestFacts;

/// A request that may go on.
pub(crate) struct Passing {
    pub facts: RequestFacts,
    /// The body as the caller sent it.
    pub received: Bytes,
    /// The body that goes on.
    pub body: Bytes,
    /// What is known for judging the answer; none where no policies are configured.
    pub guarded: Option<Box<Guarded>>,
}

/// What is recorded of a call so far.
pub(crate) enum Begun {
    /// Nothing; what policies decided comes into its intent.
    New(Vec<Event>),
    /// That it was held and let through.
    Held(DecisionWriter),
}

/// Records the intent, asks those who may answer, and goes on with what comes of it. Gives the
/// writer back where the call has ended with an answer that was recorded.
pub(crate) async fn route(
    call: Box<Call>,
    plan: Plan<'_>,
    passing: Passing,
    begun: Begun,
    mut to: Caller,
) -> Option<DecisionWriter> {
    let Passing { facts, received, body, guarded } = passing;
    let sending = Sending { facts: &facts, received: &received, body: &body };
    let first = plan.prepare(&call, &sending);
    let sent = differ(&first.body, &received).then_some(&*first.body);
    let start = plan.start(&facts);
    let recorded = match begun {
        Begun::New(mut events) => {
            events.push(start);
            let intent = Intent { facts: &facts, events, received: &received, sent };
            record_intent(&call, intent).await
        }
        Begun::Held(mut writer) => match call.record_start(&mut writer, start, sent).await {
            Ok(()) => Ok(Some(writer)),
            Err(error) => Err(Refusal::unrecorded(&error, false)),
        },
    };
    let mut writer = match recorded {
        Ok(writer) => writer,
        Err(refusal) => {
            answer_refusal(&call, &refusal, to);
            return None;
        }
    };
    let Routed { end, trail } =
        router::route(&call, plan, first, sending, writer.as_ref(), &mut to).await;
    match end {
        End::Answered(response, from) => {
            let reply = Box::new(Reply { call, facts, from, trail, guarded });
            return Box::pin(reply.relay(writer, response, to)).await;
        }
        End::Failed(nobody) => Box::pin(fail(&call, nobody, trail, &mut writer, to)).await,
        End::Gone(provider) => answer::record_gone(&call, provider, trail, &mut writer).await,
        End::Unrecorded(error) => {
            answer_refusal(&call, &Refusal::unrecorded(&error, true), to);
        }
    }
    None
}

/// The writer of a decision whose intent is durable; none where the call goes through unrecorded.
async fn record_intent(call: &Call, intent: Intent<'_>) -> Result<Option<DecisionWriter>, Refusal> {
    match call.begin(intent).await {
        Ok(writer) => Ok(Some(writer)),
        Err(error) => pass_unrecorded(call, &error).map(|()| None),
    }
}

/// Whether a call goes on that could not be recorded.
pub(crate) fn pass_unrecorded(call: &Call, error: &RecordError) -> Result<(), Refusal> {
    if call.shared.settings.on_record_failure == OnRecordFailure::Refuse {
        return Err(Refusal::unrecorded(error, false));
    }
    tracing::error!(%error, "a call goes through without a record");
    call.shared.recorder.note_gap();
    Ok(())
}

/// No answer came.
async fn fail(
    call: &Call,
    nobody: NoAnswer<'_>,
    trail: Trail,
    writer: &mut Option<DecisionWriter>,
    to: Caller,
) {
    let NoAnswer { provider, model, error } = nobody;
    let timed_out = matches!(error, Some(UpstreamError::Timeout(_)));
    let code = if timed_out { Code::UpstreamTimeout } else { Code::UpstreamError };
    let message = match (model, timed_out) {
        (None, true) => format!("The provider {} did not answer in time.", provider.name),
        (None, false) => format!("The provider {} could not be reached.", provider.name),
        (Some(model), true) => format!("No target of the model {model} answered in time."),
        (Some(model), false) => format!("No target of the model {model} could be reached."),
    };
    let mut refusal = Refusal::new(code, message);
    let detail = error.map_or_else(|| refusal.message.clone(), |error| error.to_string());
    let failed = RequestFailed {
        status_code: Some(code.status().as_u16()),
        code: Some(code.as_str().to_owned()),
        error: Some(detail),
        provider: Some(provider.name.clone()),
        ..RequestFailed::default()
    };
    if let Some(writer) = writer
        && let Err(error) = call.record_failure(writer, trail.events, trail.bodies, failed).await
    {
        refusal = unrecorded_outcome(call, &error).unwrap_or(refusal);
    }
    answer_refusal(call, &refusal, to);
}
