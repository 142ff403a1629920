//! People who may sign in, for administrators.

use super::auth::{turn, with_control};
use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Body;
use crate::problem::Problem;
use crate::schemas::{
    NewPerson, PasswordReset, PersonChange, PersonItem, PersonList, ShownPassword, SignInSession,
    SignInSessionList, SignedOut, SigningKeyItem, SigningKeyRotation,
};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use control::{Control, NewUser, Role, UserChange, Which};
use http::StatusCode;
use std::sync::Arc;

/// Lists everybody who may sign in.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users",
    responses((status = 200, description = "Everybody, the disabled too.", body = PersonList))
)]
pub(crate) async fn users(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<PersonList>, Problem> {
    let users = with_control(&shared, Control::users).await??;
    shared.record(&caller, Note::done("users_list").records(users.len())).await?;
    Ok(Json(PersonList { items: users.iter().map(PersonItem::of).collect() }))
}

/// Makes somebody who may sign in. The password has to be changed at the first sign-in.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", request_body = NewPerson,
    responses((status = 201, description = "The person.", body = ShownPassword))
)]
pub(crate) async fn create_user(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Body(wish): Body<NewPerson>,
) -> Result<(StatusCode, Json<ShownPassword>), Problem> {
    let role: Role = wish.role.parse()?;
    let made_up = made_up(wish.password.as_deref())?;
    let about = format!("{} as {role}", wish.username);
    let _turn = turn(&shared).await?;
    let password = made_up.clone();
    let user = shared
        .carry_out(&caller, "users_create", |note| note.target(&about), async {
            let made = with_control(&shared, move |control| {
                control.create_user(&NewUser {
                    username: &wish.username,
                    password: password.or(wish.password).as_deref().unwrap_or_default(),
                    role,
                    user_id: wish.user_id.as_deref(),
                    must_change_password: true,
                })
            });
            Ok(made.await??)
        })
        .await?;
    let shown = ShownPassword { user: PersonItem::of(&user), password: made_up };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Changes somebody's role or identity, or disables the account. All their sessions end.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "users", request_body = PersonChange,
    params(("id" = String, Path, description = "The person's id or username.")),
    responses((status = 200, description = "The person.", body = PersonItem))
)]
pub(crate) async fn change_user(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(wish): Body<PersonChange>,
) -> Result<Json<PersonItem>, Problem> {
    let role = wish.role.map(|name| name.parse::<Role>()).transpose()?;
    let change = UserChange { role, user_id: wish.user_id, disabled: wish.disabled };
    let (target, what) = (id.clone(), described(&change));
    let user = shared
        .carry_out(
            &caller,
            "users_change",
            |note| note.target(&target).filter(Some(&what)),
            async {
                Ok(with_control(&shared, move |control| control.change_user(&id, change)).await??)
            },
        )
        .await?;
    Ok(Json(PersonItem::of(&user)))
}

/// Gives somebody a new password, to be changed at the next sign-in. All their sessions end.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/password", tag = "users", request_body = PasswordReset,
    params(("id" = String, Path, description = "The person's id or username.")),
    responses((status = 200, description = "The person.", body = ShownPassword))
)]
pub(crate) async fn reset_password(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(wish): Body<PasswordReset>,
) -> Result<Json<ShownPassword>, Problem> {
    let made_up = made_up(wish.password.as_deref())?;
    let password = made_up.clone().or(wish.password).unwrap_or_default();
    let target = id.clone();
    let _turn = turn(&shared).await?;
    let user = shared
        .carry_out(&caller, "users_password", |note| note.target(&target), async {
            let reset =
                with_control(&shared, move |control| control.reset_password(&id, &password));
            Ok(reset.await??)
        })
        .await?;
    Ok(Json(ShownPassword { user: PersonItem::of(&user), password: made_up }))
}

/// Somebody's sessions.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/sessions", tag = "users",
    params(("id" = String, Path, description = "The person's id or username.")),
    responses((status = 200, description = "Those that have not ended.", body = SignInSessionList))
)]
pub(crate) async fn user_sessions(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SignInSessionList>, Problem> {
    let target = id.clone();
    let found = with_control(&shared, move |control| control.sessions(&control.user(&id)?.id));
    let found = found.await??;
    let note = Note::done("user_sessions").target(target).records(found.len());
    shared.record(&caller, note).await?;
    let items = found.into_iter().map(|session| SignInSession::of(session, None)).collect();
    Ok(Json(SignInSessionList { items }))
}

/// Signs somebody out everywhere, at once.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/sessions", tag = "users",
    params(("id" = String, Path, description = "The person's id or username.")),
    responses((status = 200, description = "Signed out.", body = SignedOut))
)]
pub(crate) async fn sign_user_out(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SignedOut>, Problem> {
    let target = id.clone();
    let ended = with_control(&shared, move |control| {
        control.end_sessions(&Which::All { user_id: &control.user(&id)?.id })
    });
    let ended = ended.await??;
    let note = Note::done("user_logout").target(target).records(ended);
    shared.record(&caller, note).await?;
    Ok(Json(SignedOut { ended: ended as u64 }))
}

/// Makes a new key sign access tokens. It also changes by itself, every 30 days.
#[utoipa::path(
    post, path = "/api/v1/auth/signing-key", tag = "auth", request_body = SigningKeyRotation,
    responses((status = 200, description = "The new key.", body = SigningKeyItem))
)]
pub(crate) async fn rotate_signing_key(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Body(SigningKeyRotation { end_earlier }): Body<SigningKeyRotation>,
) -> Result<Json<SigningKeyItem>, Problem> {
    let what = format!("end_earlier={end_earlier}");
    let id = shared
        .carry_out(&caller, "signing_key", |note| note.filter(Some(&what)), async {
            let rotated =
                with_control(&shared, move |control| control.rotate_signing_key(end_earlier));
            Ok(rotated.await??)
        })
        .await?;
    Ok(Json(SigningKeyItem { id }))
}

/// A password, where none is given.
fn made_up(given: Option<&str>) -> Result<Option<String>, Problem> {
    match given {
        Some(_) => Ok(None),
        None => Ok(Some(control::new_password()?.to_string())),
    }
}

/// What changes, as accesses record it.
fn described(change: &UserChange) -> String {
    let role = change.role.map(|role| format!("role={role}"));
    let user_id = change.user_id.as_ref().map(|user_id| format!("user_id={user_id}"));
    let disabled = change.disabled.map(|disabled| format!("disabled={disabled}"));
    let parts: Vec<_> = [role, user_id, disabled].into_iter().flatten().collect();
    parts.join(" ")
}
