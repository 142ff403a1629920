//! A small HTTP/1.1 client that hands bytes over as they arrive.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;

/// No test waits longer for one answer.
const ANSWER_MS_MAX: u64 = 60_000;

/// Sends requests; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as far as it came.
    pub body: Bytes,
    /// Whether the body came whole.
    pub complete: bool,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub struct StreamedAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    body: Incoming,
}

// === impl Client ===

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector) }
    }
}

impl Client {
    /// A client with connections of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request; the body comes later.
    ///
    /// # Panics
    /// Where no head came within a minute.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<StreamedAnswer, Error> {
        let limit = Duration::from_millis(ANSWER_MS_MAX);
        let response: Response<Incoming> = tokio::time::timeout(limit, self.pool.request(request))
            .await
            .expect("an answer within a minute")?;
        let (head, body) = response.into_parts();
        Ok(StreamedAnswer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let request = request(method, url, headers, body);
        self.send(request).await.expect("an answer").whole().await
    }

    /// A GET.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        self.call("GET", url, headers, Bytes::new()).await
    }

    /// A POST of JSON.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn post_json(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        self.call("POST", url, &headers, body.to_string()).await
    }
}

/// A request of these parts.
///
/// # Panics
/// Where they are none of HTTP.
fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).expect("a request")
}

// === impl StreamedAnswer ===

impl StreamedAnswer {
    /// The next bytes; nothing at the end.
    pub async fn chunk(&mut self) -> Option<hyper::Result<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// Reads to the end.
    pub async fn whole(mut self) -> Answer {
        let mut body = Vec::new();
        let mut complete = true;
        while let Some(chunk) = self.chunk().await {
            if let Ok(chunk) = chunk {
                body.extend_from_slice(&chunk);
            } else {
                complete = false;
                break;
            }
        }
        Answer { status: self.status, headers: self.headers, body: body.into(), complete }
    }
}

// === impl Answer ===

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; nothing where it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
