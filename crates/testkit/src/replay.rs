//! A provider that answers with recorded exchanges, byte for byte.

use crate::mock::{MockBody, lock, set_head};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Header by which a request names its exchange; without, exchanges are answered in order.
pub(crate) const EXCHANGE_HEADER: &str = "x-mock-exchange";

/// One recorded call of a real provider.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    /// Where it comes from; unique.
    pub name: String,
    /// Wire format.
    pub family: String,
    /// The provider's host.
    pub host: String,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers that matter to the format.
    #[serde(default)]
    pub request_headers: HashMap<String, Value>,
    /// The request's body.
    #[serde(default)]
    pub request_body: Value,
    /// Status of the answer.
    pub status: u16,
    /// Content type of the answer.
    #[serde(default)]
    pub response_content_type: Option<String>,
    /// Body of the answer.
    #[serde(default)]
    pub response_body: Option<String>,
}

/// Reads every `*.jsonl.gz` of a directory, in order of names.
pub fn read_exchanges(directory: &Path) -> io::Result<Vec<Exchange>> {
    let mut files: Vec<_> = std::fs::read_dir(directory)?
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .map(|entry| entry.path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    let mut exchanges = Vec::new();
    for file in files {
        let mut text = String::new();
        GzDecoder::new(File::open(&file)?).read_to_string(&mut text)?;
        for line in text.lines().filter(|line| !line.is_empty()) {
            exchanges.push(serde_json::from_str(line)?);
        }
    }
    Ok(exchanges)
}

/// A running replay; it stops when dropped.
#[derive(Debug)]
pub struct ReplayServer {
    address: SocketAddr,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Recorded {
    by_name: HashMap<String, Exchange>,
    in_order: Mutex<VecDeque<String>>,
}

// === impl Exchange ===

impl Exchange {
    /// The request's body as it is sent; empty where there is none.
    pub fn request_bytes(&self) -> Bytes {
        match &self.request_body {
            Value::Null => Bytes::new(),
            Value::String(text) => Bytes::from(text.clone()),
            json => Bytes::from(json.to_string()),
        }
    }

    /// The answer's body.
    pub fn response_bytes(&self) -> Bytes {
        Bytes::from(self.response_body.clone().unwrap_or_default())
    }
}

// === impl ReplayServer ===

impl ReplayServer {
    /// Starts on a free port.
    pub async fn start(exchanges: Vec<Exchange>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let in_order = exchanges.iter().map(|exchange| exchange.name.clone()).collect();
        let by_name =
            exchanges.into_iter().map(|exchange| (exchange.name.clone(), exchange)).collect();
        let recorded = Arc::new(Recorded { by_name, in_order: Mutex::new(in_order) });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, recorded));
        Self { address, _server: server }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Name and value of the header that chooses an exchange. Names hold what a header may.
    pub fn choose(exchange: &Exchange) -> (&'static str, &str) {
        (EXCHANGE_HEADER, &exchange.name)
    }
}

async fn serve(listener: TcpListener, recorded: Arc<Recorded>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        stream.set_nodelay(true).expect("a TCP connection");
        let recorded = Arc::clone(&recorded);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&recorded), request));
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    recorded: Arc<Recorded>,
    request: Request<Incoming>,
) -> hyper::Result<Response<MockBody>> {
    let name = request
        .headers()
        .get(EXCHANGE_HEADER)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
        .or_else(|| lock(&recorded.in_order).pop_front());
    request.into_body().collect().await?;
    let exchange = name.and_then(|name| recorded.by_name.get(&name));
    let body =
        exchange.map_or_else(|| Bytes::from_static(b"no such exchange"), Exchange::response_bytes);
    let mut response = Response::new(Either::Left(Full::new(body)));
    let content_type = exchange.and_then(|exchange| exchange.response_content_type.as_deref());
    set_head(
        &mut response,
        exchange.map_or(599, |exchange| exchange.status),
        content_type.unwrap_or("text/plain"),
    );
    Ok(response)
}
