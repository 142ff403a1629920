//! Sessions: what a sign-in opens, and what its refresh tokens keep alive.

use crate::Result;
use crate::secret::{self, Digest};
use event::Timestamp;
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A session ends where it was not used for so long.
pub const SESSION_IDLE: Duration = Duration::from_hours(12);
/// A session ends after this time, however much it was used.
pub const SESSION_MAX: Duration = Duration::from_hours(7 * 24);
/// Sessions of one person at once; the oldest ends for a further one.
pub const SESSIONS_MAX: usize = 20;
const REFRESH_BYTES: usize = 32;
const REFRESH_PREFIX: &str = "al_rt_";
/// Prefix and 43 characters of base64url; longer texts are not hashed.
const REFRESH_CHARS: usize = 49;
const CLIENT_CHARS_MAX: usize = 256;

/// A sign-in that has not ended. Its refresh tokens are one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The user's id.
    #[serde(skip)]
    pub user_id: String,
    /// How the person signed in: `password`.
    pub method: String,
    /// From where.
    pub address: String,
    /// What the client said that it is.
    pub client: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last got an access token.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// What is stored of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// SHA-256 of the token.
    pub digest: Digest,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// What came of a refresh token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It was good; the next one stands in its place.
    Turned(Session),
    /// It was used before: somebody has a copy. The session was ended.
    Reused(Session),
    /// It is unknown, or over.
    Unknown,
}

/// Which sessions are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which<'a> {
    /// This one of this user.
    One {
        /// The user's id.
        user_id: &'a str,
        /// The session's.
        session_id: &'a str,
    },
    /// All of this user's.
    All {
        /// The user's id.
        user_id: &'a str,
    },
    /// All of this user's but one.
    Others {
        /// The user's id.
        user_id: &'a str,
        /// The session that stays.
        session_id: &'a str,
    },
}

/// Where a sign-in comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct From<'a> {
    /// The address.
    pub address: &'a str,
    /// What the client says that it is (`user-agent`).
    pub client: Option<&'a str>,
}

impl Session {
    pub(crate) fn new(user_id: &str, from: From<'_>, now: Timestamp) -> Self {
        let client = from.client.map(|text| text.chars().take(CLIENT_CHARS_MAX).collect());
        Self {
            id: format!("ses_{}", Uuid::now_v7().simple()),
            user_id: user_id.to_owned(),
            method: "password".to_owned(),
            address: from.address.to_owned(),
            client,
            created_at: now,
            last_used_at: now,
            expires_at: after(now, SESSION_MAX),
        }
    }
}

/// A new refresh token, with what is stored of it.
pub(crate) fn new_refresh(now: Timestamp) -> Result<(Zeroizing<String>, Refresh)> {
    let token = secret::random_text::<REFRESH_BYTES>(REFRESH_PREFIX)?;
    let refresh = Refresh { digest: secret::sha256(&token), expires_at: after(now, SESSION_IDLE) };
    Ok((token, refresh))
}

/// What to look for; none where the text cannot be a token.
pub(crate) fn digest_of(presented: &str) -> Option<Digest> {
    let fits = presented.len() == REFRESH_CHARS && presented.starts_with(REFRESH_PREFIX);
    fits.then(|| secret::sha256(presented))
}

pub(crate) fn after(now: Timestamp, span: Duration) -> Timestamp {
    let span_us = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(span_us))
}
