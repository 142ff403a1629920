//! Sums and series.

use crate::audit::Note;
use crate::caller::{Caller, Who};
use crate::extract::Params;
use crate::params::MetricsParams;
use crate::problem::Problem;
use crate::roles::Grant;
use crate::schemas::{KeyUse, MetricsShown};
use crate::state::{Shared, blocking};
use axum::Json;
use axum::extract::State;
use event::Timestamp;
use std::sync::Arc;

/// Requests, errors, tokens, cost and latency: totals, by group, by time.
#[utoipa::path(
    get, path = "/api/v1/metrics", tag = "metrics", params(MetricsParams),
    responses((status = 200, description = "The sums.", body = MetricsShown))
)]
pub(crate) async fn metrics(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params { params, text }: Params<MetricsParams>,
) -> Result<Json<MetricsShown>, Problem> {
    let query = params.query(&caller.sight())?;
    let found = shared.query(move |index| index.metrics(&query)).await?;
    let keys = key_use(&shared, &caller).await?;
    shared.record(&caller, Note::done("metrics").filter(text.as_deref())).await?;
    Ok(Json(MetricsShown { metrics: found, keys }))
}

/// What keys have used of the day: for people who see everything.
async fn key_use(shared: &Shared, caller: &Caller) -> Result<Vec<KeyUse>, Problem> {
    if caller.grant != Grant::All || matches!(caller.who, Who::Key(_)) {
        return Ok(Vec::new());
    }
    let control = shared.parts.control.clone();
    let used = blocking(move || control.key_use(Timestamp::now())).await??;
    let shown = used.into_iter().map(|(key, used)| KeyUse {
        id: key.id,
        source: key.source,
        requests: used.requests,
        tokens: used.tokens,
        cost_usd: used.cost.to_string(),
        limits: key.limits,
    });
    Ok(shown.collect())
}
