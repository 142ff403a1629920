//! API keys in the store.

use crate::limits::{KeyLimits, Usd};
use crate::secret::{self, Digest};
use crate::{Error, Result, Scope, store};
use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
/// Bytes of a source's name at most, as in the header.
const SOURCE_BYTES_MAX: usize = 256;
/// Characters of a key that lists show, so that people can tell keys apart.
const HINT_CHARS: usize = 10;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// The key's first characters.
    pub hint: String,
    /// The only source that it may name; none: any.
    pub source: Option<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<Timestamp>,
    /// The key that it replaces.
    pub rotated_from: Option<String>,
    /// How much it may be used.
    pub limits: KeyLimits,
}

/// What a new key is for.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// The only source that it may name; none: any.
    pub source: Option<String>,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
    /// From when on it is refused; none: never.
    pub expires_at: Option<Timestamp>,
    /// How much it may be used.
    pub limits: KeyLimits,
}

/// A new key. The secret is shown this once.
#[derive(Clone)]
pub struct CreatedKey {
    /// The key itself.
    pub secret: Zeroizing<String>,
    /// What is stored of it.
    pub key: ApiKey,
}

impl fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl ApiKey {
    /// Whether it may do this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it is neither revoked nor expired at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let scopes = row.get_ref("scopes")?.as_str()?.split(' ');
        Ok(Self {
            id: row.get("id")?,
            hint: row.get("hint")?,
            source: row.get("source")?,
            scopes: scopes.map(|name| store::parsed(name, 0)).collect::<rusqlite::Result<_>>()?,
            created_at: store::time(row, "created_us")?,
            expires_at: store::maybe_time(row, "expires_us")?,
            revoked_at: store::maybe_time(row, "revoked_us")?,
            last_used_at: store::maybe_time(row, "last_used_us")?,
            rotated_from: row.get("rotated_from")?,
            limits: limits(row)?,
        })
    }
}

fn limits(row: &Row<'_>) -> rusqlite::Result<KeyLimits> {
    let count =
        |column: &str| row.get::<_, Option<i64>>(column).map(|count| count.map(i64::unsigned_abs));
    let rate: Option<String> = row.get("rate")?;
    Ok(KeyLimits {
        rate: rate.map(|text| store::parsed(&text, 0)).transpose()?,
        burst: row.get("burst")?,
        requests_per_day: count("requests_per_day")?,
        tokens_per_day: count("tokens_per_day")?,
        cost_per_day: count("cost_per_day_nanos")?.map(Usd::from_nanos),
    })
}

/// All keys, newest first, with their hashes.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(Digest, ApiKey)>> {
    let sql = "SELECT * FROM api_keys ORDER BY created_us DESC, id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let text: String = row.get("sha256")?;
        Ok((text, ApiKey::read(row)?))
    })?;
    rows.map(|row| {
        let (text, key) = row?;
        let mut digest = Digest::default();
        hex::decode_to_slice(&text, &mut digest)
            .map_err(|_| Error::Store { what: format!("the hash of key {} is damaged", key.id) })?;
        Ok((digest, key))
    })
    .collect()
}

pub(crate) fn one(connection: &Connection, id: &str) -> Result<ApiKey> {
    connection
        .query_row("SELECT * FROM api_keys WHERE id = ?1", [id], ApiKey::read)
        .optional()?
        .ok_or_else(|| Error::NotFound { what: "key", id: id.to_owned() })
}

pub(crate) fn create(
    connection: &Connection,
    new: NewKey,
    rotated_from: Option<&str>,
) -> Result<CreatedKey> {
    let mut scopes = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let Some(first) = scopes.first() else {
        return Err(Error::Invalid { what: "the list of scopes", allowed: "at least one scope" });
    };
    if let Some(source) = &new.source {
        check_source(source)?;
    }
    new.limits.check()?;
    let secret = secret::random_text::<KEY_BYTES>(first.prefix())?;
    let key = ApiKey {
        id: format!("key_{}", Uuid::now_v7().simple()),
        hint: secret.chars().take(HINT_CHARS).collect(),
        source: new.source,
        scopes,
        created_at: Timestamp::now(),
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
        rotated_from: rotated_from.map(str::to_owned),
        limits: new.limits,
    };
    insert(connection, &key, &secret)?;
    Ok(CreatedKey { secret, key })
}

fn insert(connection: &Connection, key: &ApiKey, secret: &str) -> Result<()> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    connection.execute(
        "INSERT INTO api_keys (id, sha256, hint, source, scopes, created_us, expires_us, \
         rotated_from, rate, burst, requests_per_day, tokens_per_day, cost_per_day_nanos) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            key.id,
            hex::encode(secret::sha256(secret)),
            key.hint,
            key.source,
            scopes.join(" "),
            key.created_at.as_micros(),
            key.expires_at.map(Timestamp::as_micros),
            key.rotated_from,
            key.limits.rate.map(|rate| rate.to_string()),
            key.limits.burst,
            key.limits.requests_per_day.map(integer),
            key.limits.tokens_per_day.map(integer),
            key.limits.cost_per_day.map(|cost| integer(cost.as_nanos())),
        ],
    )?;
    Ok(())
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn check_source(source: &str) -> Result<()> {
    let printable = source.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if source.trim().is_empty() || source.len() > SOURCE_BYTES_MAX || !printable {
        return Err(Error::Invalid {
            what: "the source",
            allowed: "1 to 256 printable ASCII characters, as in the header x-llm-source",
        });
    }
    Ok(())
}

/// A new key like the old one, which ends after `overlap`.
pub(crate) fn rotate(connection: &Connection, id: &str, overlap: Duration) -> Result<CreatedKey> {
    let old = one(connection, id)?;
    let now = Timestamp::now();
    if !old.is_live(now) {
        return Err(Error::KeyEnded { id: old.id });
    }
    let new = NewKey {
        source: old.source,
        scopes: old.scopes,
        expires_at: old.expires_at,
        limits: old.limits,
    };
    let created = create(connection, new, Some(&old.id))?;
    let overlap_us = i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX);
    let end = now.as_micros().saturating_add(overlap_us);
    let end = old.expires_at.map_or(end, |earlier| earlier.as_micros().min(end));
    connection.execute("UPDATE api_keys SET expires_us = ?2 WHERE id = ?1", params![id, end])?;
    Ok(created)
}

/// Revokes; a second time changes nothing.
pub(crate) fn revoke(connection: &Connection, id: &str) -> Result<ApiKey> {
    let now = Timestamp::now().as_micros();
    connection.execute(
        "UPDATE api_keys SET revoked_us = ?2 WHERE id = ?1 AND revoked_us IS NULL",
        params![id, now],
    )?;
    one(connection, id)
}

pub(crate) fn used(connection: &Connection, id: &str, at: Timestamp) -> Result<()> {
    let sql = "UPDATE api_keys SET last_used_us = max(ifnull(last_used_us, 0), ?2) WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id, at.as_micros()])?;
    Ok(())
}
