//! The provider as a server.

use crate::body::{PacedBody, Piece};
use crate::random::Random;
use crate::reply::{Reply, error_reply};
use crate::routes::reply;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Bodies beyond this are refused.
const REQUEST_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Pause after a failed accept (out of file handles, say), so that it is no busy loop.
const ACCEPT_RETRY_MS: u64 = 50;

/// How long answers take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Until the head of the answer.
    pub head: Duration,
    /// Before each event of a stream.
    pub event: Duration,
}

/// How the provider behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProviderOptions {
    /// How long answers take.
    pub pace: Pace,
    /// One of so many requests gets an error (429, 500 or 529); 0: none does.
    pub error_one_in: u64,
}

/// A provider; clones share their counters.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    options: ProviderOptions,
    requests: Arc<AtomicU64>,
}

impl Provider {
    /// A provider that behaves as told.
    pub fn new(options: ProviderOptions) -> Self {
        Self { options, requests: Arc::default() }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Either<Full<Bytes>, PacedBody>>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let reply = match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
            Ok(body) => {
                let body = body.to_bytes();
                let method = head.method.as_str().to_owned();
                self.error(number, &path).unwrap_or_else(|| reply(&method, &path, &body))
            }
            Err(_) => error_reply(&path, 400, "The body could not be read."),
        };
        if !self.options.pace.head.is_zero() {
            tokio::time::sleep(self.options.pace.head).await;
        }
        into_response(reply, self.options.pace.event, number)
    }

    /// Serves HTTP/1.1 and HTTP/2 until `stop` is ready.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let mut connections = tokio::task::JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => return,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection refused TCP_NODELAY");
            }
            let provider = self.clone();
            connections.spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let provider = provider.clone();
                    async move { Ok::<_, Infallible>(provider.answer(request).await) }
                });
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http1().timer(TokioTimer::new());
                if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                    tracing::debug!(
                        error = error.to_string(),
                        "a connection to the demo provider ended"
                    );
                }
            });
        }
    }

    fn error(&self, number: u64, path: &str) -> Option<Reply> {
        let one_in = self.options.error_one_in;
        if one_in == 0 || number % one_in != one_in - 1 {
            return None;
        }
        Some(match (number / one_in) % 3 {
            0 => error_reply(path, 429, "Rate limit reached for requests. Try again in 2 s."),
            1 => error_reply(path, 500, "The server had an error while processing your request."),
            _ => error_reply(path, 529, "The provider is overloaded."),
        })
    }
}

fn into_response(
    reply: Reply,
    pause: Duration,
    number: u64,
) -> Response<Either<Full<Bytes>, PacedBody>> {
    let body = if reply.streamed {
        let pieces = reply.pieces.into_iter().map(|piece| Piece::Bytes(pause, piece)).collect();
        Either::Right(PacedBody::new(pieces, None))
    } else {
        Either::Left(Full::new(reply.pieces.into_iter().next().unwrap_or_default()))
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    let id = format!("req_{}", Random::new(number).hex(24));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(reply.id_header, id);
    }
    if reply.status == 429 || reply.status == 529 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}
