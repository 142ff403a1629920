//! Letting answers out: with our ids, and with an eye on whether they arrive.

use crate::admit;
use crate::body::{AnswerBody, Delivery};
use crate::call::{Call, record_undelivered};
use crate::headers;
use crate::names;
use crate::refusal::Refusal;
use crate::settings::OnRecordFailure;
use http::{HeaderValue, Response};
use recorder::DecisionWriter;
use tokio::sync::oneshot;

/// Where the answer's head and body go; closed when the caller is gone.
pub(crate) type Caller = oneshot::Sender<Response<AnswerBody>>;

/// What becomes of a call whose outcome cannot be recorded; none where it goes on.
pub(crate) fn unrecorded_outcome(call: &Call, error: &recorder::RecordError) -> Option<Refusal> {
    if call.shared.settings.on_record_failure == OnRecordFailure::Forward {
        call.shared.recorder.note_gap();
        return None;
    }
    Some(Refusal::unrecorded(error, true))
}

/// Answers with an error in the route's format.
pub(crate) fn answer_refusal(call: &Call, refusal: &Refusal, to: Caller) {
    let response = refusal.response(call.route.error_style, &call.ids.request_id);
    metrics::counter!("audit_layer_refusals_total", "code" => refusal.code.as_str()).increment(1);
    // Whoever left gets no answer; the record says what it would have been.
    let _gone = to.send(with_ids(response, &call.ids));
}

/// Every answer carries our ids.
pub(crate) fn with_ids(
    mut response: Response<AnswerBody>,
    ids: &admit::Ids,
) -> Response<AnswerBody> {
    let into = response.headers_mut();
    let mut buffer = uuid::Uuid::encode_buffer();
    for (name, id) in [(&names::TRACE_ID, ids.trace_id), (&names::AUDIT_ID, ids.decision_id)] {
        let text = id.as_hyphenated().encode_lower(&mut buffer);
        if let Ok(value) = HeaderValue::from_str(text) {
            into.insert(name.clone(), value);
        }
    }
    if let Some(value) = headers::value(&ids.request_id) {
        into.insert(names::REQUEST_ID.clone(), value);
    }
    response
}

/// Waits in the background for word of the delivery, and records a failure; gives the writer back
/// where there was none.
pub(crate) async fn watch_delivery(
    delivery: Delivery,
    writer: Option<DecisionWriter>,
) -> Option<DecisionWriter> {
    let Some(bytes) = delivery.failed_after().await else { return writer };
    if let Some(writer) = writer {
        Box::pin(record_undelivered(writer, bytes)).await;
    }
    None
}
