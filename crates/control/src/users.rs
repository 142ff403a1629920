//! People in the store.

use crate::{Error, Result, Role, passwords, store};
use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use uuid::Uuid;

const USERNAME_BYTES_MAX: usize = 128;

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its id.
    pub id: String,
    /// The name; unique whatever the case of its letters.
    pub username: String,
    /// What the person may do.
    pub role: Role,
    /// When the account was disabled.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the person last signed in.
    pub last_login_at: Option<Timestamp>,
}

/// A user with what is not shown.
#[derive(Clone)]
pub(crate) struct Account {
    pub user: User,
    pub password_hash: String,
    pub token_generation: i64,
}

impl Account {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            user: User {
                id: row.get("id")?,
                username: row.get("username")?,
                role: store::named(row, "role")?,
                disabled_at: store::maybe_time(row, "disabled_us")?,
                created_at: store::time(row, "created_us")?,
                last_login_at: store::maybe_time(row, "last_login_us")?,
            },
            password_hash: row.get("password_hash")?,
            token_generation: row.get("token_generation")?,
        })
    }
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<Account>> {
    let mut statement = connection.prepare_cached("SELECT * FROM users ORDER BY username")?;
    let rows = statement.query_map([], Account::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn by_name(connection: &Connection, username: &str) -> Result<Option<Account>> {
    let sql = "SELECT * FROM users WHERE username = ?1";
    Ok(connection.query_row(sql, [username], Account::read).optional()?)
}

pub(crate) fn create(
    connection: &Connection,
    username: &str,
    password_hash: &str,
    role: Role,
) -> Result<User> {
    let printable = !username.chars().any(char::is_control);
    if username.trim() != username
        || username.is_empty()
        || username.len() > USERNAME_BYTES_MAX
        || !printable
    {
        return Err(Error::Invalid {
            what: "the username",
            allowed: "1 to 128 bytes without spaces around it and without control characters",
        });
    }
    if by_name(connection, username)?.is_some() {
        return Err(Error::Exists { what: "user", id: username.to_owned() });
    }
    let user = User {
        id: format!("usr_{}", Uuid::now_v7().simple()),
        username: username.to_owned(),
        role,
        disabled_at: None,
        created_at: Timestamp::now(),
        last_login_at: None,
    };
    connection.execute(
        "INSERT INTO users (id, username, password_hash, role, created_us) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![user.id, user.username, password_hash, role.as_str(), user.created_at.as_micros()],
    )?;
    Ok(user)
}

/// Changes the password and ends the tokens given before.
pub(crate) fn set_password(connection: &Connection, username: &str, password: &str) -> Result<()> {
    let sql = "UPDATE users SET password_hash = ?2, token_generation = token_generation + 1 \
               WHERE username = ?1";
    let changed = connection.execute(sql, params![username, passwords::hash(password)?])?;
    found(changed, username)
}

/// Disables or enables the account and ends the tokens given before.
pub(crate) fn set_disabled(connection: &Connection, username: &str, disabled: bool) -> Result<()> {
    if disabled {
        let sql = "SELECT count(*) FROM users WHERE role = 'admin' AND disabled_us IS NULL \
                   AND username <> ?1";
        let others: i64 = connection.query_row(sql, [username], |row| row.get(0))?;
        if others == 0 {
            return Err(Error::LastAdmin { username: username.to_owned() });
        }
    }
    let sql = "UPDATE users SET disabled_us = ?2, token_generation = token_generation + 1 \
               WHERE username = ?1";
    let at = disabled.then(|| Timestamp::now().as_micros());
    found(connection.execute(sql, params![username, at])?, username)
}

pub(crate) fn logged_in(connection: &Connection, id: &str, at: Timestamp) -> Result<()> {
    let sql = "UPDATE users SET last_login_us = ?2 WHERE id = ?1";
    connection.execute(sql, params![id, at.as_micros()])?;
    Ok(())
}

fn found(changed: usize, username: &str) -> Result<()> {
    if changed == 0 {
        return Err(Error::NotFound { what: "user", id: username.to_owned() });
    }
    Ok(())
}
