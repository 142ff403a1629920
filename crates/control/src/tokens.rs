//! Access tokens: JWT signed by a key that only the store holds.
//!
//! One issuer, one reader, one algorithm: the header must be the one that is written here, letter
//! for letter, so there is no choice of algorithm to get wrong.

use crate::secret;
use crate::users::Account;
use crate::{Error, Result};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use event::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// How long a token is good for.
pub const TOKEN_LIFETIME_S: u64 = 3_600;
const ISSUER: &str = "audit-layer";
const KEY_BYTES: usize = 32;
/// `{"typ":"JWT","alg":"HS256"}`.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";
/// Tokens of ours are far shorter.
const TOKEN_BYTES_MAX: usize = 1024;

/// A token for a person who signed in.
#[derive(Clone)]
pub struct AccessToken {
    /// The token.
    pub token: Zeroizing<String>,
    /// Seconds until it ends.
    pub expires_in_s: u64,
    /// Whose it is.
    pub user: crate::User,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    /// The user's id.
    pub sub: String,
    iat: u64,
    exp: u64,
    /// Tokens of an earlier generation than the account's are refused.
    #[serde(rename = "gen")]
    pub generation: i64,
}

/// Signs and checks tokens.
pub(crate) struct Tokens {
    key: hmac::Key,
}

impl Tokens {
    /// With the store's key, made on the first start.
    pub(crate) fn load(connection: &Connection) -> Result<Self> {
        let sql = "INSERT INTO secrets (name, value) VALUES ('token_key', ?1) \
                   ON CONFLICT DO NOTHING";
        connection.execute(sql, [secret::random::<KEY_BYTES>()?.as_ref()])?;
        let sql = "SELECT value FROM secrets WHERE name = 'token_key'";
        let key: Vec<u8> = connection.query_row(sql, [], |row| row.get(0))?;
        let key = Zeroizing::new(key);
        if key.len() != KEY_BYTES {
            return Err(Error::Store { what: "the token key is damaged".to_owned() });
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    pub(crate) fn sign(&self, account: &Account, now: Timestamp) -> Result<AccessToken> {
        let iat = seconds(now);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: account.user.id.clone(),
            iat,
            exp: iat + TOKEN_LIFETIME_S,
            generation: account.token_generation,
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| Error::Crypto)?;
        let mut token = Zeroizing::new(String::with_capacity(TOKEN_BYTES_MAX));
        token.push_str(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = hmac::sign(&self.key, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(AccessToken { token, expires_in_s: TOKEN_LIFETIME_S, user: account.user.clone() })
    }

    /// The claims of a token that is ours and not over.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Option<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        let claims = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        (claims.iss == ISSUER && seconds(now) < claims.exp).then_some(claims)
    }
}

fn seconds(time: Timestamp) -> u64 {
    (time.as_micros() / 1_000_000).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, User};

    #[test]
    fn tokens_hold_for_an_hour_and_are_jwt() {
        let tokens = Tokens { key: hmac::Key::new(hmac::HMAC_SHA256, &[1; KEY_BYTES]) };
        let user = User {
            id: "usr_1".to_owned(),
            username: "admin".to_owned(),
            role: Role::Admin,
            disabled_at: None,
            created_at: Timestamp::default(),
            last_login_at: None,
        };
        let account = Account { user, password_hash: String::new(), token_generation: 0 };
        let at = |s: u64| Timestamp::from_micros((s * 1_000_000) as i64);
        let token = tokens.sign(&account, at(1_000)).unwrap().token;
        assert_eq!(tokens.check(&token, at(1_000 + TOKEN_LIFETIME_S - 1)).unwrap().sub, "usr_1");
        assert!(tokens.check(&token, at(1_000 + TOKEN_LIFETIME_S)).is_none());
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        assert_eq!(header, br#"{"typ":"JWT","alg":"HS256"}"#);
        let other = Tokens { key: hmac::Key::new(hmac::HMAC_SHA256, &[2; KEY_BYTES]) };
        assert!(other.check(&token, at(1_000)).is_none());
    }
}
