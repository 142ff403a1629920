//! An answer on its way to the caller, kept beside: it is taken in whole, whether the caller
//! stays or not.

use super::stored::{AnswerHead, pack};
use crate::body::{AnswerBody, Piece};
use crate::release::Caller;
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use tokio::sync::oneshot;

/// Bytes of an answer that are kept at most. A longer one is given once.
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Kept {
    head: AnswerHead,
    body: Vec<u8>,
}

impl Kept {
    pub(crate) fn pack(&self) -> Vec<u8> {
        pack(&self.head, &self.body)
    }
}

/// A caller that never leaves, in front of one that may; and the answer, once it was whole.
pub(crate) fn tee(to: Caller) -> (Caller, oneshot::Receiver<Kept>) {
    let (inner, head) = oneshot::channel();
    let (keep, kept) = oneshot::channel();
    tokio::spawn(async move {
        let Ok(response) = head.await else { return };
        if let Some(answer) = pass_on(response, to).await {
            // Whoever wanted it may have ended with an error.
            let _unwanted = keep.send(answer);
        }
    });
    (inner, kept)
}

async fn pass_on(response: Response<AnswerBody>, to: Caller) -> Option<Kept> {
    let (head, mut body) = response.into_parts();
    let mut kept =
        Kept { head: AnswerHead::new(head.status.as_u16(), &head.headers), body: Vec::new() };
    let (flowing, sink) = AnswerBody::flowing(None);
    // The caller may be gone; the answer is kept for when it comes again.
    let _gone = to.send(Response::from_parts(head, flowing));
    let mut whole = true;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            sink.send(Piece::Cut).await;
            return None;
        };
        match frame.into_data() {
            Ok(data) => {
                whole &= kept.body.len() + data.len() <= KEPT_BYTES_MAX;
                if whole {
                    kept.body.extend_from_slice(&data);
                }
                sink.send(Piece::Data(data)).await;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    sink.send(Piece::Trailers(trailers)).await;
                }
            }
        }
    }
    whole.then_some(kept)
}

/// An answer that was kept.
pub(super) fn response(head: &AnswerHead, body: &[u8]) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::whole(Bytes::copy_from_slice(body)));
    if let Ok(status) = http::StatusCode::from_u16(head.status) {
        *response.status_mut() = status;
    }
    head.write_headers(response.headers_mut());
    response
}
