//! API keys, and what they used, as rows.

use crate::keys::StoredKey;
use crate::limits::{DayUse, KeyLimits, Usd};
use crate::secret::Digest;
use crate::{ApiKey, Error, Result, store};
use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let scopes = row.get_ref("scopes")?.as_str()?.split(' ');
    Ok(ApiKey {
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

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredKey>> {
    let sql = "SELECT * FROM api_keys ORDER BY created_us DESC, id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let text: String = row.get("sha256")?;
        Ok((text, read(row)?))
    })?;
    rows.map(|row| {
        let (text, key) = row?;
        let mut digest = Digest::default();
        hex::decode_to_slice(&text, &mut digest)
            .map_err(|_| Error::Store { what: format!("the hash of key {} is damaged", key.id) })?;
        Ok(StoredKey { digest, key })
    })
    .collect()
}

fn one(connection: &Connection, id: &str) -> Result<ApiKey> {
    connection
        .query_row("SELECT * FROM api_keys WHERE id = ?1", [id], read)
        .optional()?
        .ok_or_else(|| Error::NotFound { what: "key", id: id.to_owned() })
}

pub(super) fn insert(connection: &Connection, stored: &StoredKey) -> Result<()> {
    let key = &stored.key;
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    connection.execute(
        "INSERT INTO api_keys (id, sha256, hint, source, scopes, created_us, expires_us, \
         rotated_from, rate, burst, requests_per_day, tokens_per_day, cost_per_day_nanos) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            key.id,
            hex::encode(stored.digest),
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

pub(super) fn replace(
    connection: &Connection,
    old: &str,
    ends: Timestamp,
    new: &StoredKey,
) -> Result<()> {
    let old = one(connection, old)?;
    if !old.is_live(new.key.created_at) {
        return Err(Error::KeyEnded { id: old.id });
    }
    insert(connection, new)?;
    let ends = old.expires_at.map_or(ends, |earlier| earlier.min(ends));
    let sql = "UPDATE api_keys SET expires_us = ?2 WHERE id = ?1";
    connection.execute(sql, params![old.id, ends.as_micros()])?;
    Ok(())
}

pub(super) fn revoke(connection: &Connection, id: &str, now: Timestamp) -> Result<ApiKey> {
    let sql = "UPDATE api_keys SET revoked_us = ?2 WHERE id = ?1 AND revoked_us IS NULL";
    connection.execute(sql, params![id, now.as_micros()])?;
    one(connection, id)
}

pub(super) fn used(connection: &Connection, used: &[(String, Timestamp)]) -> Result<()> {
    let sql = "UPDATE api_keys SET last_used_us = max(ifnull(last_used_us, 0), ?2) WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    for (id, at) in used {
        statement.execute(params![id, at.as_micros()])?;
    }
    Ok(())
}

pub(super) fn day_use(connection: &Connection) -> Result<Vec<(String, DayUse)>> {
    let sql = "SELECT key_id, day, requests, tokens, cost_nanos FROM key_use ORDER BY key_id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let count = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let cost = Usd::from_nanos(count(4)?);
        let used = DayUse { day: row.get(1)?, requests: count(2)?, tokens: count(3)?, cost };
        Ok((row.get(0)?, used))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn save_day_use(connection: &Connection, used: &[(String, DayUse)]) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO key_use (key_id, day, requests, tokens, cost_nanos) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key_id) DO UPDATE SET \
         day = ?2, requests = ?3, tokens = ?4, cost_nanos = ?5",
    )?;
    for (key_id, used) in used {
        statement.execute(params![
            key_id,
            used.day,
            integer(used.requests),
            integer(used.tokens),
            integer(used.cost.as_nanos()),
        ])?;
    }
    Ok(())
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
