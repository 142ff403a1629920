//! Sums and series.

use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Params;
use crate::params::MetricsParams;
use crate::problem::Problem;
use crate::schemas::MetricsAnswer;
use crate::state::Shared;
use axum::Json;
use axum::extract::State;
use index::Metrics;
use std::sync::Arc;

/// Requests, errors, tokens, cost and latency: totals, by group, by time.
#[utoipa::path(
    get, path = "/api/v1/metrics", tag = "metrics", params(MetricsParams),
    responses((status = 200, description = "The sums.", body = MetricsAnswer))
)]
pub(crate) async fn metrics(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params { params, text }: Params<MetricsParams>,
) -> Result<Json<Metrics>, Problem> {
    let query = params.query(&caller.sight())?;
    let found = shared.query(move |index| index.metrics(&query)).await?;
    shared.record(&caller, Note::done("metrics").filter(text.as_deref())).await?;
    Ok(Json(found))
}
