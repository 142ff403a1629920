//! Signing in.

use crate::audit::Note;
use crate::extract::Body;
use crate::problem::Problem;
use crate::schemas::{Credentials, Token};
use crate::serve::Peer;
use crate::state::{Shared, blocking};
use axum::extract::State;
use axum::{Extension, Json};
use control::LoginError;
use std::sync::Arc;
use std::time::Duration;

/// How long a sign-in waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// Signs a person in.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "auth", request_body = Credentials,
    responses((status = 200, description = "Signed in.", body = Token))
)]
pub(crate) async fn login(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    Body(credentials): Body<Credentials>,
) -> Result<Json<Token>, Problem> {
    let from = peer.map(|Extension(peer)| peer).unwrap_or_default().to_string();
    let turn = tokio::time::timeout(TURN_WAIT, shared.logins.acquire()).await;
    let _turn = turn.map_err(|_| Problem::busy())?.map_err(|_| Problem::busy())?;
    let control = shared.parts.control.clone();
    let username = credentials.username.clone();
    let client = from.clone();
    let signed_in =
        blocking(move || control.login(&username, &credentials.password, &client)).await?;
    match signed_in {
        Ok(token) => {
            let (name, role) = (token.user.username, token.user.role.as_str());
            shared.record_as(name, role, from, Note::done("login")).await?;
            Ok(Json(Token {
                access_token: token.token.to_string(),
                token_type: "Bearer",
                expires_in: token.expires_in_s,
            }))
        }
        Err(error) => {
            // Held-up attempts are not recorded one by one: they would be a way to fill the disk.
            if matches!(error, LoginError::Refused) {
                let note = Note::denied("login");
                shared.record_as(credentials.username, "unknown", from, note).await?;
            }
            Err(error.into())
        }
    }
}
