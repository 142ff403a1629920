//! The logs, one of each epoch, as C2SP's tlog-tiles serves them; the one that is being written
//! under short names, too.

use crate::ledger_files::Log;
use crate::problem::Problem;
use crate::state::{Shared, blocking};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use std::io;
use std::sync::Arc;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// What a tile holds never changes.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NEVER: HeaderValue = HeaderValue::from_static("no-cache");

/// The newest signed checkpoint.
#[utoipa::path(
    get, path = "/ledger/checkpoint", tag = "ledger",
    responses((status = 200, description = "A signed note.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn checkpoint(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    with_log(shared, None, |log, _| text(log.files.checkpoint())).await
}

/// The log's public key, as a vkey line. Keep a copy of it elsewhere.
#[utoipa::path(
    get, path = "/ledger/vkey", tag = "ledger",
    responses((status = 200, description = "A vkey.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn vkey(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    with_log(shared, None, |log, _| text(log.files.vkey())).await
}

/// A tile of hashes (`<L>/<N>[.p/<W>]`) or a bundle of leaves (`entries/<N>[.p/<W>]`).
#[utoipa::path(
    get, path = "/ledger/tile/{path}", tag = "ledger",
    params(("path" = String, Path, description = "As tlog-tiles says.", example = "0/000")),
    responses((
        status = 200, description = "The bytes.", body = String,
        content_type = "application/octet-stream"
    ))
)]
pub(crate) async fn tile(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    with_log(shared, None, move |log, shared| resource(log, shared, &path)).await
}

/// The last signed checkpoint of an epoch. Epochs before the one that is written stay as they are.
#[utoipa::path(
    get, path = "/ledger/{epoch}/checkpoint", tag = "ledger",
    params(("epoch" = u32, Path, description = "Number of the epoch, from 1.")),
    responses((status = 200, description = "A signed note.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn epoch_checkpoint(
    State(shared): State<Arc<Shared>>,
    Path(epoch): Path<String>,
) -> Result<Response, Problem> {
    with_log(shared, Some(epoch), |log, _| text(log.files.checkpoint())).await
}

/// The public key of an epoch's log, as a vkey line.
#[utoipa::path(
    get, path = "/ledger/{epoch}/vkey", tag = "ledger",
    params(("epoch" = u32, Path, description = "Number of the epoch, from 1.")),
    responses((status = 200, description = "A vkey.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn epoch_vkey(
    State(shared): State<Arc<Shared>>,
    Path(epoch): Path<String>,
) -> Result<Response, Problem> {
    with_log(shared, Some(epoch), |log, _| text(log.files.vkey())).await
}

/// A tile or a bundle of leaves of an epoch's log.
#[utoipa::path(
    get, path = "/ledger/{epoch}/tile/{path}", tag = "ledger",
    params(
        ("epoch" = u32, Path, description = "Number of the epoch, from 1."),
        ("path" = String, Path, description = "As tlog-tiles says.", example = "0/000")
    ),
    responses((
        status = 200, description = "The bytes.", body = String,
        content_type = "application/octet-stream"
    ))
)]
pub(crate) async fn epoch_tile(
    State(shared): State<Arc<Shared>>,
    Path((epoch, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    with_log(shared, Some(epoch), move |log, shared| resource(log, shared, &path)).await
}

/// Answers from the log of an epoch, or from the one that is being written.
async fn with_log(
    shared: Arc<Shared>,
    epoch: Option<String>,
    answer: impl FnOnce(&Log, &Shared) -> Result<Response, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    blocking(move || {
        let log = match epoch {
            Some(epoch) => Log::named(&shared, &epoch)?,
            None => Log::current(&shared),
        };
        answer(&log, &shared)
    })
    .await?
}

fn text(file: io::Result<Option<String>>) -> Result<Response, Problem> {
    let text = file.map_err(|error| Problem::internal(&error))?.ok_or_else(Problem::not_sealed)?;
    Ok(answer(text.into_bytes(), TEXT, NEVER))
}

fn resource(log: &Log, shared: &Shared, path: &str) -> Result<Response, Problem> {
    Ok(answer(log.resource(shared, &format!("tile/{path}"))?, BYTES, FOREVER))
}

fn answer(bytes: Vec<u8>, media_type: HeaderValue, cache: HeaderValue) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, cache);
    response
}
