//! Free queries.

use super::auth::with_control;
use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Body;
use crate::problem::Problem;
use crate::roles::Action;
use crate::schemas::{SqlAnswer, SqlQuery};
use crate::state::Shared;
use axum::Json;
use axum::extract::State;
use control::Control;
use index::{Relation, SqlLimits, SqlResult};
use serde_json::{Value, json};
use std::sync::Arc;

const USERS: &str = "users";
const COLUMNS: &[&str] = &[
    "id",
    "username",
    "role",
    "user_id",
    "must_change_password",
    "disabled_at",
    "created_at",
    "last_login_at",
];

/// One read-only `SELECT` over `audit_events`, `audit_logs` and the views `sessions`,
/// `decision_outcomes`, `compliance_reports`, `model_metadata` and, for administrators, `users`,
/// bounded in rows and time.
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
    let people = caller.may(Action::UsersList) && query.to_lowercase().contains(USERS);
    match run(&shared, asked, people).await {
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

async fn run(shared: &Arc<Shared>, query: String, people: bool) -> Result<SqlResult, Problem> {
    let beside = if people { vec![self::people(shared).await?] } else { Vec::new() };
    shared.query(move |index| index.sql(&query, &beside, &SqlLimits::default())).await
}

/// Who may sign in, without secrets.
async fn people(shared: &Arc<Shared>) -> Result<Relation, Problem> {
    let users = with_control(shared, Control::users).await??;
    let row = |user: &control::User| -> Vec<Value> {
        vec![
            json!(user.id),
            json!(user.username),
            json!(user.role.as_str()),
            json!(user.identity()),
            json!(user.must_change_password),
            json!(user.disabled_at),
            json!(user.created_at),
            json!(user.last_login_at),
        ]
    };
    Ok(Relation { name: USERS, columns: COLUMNS, rows: users.iter().map(row).collect() })
}
