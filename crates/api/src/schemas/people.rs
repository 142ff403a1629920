//! The shapes of people, sign-ins and sessions.

use control::{Role, Session, User};
use event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The username.
    pub username: String,
    /// The password.
    pub password: String,
}

/// A token, after signing in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Token {
    /// Pass it as `Authorization: Bearer …`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds until it ends. `POST /api/v1/auth/refresh` gives the next one, with the cookie that
    /// came with this answer.
    pub expires_in: u64,
    /// Whether nothing else is allowed before the password is changed.
    pub must_change_password: bool,
}

/// Who signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// The person.
    #[serde(flatten)]
    pub user: PersonItem,
    /// The session.
    pub session_id: String,
}

/// A person who may sign in.
#[derive(Serialize, ToSchema)]
pub(crate) struct PersonItem {
    /// Its id.
    pub id: String,
    /// The name; unique whatever the case of its letters.
    pub username: String,
    /// `admin`, `compliance_officer` or `viewer`.
    pub role: &'static str,
    /// The end user of decisions whom the account stands for: a viewer sees this one's.
    pub user_id: String,
    /// Whether nothing else is allowed before the password is changed.
    pub must_change_password: bool,
    /// When the account was disabled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the person last signed in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_login_at: Option<Timestamp>,
}

/// Everybody who may sign in.
#[derive(Serialize, ToSchema)]
pub(crate) struct PersonList {
    /// By name.
    pub items: Vec<PersonItem>,
}

/// A person to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPerson {
    /// The name.
    pub username: String,
    /// `admin`, `compliance_officer` or `viewer`.
    pub role: String,
    /// The first password, to be changed at the first sign-in; null: one is made up and shown.
    #[serde(default)]
    pub password: Option<String>,
    /// The end user of decisions whom the account stands for; null: the username.
    #[serde(default)]
    pub user_id: Option<String>,
}

/// What is to change of a person; null: nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonChange {
    /// `admin`, `compliance_officer` or `viewer`.
    #[serde(default)]
    pub role: Option<String>,
    /// The end user of decisions whom the account stands for; empty: the username.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Whether the account is disabled.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// A new password for somebody else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// The password, to be changed at the next sign-in; null: one is made up and shown.
    #[serde(default)]
    pub password: Option<String>,
}

/// A person whose password somebody else chose.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownPassword {
    /// The person.
    #[serde(flatten)]
    pub user: PersonItem,
    /// The password, where it was made up. It is shown this once.
    pub password: Option<String>,
}

/// One's own new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The current one.
    pub current: String,
    /// The new one: at least 10 characters.
    pub new: String,
}

/// A session: a sign-in that has not ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInSession {
    /// Its id.
    pub id: String,
    /// How the person signed in: `password`.
    pub method: String,
    /// From where.
    pub address: String,
    /// What the client said that it is.
    pub client: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last got an access token.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The sessions of one person.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInSessionList {
    /// Oldest first.
    pub items: Vec<SignInSession>,
}

/// What a sign-out ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedOut {
    /// How many sessions.
    pub ended: u64,
}

/// How the key that signs access tokens is changed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SigningKeyRotation {
    /// Whether access tokens of earlier keys end at once. People stay signed in.
    pub end_earlier: bool,
}

/// The key that signs access tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningKeyItem {
    /// `kid` of the tokens from now on.
    pub id: String,
}

impl PersonItem {
    pub(crate) fn of(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            username: user.username.clone(),
            role: Role::as_str(user.role),
            user_id: user.identity().to_owned(),
            must_change_password: user.must_change_password,
            disabled_at: user.disabled_at,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
        }
    }
}

impl SignInSession {
    pub(crate) fn of(session: Session, current: Option<&str>) -> Self {
        Self {
            current: current == Some(session.id.as_str()),
            id: session.id,
            method: session.method,
            address: session.address,
            client: session.client,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}
