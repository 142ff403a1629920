//! The log that is being written, as C2SP's tlog-tiles serves it.

use crate::ledger_files;
use crate::problem::Problem;
use crate::state::{Shared, blocking};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
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
    let files = shared.ledger();
    let text = blocking(move || files.checkpoint()).await?;
    let text = text.map_err(|error| Problem::internal(&error))?.ok_or_else(Problem::not_sealed)?;
    Ok(answer(text.into_bytes(), TEXT, NEVER))
}

/// The log's public key, as a vkey line. Keep a copy of it elsewhere.
#[utoipa::path(
    get, path = "/ledger/vkey", tag = "ledger",
    responses((status = 200, description = "A vkey.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn vkey(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let files = shared.ledger();
    let text = blocking(move || files.vkey()).await?;
    let text = text.map_err(|error| Problem::internal(&error))?.ok_or_else(Problem::not_sealed)?;
    Ok(answer(text.into_bytes(), TEXT, NEVER))
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
    let bytes =
        blocking(move || ledger_files::resource(&shared, &format!("tile/{path}"))).await??;
    Ok(answer(bytes, BYTES, FOREVER))
}

fn answer(bytes: Vec<u8>, media_type: HeaderValue, cache: HeaderValue) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, cache);
    response
}
