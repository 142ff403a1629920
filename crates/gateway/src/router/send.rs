//! One request to one provider.

use super::rewrite::Prepared;
use crate::call::Call;
use crate::policies::Guard;
use crate::release::Caller;
use crate::settings::Provider;
use crate::upstream::{self, Outgoing, Upstream, UpstreamError};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;

/// Bytes of a failed answer that are told in its event.
const EXCERPT_BYTES_MAX: usize = 1_024;
/// How long is waited for them.
const EXCERPT_WAIT: Duration = Duration::from_millis(50);

/// Sends once; none where the caller is gone.
pub(crate) async fn send(
    call: &Call,
    provider: &Provider,
    upstream: &Upstream,
    first_byte: Duration,
    request: Prepared<'_>,
    caller: &mut Caller,
) -> Option<Result<Response<Incoming>, UpstreamError>> {
    let outgoing = Outgoing {
        method: &call.method,
        path: &request.path,
        query: request.query.as_deref(),
        headers: &call.headers,
        body: request.body,
        plain: call.shared.guard.as_ref().is_some_and(Guard::judges_answers),
    };
    let request = match upstream::request(provider, outgoing) {
        Ok(request) => request,
        Err(error) => return Some(Err(UpstreamError::Protocol(error.to_string()))),
    };
    tokio::select! {
        result = upstream.send(request, first_byte) => Some(result),
        () = caller.closed() => None,
    }
}

/// The beginning of a failed answer; whatever comes at once.
pub(crate) async fn excerpt(mut body: Incoming) -> String {
    let mut bytes: Vec<u8> = Vec::new();
    let read = async {
        while bytes.len() < EXCERPT_BYTES_MAX {
            let Some(Ok(frame)) = body.frame().await else { return };
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
    };
    // What has not come by then is not worth waiting for.
    let _late = tokio::time::timeout(EXCERPT_WAIT, read).await;
    bytes.truncate(EXCERPT_BYTES_MAX);
    String::from_utf8_lossy(&bytes).into_owned()
}
