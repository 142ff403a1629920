//! Sessions, refresh tokens and signing keys as rows.

use super::people;
use crate::Result;
use crate::identity::SigningKey;
use crate::secret::Digest;
use crate::sessions::{Refresh, Session, Turn, Which};
use crate::store;
use crate::users::Account;
use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use zeroize::Zeroizing;

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get("id")?,
        user_id: row.get("user_id")?,
        method: row.get("method")?,
        address: row.get("address")?,
        client: row.get("client")?,
        created_at: store::time(row, "created_us")?,
        last_used_at: store::time(row, "last_used_us")?,
        expires_at: store::time(row, "expires_us")?,
    })
}

pub(super) fn live(connection: &Connection, now: Timestamp) -> Result<Vec<Session>> {
    // A session whose last refresh token is over cannot be used any more, but for the access
    // token that it may still have; that one is shorter.
    let sql = "SELECT * FROM sessions WHERE expires_us > ?1 AND EXISTS (SELECT 1 FROM \
               refresh_tokens WHERE session_id = sessions.id AND refresh_tokens.expires_us > ?1) \
               ORDER BY created_us, id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([now.as_micros()], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn open(
    connection: &Connection,
    account: &Account,
    session: &Session,
    refresh: &Refresh,
    sessions_max: usize,
) -> Result<bool> {
    let user_id = &account.user.id;
    let unchanged = people::by_id(connection, user_id)?.is_some_and(|now| {
        now.password_hash == account.password_hash && now.user.disabled_at.is_none()
    });
    if !unchanged {
        return Ok(false);
    }
    let now = session.created_at.as_micros();
    connection.execute("DELETE FROM sessions WHERE expires_us <= ?1", [now])?;
    connection.execute("DELETE FROM refresh_tokens WHERE expires_us <= ?1", [now])?;
    connection.execute(
        "DELETE FROM sessions WHERE user_id = ?1 AND id NOT IN (SELECT id FROM sessions \
         WHERE user_id = ?1 ORDER BY created_us DESC, id DESC LIMIT ?2)",
        params![user_id, sessions_max.saturating_sub(1) as i64],
    )?;
    connection.execute(
        "INSERT INTO sessions (id, user_id, method, address, client, created_us, last_used_us, \
         expires_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            session.id,
            user_id,
            session.method,
            session.address,
            session.client,
            now,
            session.last_used_at.as_micros(),
            session.expires_at.as_micros(),
        ],
    )?;
    add_refresh(connection, &session.id, refresh)?;
    let sql = "UPDATE users SET last_login_us = ?2 WHERE id = ?1";
    connection.execute(sql, params![user_id, now])?;
    Ok(true)
}

fn add_refresh(connection: &Connection, session_id: &str, refresh: &Refresh) -> Result<()> {
    let sql = "INSERT INTO refresh_tokens (sha256, session_id, expires_us) VALUES (?1, ?2, ?3)";
    connection.execute(sql, params![refresh.digest, session_id, refresh.expires_at.as_micros()])?;
    Ok(())
}

pub(super) fn turn(
    connection: &Connection,
    presented: &Digest,
    next: &Refresh,
    now: Timestamp,
) -> Result<Turn> {
    let sql = "SELECT session_id, expires_us, used_us IS NOT NULL FROM refresh_tokens \
               WHERE sha256 = ?1";
    let found: Option<(String, i64, bool)> = connection
        .query_row(sql, [presented], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((session_id, expires_us, was_used)) = found else { return Ok(Turn::Unknown) };
    let sql = "SELECT * FROM sessions WHERE id = ?1";
    let mut session = connection.query_row(sql, [&session_id], read)?;
    if was_used {
        end(connection, &Which::One { user_id: &session.user_id, session_id: &session_id })?;
        return Ok(Turn::Reused(session));
    }
    let enabled = people::by_id(connection, &session.user_id)?
        .is_some_and(|account| account.user.disabled_at.is_none());
    if !enabled || expires_us <= now.as_micros() || session.expires_at <= now {
        return Ok(Turn::Unknown);
    }
    let sql = "UPDATE refresh_tokens SET used_us = ?2 WHERE sha256 = ?1";
    connection.execute(sql, params![presented, now.as_micros()])?;
    let expires_at = next.expires_at.min(session.expires_at);
    add_refresh(connection, &session_id, &Refresh { digest: next.digest, expires_at })?;
    let sql = "UPDATE sessions SET last_used_us = ?2 WHERE id = ?1";
    connection.execute(sql, params![session_id, now.as_micros()])?;
    session.last_used_at = now;
    Ok(Turn::Turned(session))
}

pub(super) fn end(connection: &Connection, which: &Which<'_>) -> Result<usize> {
    let one = "DELETE FROM sessions WHERE user_id = ?1 AND id = ?2";
    let others = "DELETE FROM sessions WHERE user_id = ?1 AND id <> ?2";
    let all = "DELETE FROM sessions WHERE user_id = ?1";
    Ok(match which {
        Which::One { user_id, session_id } => connection.execute(one, [user_id, session_id])?,
        Which::Others { user_id, session_id } => {
            connection.execute(others, [user_id, session_id])?
        }
        Which::All { user_id } => connection.execute(all, [user_id])?,
    })
}

pub(super) fn signing_keys(connection: &Connection) -> Result<Vec<SigningKey>> {
    let sql = "SELECT * FROM signing_keys ORDER BY created_us, id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let seed = Zeroizing::new(row.get("seed")?);
        Ok(SigningKey { id: row.get("id")?, seed, created_at: store::time(row, "created_us")? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn add_signing_key(
    connection: &Connection,
    key: &SigningKey,
    drop_before: Timestamp,
) -> Result<()> {
    let sql = "DELETE FROM signing_keys WHERE created_us < ?1";
    connection.execute(sql, [drop_before.as_micros()])?;
    let sql = "INSERT INTO signing_keys (id, seed, created_us) VALUES (?1, ?2, ?3)";
    connection.execute(sql, params![key.id, key.seed.as_slice(), key.created_at.as_micros()])?;
    Ok(())
}
