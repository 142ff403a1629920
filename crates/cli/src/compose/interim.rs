//! Stands in for the `api` crate until it is there: health, figures, keys.

#![allow(missing_docs, dead_code, clippy::pedantic, reason = "goes when the api crate is there")]

use bytes::Bytes;
use control::{Control, CreatedKey, NewKey, Scope};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use index::IndexReader;
use journal::Position;
use recorder::{Recorder, Running};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

pub struct Settings {
    pub ledger_public: bool,
}
pub struct Parts {
    pub data: PathBuf,
    pub recorder: Recorder,
    pub index: Arc<dyn IndexReader>,
    pub control: Arc<Control>,
    pub indexed: watch::Receiver<Option<Position>>,
    pub sealed: watch::Receiver<u64>,
    pub figures: Arc<dyn Fn() -> String + Send + Sync>,
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

#[derive(Clone)]
pub struct Api {
    parts: Arc<Parts>,
}

impl Parts {
    pub fn new(
        data: PathBuf,
        running: &Running,
        index: Arc<dyn IndexReader>,
        control: Arc<Control>,
    ) -> Self {
        Self {
            data,
            recorder: running.recorder.clone(),
            index,
            control,
            indexed: running.indexed.clone(),
            sealed: running.sealed.clone(),
            figures: Arc::new(String::new),
            ready: Arc::new(|| Ok(())),
        }
    }
}

impl Api {
    pub fn new(parts: Parts, _settings: Settings) -> Self {
        Self { parts: Arc::new(parts) }
    }
    pub async fn serve(
        self,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted?.0,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            tokio::spawn(connection(self.parts.clone(), TokioIo::new(stream), false));
        }
    }
    pub async fn serve_socket(
        self,
        listener: UnixListener,
        mut stop: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted?.0,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            tokio::spawn(connection(self.parts.clone(), TokioIo::new(stream), true));
        }
    }
}

async fn connection<T: hyper::rt::Read + hyper::rt::Write + Unpin>(
    parts: Arc<Parts>,
    io: T,
    operator: bool,
) {
    let service = service_fn(move |request| answer(parts.clone(), request, operator));
    let _done = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

async fn answer(
    parts: Arc<Parts>,
    request: Request<Incoming>,
    operator: bool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let text = match (head.method, path.as_slice()) {
        (_, ["healthz"]) => Ok(json!({"status": "ok"}).to_string()),
        (_, ["readyz"]) => (parts.ready)().map(|()| json!({"status": "ready"}).to_string()),
        (_, ["metrics"]) => Ok((parts.figures)()),
        (Method::POST, ["api", "v1", "keys"]) if operator => {
            let scopes = body["scopes"].as_array().into_iter().flatten();
            let scopes = scopes.filter_map(|s| s.as_str()?.parse::<Scope>().ok()).collect();
            let new = NewKey {
                source: body["source"].as_str().map(str::to_owned),
                scopes,
                expires_at: None,
            };
            parts.control.create_key(new).map(created).map_err(|e| e.to_string())
        }
        (Method::GET, ["api", "v1", "keys"]) if operator => parts
            .control
            .list_keys()
            .map(|keys| json!({"items": keys}).to_string())
            .map_err(|e| e.to_string()),
        (Method::POST, ["api", "v1", "keys", id, "rotate"]) if operator => {
            let overlap = Duration::from_secs(body["overlap_s"].as_u64().unwrap_or(0));
            parts.control.rotate_key(id, overlap).map(created).map_err(|e| e.to_string())
        }
        (Method::DELETE, ["api", "v1", "keys", id]) if operator => parts
            .control
            .revoke_key(id)
            .map(|key| json!(key).to_string())
            .map_err(|e| e.to_string()),
        _ => Err("not there yet".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::new()));
    match text {
        Ok(text) => *response.body_mut() = Full::new(Bytes::from(text)),
        Err(text) => {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            *response.body_mut() = Full::new(Bytes::from(json!({"detail": text}).to_string()));
        }
    }
    Ok(response)
}

fn created(created: CreatedKey) -> String {
    let mut value = json!(created.key);
    value["key"] = json!(created.secret.as_str());
    value.to_string()
}
