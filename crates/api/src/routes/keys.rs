//! API keys, for the operator.

use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Body;
use crate::problem::Problem;
use crate::schemas::{KeyItem, KeyList, KeyRotation, KeyWish, NewApiKey};
use crate::state::{Shared, blocking};
use axum::Json;
use axum::extract::{Path, State};
use control::{ApiKey, Control, CreatedKey, NewKey, Scope};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// How long an old key may hold beside its successor.
const OVERLAP_S_MAX: u64 = 90 * 24 * 3_600;

/// Lists keys.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "keys",
    responses((status = 200, description = "All keys, ended ones too.", body = KeyList))
)]
pub(crate) async fn keys(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<KeyList>, Problem> {
    let items = change(&shared, Control::list_keys).await?;
    shared.record(&caller, Note::done("keys_list").records(items.len())).await?;
    Ok(Json(KeyList { items }))
}

/// Makes a key and shows it this once.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "keys", request_body = KeyWish,
    responses((status = 201, description = "The key.", body = NewApiKey))
)]
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Body(wish): Body<KeyWish>,
) -> Result<(StatusCode, Json<NewApiKey>), Problem> {
    let mut scopes = Vec::with_capacity(wish.scopes.len());
    for name in &wish.scopes {
        scopes.push(name.parse()?);
    }
    if scopes.is_empty() {
        scopes.push(Scope::Gateway);
    }
    let expires_at = wish.expires_at.map(|text| text.parse()).transpose();
    let expires_at =
        expires_at.map_err(|error| Problem::invalid(format!("expires_at: {error}")))?;
    let new = NewKey { source: wish.source, scopes, expires_at, limits: wish.limits };
    let created = change(&shared, move |control| control.create_key(new)).await?;
    show_once(&shared, &caller, "keys_create", created).await
}

/// Makes a successor of a key, which then ends.
#[utoipa::path(
    post, path = "/api/v1/keys/{id}/rotate", tag = "keys", request_body = KeyRotation,
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 201, description = "The new key.", body = NewApiKey))
)]
pub(crate) async fn rotate(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(KeyRotation { overlap_s }): Body<KeyRotation>,
) -> Result<(StatusCode, Json<NewApiKey>), Problem> {
    if overlap_s > OVERLAP_S_MAX {
        return Err(Problem::invalid(format!("overlap_s: at most {OVERLAP_S_MAX}")));
    }
    let overlap = Duration::from_secs(overlap_s);
    let created = change(&shared, move |control| control.rotate_key(&id, overlap)).await?;
    show_once(&shared, &caller, "keys_rotate", created).await
}

/// Revokes a key, at once and for good.
#[utoipa::path(
    post, path = "/api/v1/keys/{id}/revoke", tag = "keys",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, description = "The key.", body = KeyItem))
)]
pub(crate) async fn revoke(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ApiKey>, Problem> {
    let target = id.clone();
    let revoked = change(&shared, move |control| control.revoke_key(&id)).await?;
    shared.record(&caller, Note::done("keys_revoke").target(target)).await?;
    Ok(Json(revoked))
}

async fn change<T: Send + 'static>(
    shared: &Shared,
    change: impl FnOnce(&Control) -> control::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let control = shared.parts.control.clone();
    Ok(blocking(move || change(&control)).await??)
}

/// Records the new key before it is shown; one that cannot be recorded is revoked again.
async fn show_once(
    shared: &Shared,
    caller: &Caller,
    action: &'static str,
    created: CreatedKey,
) -> Result<(StatusCode, Json<NewApiKey>), Problem> {
    let id = created.key.id.clone();
    if let Err(problem) = shared.record(caller, Note::done(action).target(&id)).await {
        change(shared, move |control| control.revoke_key(&id)).await?;
        return Err(problem);
    }
    let shown = NewApiKey { key: created.secret.to_string(), stored: created.key };
    Ok((StatusCode::CREATED, Json(shown)))
}
