//! Signing in and out, and one's own account.

use crate::audit::Note;
use crate::caller::Caller;
use crate::cookie;
use crate::extract::Body;
use crate::problem::Problem;
use crate::schemas::{
    Credentials, Me, NewPassword, PersonItem, SignInSession, SignInSessionList, SignedOut, Token,
};
use crate::serve::Peer;
use crate::state::{Shared, blocking};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use control::{Control, From, LoginError, RefreshError, SignedIn, Which};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// How long a sign-in waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// Signs a person in. The answer's cookie keeps the person signed in past the token's hour.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "auth", request_body = Credentials,
    responses((status = 200, description = "Signed in.", body = Token))
)]
pub(crate) async fn login(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Problem> {
    let address = peer.map(|Extension(peer)| peer).unwrap_or_default().to_string();
    let username = credentials.username.clone();
    let client = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let (client, from) = (client.map(str::to_owned), address.clone());
    let _turn = turn(&shared).await?;
    let signed_in = with_control(&shared, move |control| {
        let from = From { address: &from, client: client.as_deref() };
        control.login(&credentials.username, &credentials.password, from)
    });
    match signed_in.await? {
        Ok(signed) => stay(&shared, signed, "login", address).await,
        Err(error) => {
            // Held-up attempts are not recorded one by one: they would be a way to fill the disk.
            if matches!(error, LoginError::Refused) {
                let note = Note::denied("login");
                shared.record_as(username, "unknown", address, note).await?;
            }
            Err(error.into())
        }
    }
}

/// Gives the next access token to who is signed in, by the cookie of the last one. Each cookie is
/// good once; a second use ends the session, because somebody else has it.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "auth",
    responses((status = 200, description = "Still signed in.", body = Token))
)]
pub(crate) async fn refresh(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let address = peer.map(|Extension(peer)| peer).unwrap_or_default().to_string();
    let presented = cookie::presented(&headers)?.to_owned();
    match with_control(&shared, move |control| control.refresh(&presented)).await? {
        Ok(signed) => stay(&shared, signed, "refresh", address).await,
        Err(error) => {
            if let RefreshError::Reused { username, session_id } = &error {
                tracing::warn!(session_id, "a refresh token was used twice; its session was ended");
                let note = Note::denied("refresh").target(session_id);
                shared.record_as(username.clone(), "unknown", address, note).await?;
            }
            Ok(with_cookie(
                Problem::from(error).into_response(),
                cookie::forget(shared.settings.tls),
            ))
        }
    }
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/v1/auth/me", tag = "auth",
    responses((status = 200, description = "You.", body = Me))
)]
pub(crate) async fn me(caller: Caller) -> Result<Json<Me>, Problem> {
    let signed = caller.signed()?;
    let session_id = signed.session_id.clone();
    Ok(Json(Me { user: PersonItem::of(&signed.user), session_id }))
}

/// Changes one's own password. All other sessions end.
#[utoipa::path(
    post, path = "/api/v1/auth/password", tag = "auth", request_body = NewPassword,
    responses((status = 200, description = "Changed.", body = PersonItem))
)]
pub(crate) async fn password(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Body(wish): Body<NewPassword>,
) -> Result<Json<PersonItem>, Problem> {
    let signed = caller.signed()?.clone();
    let _turn = turn(&shared).await?;
    let address = caller.peer.to_string();
    let user = shared
        .carry_out(&caller, "password_change", |note| note, async {
            let changed = with_control(&shared, move |control| {
                control.change_password(&signed, &address, &wish.current, &wish.new)
            });
            Ok(changed.await??)
        })
        .await?;
    Ok(Json(PersonItem::of(&user)))
}

/// Signs out: the session ends at once.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "auth",
    responses((status = 200, description = "Signed out.", body = SignedOut))
)]
pub(crate) async fn logout(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Response, Problem> {
    let signed = caller.signed()?.clone();
    let session_id = signed.session_id.clone();
    let which = move |control: &Control| {
        let which = Which::One { user_id: &signed.user.id, session_id: &signed.session_id };
        control.end_sessions(&which)
    };
    let ended = with_control(&shared, which).await?? as u64;
    shared.record(&caller, Note::done("logout").target(session_id)).await?;
    let answer = Json(SignedOut { ended }).into_response();
    Ok(with_cookie(answer, cookie::forget(shared.settings.tls)))
}

/// Signs out everywhere: all of one's sessions end at once.
#[utoipa::path(
    post, path = "/api/v1/auth/logout-all", tag = "auth",
    responses((status = 200, description = "Signed out.", body = SignedOut))
)]
pub(crate) async fn logout_all(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Response, Problem> {
    let user_id = caller.signed()?.user.id.clone();
    let which = move |control: &Control| control.end_sessions(&Which::All { user_id: &user_id });
    let ended = with_control(&shared, which).await??;
    shared.record(&caller, Note::done("logout_all").records(ended)).await?;
    let answer = Json(SignedOut { ended: ended as u64 }).into_response();
    Ok(with_cookie(answer, cookie::forget(shared.settings.tls)))
}

/// One's own sessions.
#[utoipa::path(
    get, path = "/api/v1/auth/sessions", tag = "auth",
    responses((status = 200, description = "Those that have not ended.", body = SignInSessionList))
)]
pub(crate) async fn own_sessions(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<SignInSessionList>, Problem> {
    let signed = caller.signed()?;
    let user_id = signed.user.id.clone();
    let found = with_control(&shared, move |control| control.sessions(&user_id)).await??;
    shared.record(&caller, Note::done("own_sessions").records(found.len())).await?;
    let current = Some(signed.session_id.as_str());
    let items = found.into_iter().map(|one| SignInSession::of(one, current)).collect();
    Ok(Json(SignInSessionList { items }))
}

/// Ends one of one's own sessions at once.
#[utoipa::path(
    delete, path = "/api/v1/auth/sessions/{id}", tag = "auth",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "Ended.", body = SignedOut))
)]
pub(crate) async fn end_own_session(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SignedOut>, Problem> {
    let (user_id, session_id) = (caller.signed()?.user.id.clone(), id.clone());
    let which = move |control: &Control| {
        control.end_sessions(&Which::One { user_id: &user_id, session_id: &session_id })
    };
    match with_control(&shared, which).await? {
        Ok(ended) => {
            shared.record(&caller, Note::done("own_session_end").target(id)).await?;
            Ok(Json(SignedOut { ended: ended as u64 }))
        }
        Err(error) => {
            let note = Note::failed("own_session_end").target(id);
            Err(shared.failed(&caller, note, error.into()).await)
        }
    }
}

/// Asks the control store, on a blocking thread.
pub(super) async fn with_control<T: Send + 'static>(
    shared: &Shared,
    ask: impl FnOnce(&Control) -> T + Send + 'static,
) -> Result<T, Problem> {
    let control = shared.parts.control.clone();
    blocking(move || ask(&control)).await
}

/// Waits until a password may be computed: that takes time and memory.
pub(super) async fn turn(shared: &Shared) -> Result<SemaphorePermit<'_>, Problem> {
    let turn = tokio::time::timeout(TURN_WAIT, shared.logins.acquire()).await;
    turn.map_err(|_| Problem::busy())?.map_err(|_| Problem::busy())
}

/// Records a sign-in and gives its tokens; one that cannot be recorded does not stand.
async fn stay(
    shared: &Shared,
    signed: SignedIn,
    action: &'static str,
    address: String,
) -> Result<Response, Problem> {
    let (name, role) = (signed.user.username.clone(), signed.user.role.as_str());
    let note = Note::done(action).target(&signed.session_id);
    if let Err(problem) = shared.record_as(name, role, address, note).await {
        let ended = with_control(shared, move |control| {
            let which = Which::One { user_id: &signed.user.id, session_id: &signed.session_id };
            control.end_sessions(&which)
        });
        ended.await??;
        return Err(problem);
    }
    let token = Token {
        access_token: signed.access.token.to_string(),
        token_type: "Bearer",
        expires_in: signed.access.expires_in_s,
        must_change_password: signed.user.must_change_password,
    };
    let answer = (StatusCode::OK, Json(token)).into_response();
    Ok(with_cookie(answer, cookie::keep(&signed, shared.settings.tls)))
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
