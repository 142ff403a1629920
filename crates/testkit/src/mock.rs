//! A provider on a port of its own that answers as told and remembers what it was asked.

use crate::behaviour::{BEHAVIOUR_HEADER, Behaviour, Fault};
use crate::timer::Timer;
use bytes::Bytes;
use demo::{PacedBody, Piece, Reply, error_reply, reply};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes of one piece of a huge body.
const HUGE_PIECE_BYTES: u64 = 64 * 1024;

pub(crate) type MockBody = Either<Full<Bytes>, PacedBody>;

/// A request as the provider saw it.
#[derive(Debug, Clone)]
pub struct Received {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, byte-exact.
    pub body: Bytes,
}

/// A running provider; it stops when dropped.
#[derive(Debug)]
pub struct MockProvider {
    address: SocketAddr,
    state: Arc<State>,
    received: watch::Receiver<usize>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    behaviour: Mutex<Behaviour>,
    /// For the next requests, one each.
    script: Mutex<VecDeque<Behaviour>>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
    keep: bool,
    timer: Timer,
}

/// A URL that nothing listens on: connections are refused.
pub async fn refused_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    format!("http://{}", listener.local_addr().expect("bound"))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Received ===

impl Received {
    /// A header's value; nothing where it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn new(head: &http::request::Parts, body: Bytes) -> Self {
        let headers = head.headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Self {
            method: head.method.to_string(),
            target: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            headers: headers.collect(),
            body,
        }
    }
}

// === impl MockProvider ===

impl MockProvider {
    /// Starts on a free port.
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::listen("127.0.0.1:0", behaviour, true).await
    }

    /// Starts on this address; `keep` remembers what is received (not for long load).
    pub async fn listen(address: &str, behaviour: Behaviour, keep: bool) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("bound");
        let (count, received) = watch::channel(0);
        let state = Arc::new(State {
            behaviour: Mutex::new(behaviour),
            script: Mutex::default(),
            received: Mutex::default(),
            count,
            keep,
            timer: Timer::start(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, received, _server: server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers like this from now on.
    pub fn set(&self, behaviour: Behaviour) {
        *lock(&self.state.behaviour) = behaviour;
    }

    /// Answers the next requests like these, one each, and then as before.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        lock(&self.state.script).extend(behaviours);
    }

    /// What it was asked so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.state.received).clone()
    }

    /// How many requests have arrived, answered or not.
    pub fn count(&self) -> usize {
        *self.received.borrow()
    }

    /// Waits until so many requests have arrived.
    ///
    /// # Panics
    /// Where they have not within 30 s.
    pub async fn wait_for(&self, requests: usize) {
        let mut count = self.received.clone();
        let arrived = count.wait_for(|count| *count >= requests);
        let waited = tokio::time::timeout(Duration::from_secs(30), arrived).await;
        assert!(
            matches!(waited, Ok(Ok(_))),
            "{requests} requests did not arrive: {}",
            self.count()
        );
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        stream.set_nodelay(true).expect("a TCP connection");
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new());
            // How a connection ends is the other side's matter, and often a test's point.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> io::Result<Response<MockBody>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let behaviour = match head.headers.get(BEHAVIOUR_HEADER) {
        Some(value) => Behaviour::parse(value.to_str().expect("ASCII")),
        None => lock(&state.script).pop_front().unwrap_or_else(|| lock(&state.behaviour).clone()),
    };
    let method = head.method.to_string();
    let path = head.uri.path().to_owned();
    if state.keep {
        lock(&state.received).push(Received::new(&head, body.clone()));
    }
    state.count.send_modify(|count| *count += 1);
    if !behaviour.head_delay.is_zero() {
        state.timer.sleep(behaviour.head_delay).await;
    }
    let mut response = respond(&behaviour, &method, &path, &body).await?;
    for (name, value) in &behaviour.headers {
        let name = HeaderName::try_from(name.as_str()).expect("a header's name");
        response
            .headers_mut()
            .append(name, HeaderValue::try_from(value).expect("a header's value"));
    }
    Ok(response)
}

async fn respond(
    behaviour: &Behaviour,
    method: &str,
    path: &str,
    body: &[u8],
) -> io::Result<Response<MockBody>> {
    let good = || reply(method, path, body);
    let pause = behaviour.event_delay;
    let timed = |pieces: Vec<Bytes>| -> Vec<Piece> {
        pieces.into_iter().map(|piece| Piece::Bytes(pause, piece)).collect()
    };
    Ok(match &behaviour.fault {
        Fault::None => whole(&good(), pause),
        Fault::Status(status) => {
            whole(&error_reply(path, *status, "The mock provider was told to fail."), pause)
        }
        Fault::Raw(status, content_type, body) => {
            let mut response = Response::new(Either::Left(Full::new(body.clone())));
            set_head(&mut response, *status, content_type);
            response
        }
        Fault::MalformedJson => {
            let mut reply = good();
            let body = reply.pieces.concat();
            reply.pieces = vec![Bytes::copy_from_slice(&body[..body.len() / 2])];
            reply.streamed = false;
            whole(&reply, pause)
        }
        Fault::MalformedEvents => {
            let mut reply = good();
            reply.pieces.insert(
                1.min(reply.pieces.len()),
                Bytes::from_static(b"data: {\"choices\": [{\n\n"),
            );
            reply.pieces.insert(1, Bytes::from_static(b"event\x00: \xff\xfe\n\n"));
            whole(&reply, pause)
        }
        Fault::CutAfter(pieces) => {
            let reply = good();
            let mut sent = timed(parts_of(&reply).into_iter().take(*pieces).collect());
            sent.push(Piece::Break(pause));
            with_body(&reply, PacedBody::new(sent, None))
        }
        Fault::ShortBody => {
            let reply = good();
            let body = Bytes::from(reply.pieces.concat());
            let half = body.slice(..body.len() / 2);
            let pieces = vec![Piece::Bytes(pause, half), Piece::Break(pause)];
            with_body(&reply, PacedBody::new(pieces, Some(body.len() as u64)))
        }
        Fault::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
        Fault::Silence => std::future::pending().await,
        Fault::HangAfter(pieces) => {
            let reply = good();
            let mut sent = timed(parts_of(&reply).into_iter().take(*pieces).collect());
            sent.push(Piece::Hang);
            with_body(&reply, PacedBody::new(sent, None))
        }
        Fault::Bytes(bytes) => huge(&good(), *bytes),
    })
}

/// A reply's pieces; a whole body is cut in four.
fn parts_of(reply: &Reply) -> Vec<Bytes> {
    if reply.streamed {
        return reply.pieces.clone();
    }
    let body = Bytes::from(reply.pieces.concat());
    let step = body.len().div_ceil(4).max(1);
    (0..body.len()).step_by(step).map(|at| body.slice(at..(at + step).min(body.len()))).collect()
}

fn huge(reply: &Reply, bytes: u64) -> Response<MockBody> {
    let filler = Bytes::from(vec![b' '; HUGE_PIECE_BYTES as usize]);
    let rest = filler.slice(..(bytes % HUGE_PIECE_BYTES) as usize);
    let pieces =
        vec![Piece::Repeat(filler, bytes / HUGE_PIECE_BYTES), Piece::Bytes(Duration::ZERO, rest)];
    with_body(reply, PacedBody::new(pieces, Some(bytes)))
}

fn whole(reply: &Reply, pause: Duration) -> Response<MockBody> {
    if reply.streamed {
        let pieces = reply.pieces.iter().map(|piece| Piece::Bytes(pause, piece.clone())).collect();
        return with_body(reply, PacedBody::new(pieces, None));
    }
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(reply.pieces.concat()))));
    set_head(&mut response, reply.status, reply.content_type);
    response.headers_mut().insert(reply.id_header, HeaderValue::from_static("req_mock"));
    response
}

fn with_body(reply: &Reply, body: PacedBody) -> Response<MockBody> {
    let mut response = Response::new(Either::Right(body));
    set_head(&mut response, reply.status, reply.content_type);
    response.headers_mut().insert(reply.id_header, HeaderValue::from_static("req_mock"));
    response
}

pub(crate) fn set_head(response: &mut Response<MockBody>, status: u16, content_type: &str) {
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let content_type = HeaderValue::from_str(content_type).expect("a content type");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
}
