//! Access tokens: JWT signed with Ed25519 (EdDSA), by keys that follow each other.
//!
//! One issuer, one audience, one algorithm: the header's `alg` chooses nothing, it has to be the
//! one there is, and `kid` has to name a key of ours.

use crate::identity::{IdentityStore, SigningKey};
use crate::secret;
use crate::sessions::after;
use crate::{Error, Result};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use event::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How long a token is good for.
pub const TOKEN_LIFETIME_S: u64 = 3_600;
/// For how long a key signs; then another one does.
const SIGNS: Duration = Duration::from_hours(30 * 24);
/// Past that it holds until its last token is over.
const HOLDS: Duration = Duration::from_secs(TOKEN_LIFETIME_S + 60);
const ISSUER: &str = "audit-layer";
const AUDIENCE: &str = "audit-layer/api";
const ALGORITHM: &str = "EdDSA";
const SEED_BYTES: usize = 32;
/// Tokens of ours are far shorter.
const TOKEN_BYTES_MAX: usize = 1024;

/// A token for a person who signed in.
#[derive(Clone)]
pub struct AccessToken {
    /// The token.
    pub token: Zeroizing<String>,
    /// Seconds until it ends.
    pub expires_in_s: u64,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    /// The user's id.
    pub sub: String,
    /// The session's. A token is no longer good than its session.
    pub sid: String,
    iat: u64,
    exp: u64,
}

/// Signs and checks tokens.
pub(crate) struct Tokens {
    keys: RwLock<Vec<Arc<Key>>>,
}

struct Key {
    id: String,
    pair: Ed25519KeyPair,
    created_at: Timestamp,
}

// === impl Tokens ===

impl Tokens {
    /// With the store's keys; the first one is made at the first sign-in.
    pub(crate) fn load(store: &dyn IdentityStore) -> Result<Self> {
        Ok(Self { keys: RwLock::new(read(store)?) })
    }

    /// Makes a new key sign. Tokens of earlier ones hold for as long as they do, or end at once.
    pub(crate) fn rotate(
        &self,
        store: &dyn IdentityStore,
        now: Timestamp,
        end_earlier: bool,
    ) -> Result<String> {
        let seed = Zeroizing::new(secret::random::<SEED_BYTES>()?.to_vec());
        let id = format!("tok_{}", Uuid::now_v7().simple());
        let key = SigningKey { id: id.clone(), seed, created_at: now };
        let held_us = (SIGNS + HOLDS).as_micros() as i64;
        let drop_before = if end_earlier { now.as_micros() } else { now.as_micros() - held_us };
        store.add_signing_key(&key, Timestamp::from_micros(drop_before))?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = read(store)?;
        Ok(id)
    }

    pub(crate) fn sign(
        &self,
        store: &dyn IdentityStore,
        user_id: &str,
        session_id: &str,
        now: Timestamp,
    ) -> Result<AccessToken> {
        if self.newest().is_none_or(|key| after(key.created_at, SIGNS) <= now) {
            self.rotate(store, now, false)?;
        }
        let key = self.newest().ok_or(Error::Crypto)?;
        let header =
            Header { typ: "JWT".to_owned(), alg: ALGORITHM.to_owned(), kid: key.id.clone() };
        let iat = seconds(now);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user_id.to_owned(),
            sid: session_id.to_owned(),
            iat,
            exp: iat + TOKEN_LIFETIME_S,
        };
        let mut token = Zeroizing::new(String::with_capacity(TOKEN_BYTES_MAX));
        let header = serde_json::to_vec(&header).map_err(|_| Error::Crypto)?;
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        let claims = serde_json::to_vec(&claims).map_err(|_| Error::Crypto)?;
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = key.pair.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(AccessToken { token, expires_in_s: TOKEN_LIFETIME_S })
    }

    /// The claims of a token that is ours, for us, and not over.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Option<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = decoded(header)?;
        if header.alg != ALGORITHM || header.typ != "JWT" {
            return None;
        }
        let key = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.iter().find(|key| key.id == header.kid)?.clone()
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ED25519, key.pair.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).ok()?;
        let claims: Claims = decoded(claims)?;
        let holds = claims.iss == ISSUER && claims.aud == AUDIENCE && seconds(now) < claims.exp;
        holds.then_some(claims)
    }

    fn newest(&self) -> Option<Arc<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }
}

fn read(store: &dyn IdentityStore) -> Result<Vec<Arc<Key>>> {
    let stored = store.signing_keys()?;
    let keys = stored.into_iter().map(|SigningKey { id, seed, created_at }| {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| Error::Store { what: format!("the signing key {id} is damaged") })?;
        Ok(Arc::new(Key { id, pair, created_at }))
    });
    keys.collect()
}

fn decoded<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn seconds(time: Timestamp) -> u64 {
    (time.as_micros() / 1_000_000).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteIdentity;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_micros((s * 1_000_000) as i64)
    }

    /// Signs what tokens of ours could say, and what they could not.
    fn signed(tokens: &Tokens, header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = tokens.newest().unwrap().pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn only_tokens_of_ours_for_us_hold_and_for_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteIdentity::open(&dir.path().join("control.db")).unwrap();
        let tokens = Tokens::load(&store).unwrap();
        let token = tokens.sign(&store, "usr_1", "ses_1", at(1_000)).unwrap().token;
        let claims = tokens.check(&token, at(1_000 + TOKEN_LIFETIME_S - 1)).unwrap();
        assert_eq!((claims.sub.as_str(), claims.sid.as_str()), ("usr_1", "ses_1"));
        assert!(tokens.check(&token, at(1_000 + TOKEN_LIFETIME_S)).is_none());
        let kid = tokens.newest().unwrap().id.clone();
        let header = format!(r#"{{"typ":"JWT","alg":"EdDSA","kid":"{kid}"}}"#);
        let claims = |iss: &str, aud: &str| {
            let rest = r#""sub":"usr_1","sid":"ses_1","iat":1000,"exp":4600"#;
            format!(r#"{{"iss":"{iss}","aud":"{aud}",{rest}}}"#)
        };
        let good = claims(ISSUER, AUDIENCE);
        assert!(tokens.check(&signed(&tokens, &header, &good), at(1_000)).is_some());
        for claims in [claims("other", AUDIENCE), claims(ISSUER, "other/api"), "{}".to_owned()] {
            assert!(tokens.check(&signed(&tokens, &header, &claims), at(1_000)).is_none());
        }
        for header in [
            r#"{"typ":"JWT","alg":"none"}"#.to_owned(),
            header.replace("EdDSA", "none"),
            header.replace("EdDSA", "HS256"),
            header.replace(&kid, "tok_0"),
            header.replace('}', r#","crit":["b64"]}"#),
        ] {
            assert!(
                tokens.check(&signed(&tokens, &header, &good), at(1_000)).is_none(),
                "{header}"
            );
        }
    }

    #[test]
    fn keys_follow_each_other_and_old_tokens_hold_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteIdentity::open(&dir.path().join("control.db")).unwrap();
        let tokens = Tokens::load(&store).unwrap();
        let first = tokens.sign(&store, "usr_1", "ses_1", at(0)).unwrap().token;
        let month = SIGNS.as_secs();
        let last = tokens.sign(&store, "usr_1", "ses_1", at(month - 1)).unwrap().token;
        assert_eq!(first.split('.').next(), last.split('.').next(), "the same key");
        let next = tokens.sign(&store, "usr_1", "ses_1", at(month)).unwrap().token;
        assert_ne!(last.split('.').next(), next.split('.').next(), "another one");
        assert!(tokens.check(&last, at(month + 60)).is_some(), "signed before, and not over");
        let tokens = Tokens::load(&store).unwrap();
        assert!(tokens.check(&next, at(month + 60)).is_some(), "a restart changes no key");
        tokens.rotate(&store, at(month + 61), true).unwrap();
        assert!(tokens.check(&next, at(month + 62)).is_none(), "ended by hand");
        assert_eq!(store.signing_keys().unwrap().len(), 1);
    }
}
