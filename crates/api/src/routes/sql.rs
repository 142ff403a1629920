//! Free queries.

use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Body;
use crate::problem::Problem;
use crate::schemas::{SqlAnswer, SqlQuery};
use crate::state::Shared;
use axum::Json;
use axum::extract::State;
use index::{SqlLimits, SqlResult};
use std::sync::Arc;

/// One read-only `SELECT` over `audit_events`, `audit_logs` and the views, bounded in rows and
/// time.
#[utoipa::path(
    post, path = "/api/v1/sql", tag = "sql", request_body = SqlQuery,
    responses((status = 200, description = "The rows.", body = SqlAnswer))
)]
pub(crate) async fn sql(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Body(SqlQuery { query }): Body<SqlQuery>,
) -> Result<Json<SqlResult>, Problem> {
    let asked = query.clone();
    match shared.query(move |index| index.sql(&asked, &SqlLimits::default())).await {
        Ok(found) => {
            let note = Note::done("sql").filter(Some(&query)).records(found.rows.len());
            shared.record(&caller, note).await?;
            Ok(Json(found))
        }
        Err(problem) => {
            let note = Note::failed("sql").filter(Some(&query));
            Err(shared.failed(&caller, note, problem).await)
        }
    }
}
