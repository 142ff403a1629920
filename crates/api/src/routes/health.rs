//! Liveness, readiness, figures.

use crate::figures;
use crate::schemas::Health;
use crate::state::Shared;
use axum::Json;
use axum::extract::State;
use http::{HeaderName, StatusCode, header};
use std::sync::Arc;

/// Whether the process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It does.", body = Health))
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", reason: None })
}

/// Whether calls can be taken and recorded.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "They can.", body = Health),
        (status = 503, description = "They cannot.", body = Health)
    )
)]
pub(crate) async fn readyz(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Health>) {
    match (shared.parts.ready)() {
        Ok(()) => (StatusCode::OK, Json(Health { status: "ready", reason: None })),
        Err(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Health { status: "not_ready", reason: Some(reason) }),
        ),
    }
}

/// Figures for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Figures.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn figures(
    State(shared): State<Arc<Shared>>,
) -> ([(HeaderName, &'static str); 1], String) {
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], figures::render(&shared))
}
