//! The answer's body as the server sends it, and word of whether it was taken whole.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// Pieces on their way to the caller at once: a slow caller slows the provider down.
const PIECES_WAITING_MAX: usize = 16;

/// A body that was cut off on purpose; the connection is closed without an end.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off")]
pub struct Cut;

/// A piece of a flowing answer.
pub(crate) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    Cut,
}

enum Source {
    Whole(Bytes),
    Flow(mpsc::Receiver<Piece>),
    Taken,
}

/// The body of an answer.
pub struct AnswerBody {
    source: Source,
    passed: Arc<AtomicU64>,
    /// Bytes that it has, where that was said: the server asks for no more behind them.
    length: Option<u64>,
    told: Option<oneshot::Sender<bool>>,
}

/// Where the pieces of a flowing answer go.
pub(crate) struct Sink {
    pieces: mpsc::Sender<Piece>,
    delivery: Delivery,
}

/// Tells whether an answer was taken whole.
pub(crate) struct Delivery {
    passed: Arc<AtomicU64>,
    told: oneshot::Receiver<bool>,
}

impl AnswerBody {
    /// A body that is whole already.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { source: Source::Whole(bytes), passed: Arc::default(), length: None, told: None }
    }

    /// A whole body that tells whether it was taken.
    pub(crate) fn tracked(bytes: Bytes) -> (Self, Delivery) {
        let (tell, told) = oneshot::channel();
        let passed = Arc::new(AtomicU64::new(0));
        let (source, passed_on) = (Source::Whole(bytes), passed.clone());
        let body = Self { source, passed: passed_on, length: None, told: Some(tell) };
        (body, Delivery { passed, told })
    }

    /// A body whose pieces come through the sink; so many bytes in all, where that is known.
    pub(crate) fn flowing(length: Option<u64>) -> (Self, Sink) {
        let (pieces, receiver) = mpsc::channel(PIECES_WAITING_MAX);
        let (tell, told) = oneshot::channel();
        let passed = Arc::new(AtomicU64::new(0));
        let body = Self {
            source: Source::Flow(receiver),
            passed: passed.clone(),
            length,
            told: Some(tell),
        };
        (body, Sink { pieces, delivery: Delivery { passed, told } })
    }

    fn end(&mut self, whole: bool) {
        if let Some(told) = self.told.take() {
            // The call may not care any more; then nobody listens.
            let _unheard = told.send(whole);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let piece = match &mut self.source {
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Taken;
                self.passed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                self.end(true);
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Source::Taken => return Poll::Ready(None),
            Source::Flow(pieces) => std::task::ready!(pieces.poll_recv(context)),
        };
        Poll::Ready(match piece {
            Some(Piece::Data(bytes)) => {
                let before = self.passed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                if self.length == Some(before + bytes.len() as u64) {
                    self.end(true);
                }
                Some(Ok(Frame::data(bytes)))
            }
            Some(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Piece::Cut) => {
                self.end(false);
                Some(Err(Cut))
            }
            None => {
                self.source = Source::Taken;
                self.end(true);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Taken => true,
            Source::Flow(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Taken => SizeHint::with_exact(0),
            Source::Flow(_) => SizeHint::default(),
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let empty = matches!(&self.source, Source::Whole(bytes) if bytes.is_empty());
        self.end(empty);
    }
}

impl Sink {
    /// Hands one piece on; false where the caller is gone.
    pub(crate) async fn send(&self, piece: Piece) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Resolves when the caller is gone.
    pub(crate) async fn closed(&self) {
        self.pieces.closed().await;
    }

    /// Ends the answer.
    pub(crate) fn finish(self) -> Delivery {
        self.delivery
    }

    /// Bytes that the server took so far.
    pub(crate) fn passed(&self) -> u64 {
        self.delivery.passed.load(Ordering::Relaxed)
    }
}

impl Delivery {
    /// Resolves when the answer was taken whole (none) or given up (bytes that were taken).
    pub(crate) async fn failed_after(self) -> Option<u64> {
        match self.told.await {
            Ok(true) => None,
            _ => Some(self.passed.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn who_asks_for_no_more_than_there_is_has_taken_it_whole() {
        for (length, expected) in [(Some(4), None), (Some(5), Some(4)), (None, Some(4))] {
            let (mut body, sink) = AnswerBody::flowing(length);
            sink.send(Piece::Data(Bytes::from_static(b"all."))).await;
            let delivery = sink.finish();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "all.");
            // The server knows from the length that it is done, and drops the rest.
            drop(body);
            assert_eq!(delivery.failed_after().await, expected, "{length:?}");
        }
    }
}
