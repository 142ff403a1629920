//! Liveness and readiness, without a key and without a record.

use crate::body::AnswerBody;
use crate::shared::{Readiness, Shared};
use crate::targets::TargetHealth;
use bytes::Bytes;
use http::{Response, StatusCode};

/// The answer to `/healthz` and `/readyz`; none for any other path.
pub(crate) fn answer(shared: &Shared, path: &str) -> Option<Response<AnswerBody>> {
    let (status, text) = match path {
        "/healthz" => (StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
        "/readyz" => match &*shared.ready.borrow() {
            Readiness::Ready => (StatusCode::OK, ready(shared)),
            Readiness::NotReady(reason) => (
                StatusCode::SERVICE_UNAVAILABLE,
                serde_json::json!({"status": "not ready", "reason": reason}).to_string(),
            ),
        },
        _ => return None,
    };
    let mut response = Response::new(AnswerBody::whole(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Some(response)
}

/// Ready, with how the targets are: a target that is down keeps nobody from recording.
fn ready(shared: &Shared) -> String {
    let Some(targets) = &shared.targets else { return r#"{"status":"ready"}"#.to_owned() };
    let shown: Vec<_> = targets.health().iter().map(TargetHealth::to_json).collect();
    serde_json::json!({"status": "ready", "targets": shown}).to_string()
}
