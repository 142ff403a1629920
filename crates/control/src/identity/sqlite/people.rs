//! Accounts as rows.

use super::sessions;
use crate::sessions::Which;
use crate::users::{Account, AccountChange};
use crate::{Error, Result, Role, User, store};
use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        user: User {
            id: row.get("id")?,
            username: row.get("username")?,
            role: store::named(row, "role")?,
            user_id: row.get("user_id")?,
            must_change_password: row.get("must_change_password")?,
            disabled_at: store::maybe_time(row, "disabled_us")?,
            created_at: store::time(row, "created_us")?,
            last_login_at: store::maybe_time(row, "last_login_us")?,
        },
        password_hash: row.get("password_hash")?,
    })
}

pub(super) fn all(connection: &Connection) -> Result<Vec<Account>> {
    let mut statement = connection.prepare_cached("SELECT * FROM users ORDER BY username")?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn by_name(connection: &Connection, username: &str) -> Result<Option<Account>> {
    let sql = "SELECT * FROM users WHERE username = ?1";
    Ok(connection.query_row(sql, [username], read).optional()?)
}

pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<Account>> {
    Ok(connection.query_row("SELECT * FROM users WHERE id = ?1", [id], read).optional()?)
}

pub(super) fn add(connection: &Connection, account: &Account) -> Result<()> {
    let user = &account.user;
    if by_name(connection, &user.username)?.is_some() {
        return Err(Error::Exists { what: "user", id: user.username.clone() });
    }
    connection.execute(
        "INSERT INTO users (id, username, password_hash, role, user_id, must_change_password, \
         disabled_us, created_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            user.id,
            user.username,
            account.password_hash,
            user.role.as_str(),
            user.user_id,
            user.must_change_password,
            user.disabled_at.map(Timestamp::as_micros),
            user.created_at.as_micros(),
        ],
    )?;
    Ok(())
}

pub(super) fn change(
    connection: &Connection,
    id: &str,
    change: &AccountChange,
    keep: Option<&str>,
    now: Timestamp,
) -> Result<Account> {
    let found = by_id(connection, id)?;
    let mut account = found.ok_or_else(|| Error::NotFound { what: "user", id: id.to_owned() })?;
    let was_admin = is_admin(&account.user);
    account.user = change.user.apply(&account.user, now);
    if let Some((hash, must_change)) = &change.password {
        account.password_hash.clone_from(hash);
        account.user.must_change_password = *must_change;
    }
    let user = &account.user;
    connection.execute(
        "UPDATE users SET password_hash = ?2, role = ?3, user_id = ?4, must_change_password = ?5, \
         disabled_us = ?6 WHERE id = ?1",
        params![
            id,
            account.password_hash,
            user.role.as_str(),
            user.user_id,
            user.must_change_password,
            user.disabled_at.map(Timestamp::as_micros),
        ],
    )?;
    if was_admin && !is_admin(user) && !all(connection)?.iter().any(|one| is_admin(&one.user)) {
        return Err(Error::LastAdmin { username: user.username.clone() });
    }
    if change.user.ends_sessions() || change.password.is_some() {
        let which = match keep {
            Some(session_id) => Which::Others { user_id: id, session_id },
            None => Which::All { user_id: id },
        };
        sessions::end(connection, &which)?;
    }
    Ok(account)
}

fn is_admin(user: &User) -> bool {
    user.role == Role::Admin && user.disabled_at.is_none()
}
