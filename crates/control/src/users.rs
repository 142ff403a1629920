//! People who may sign in.

use crate::{Error, Result, Role};
use event::Timestamp;
use serde::Serialize;
use std::fmt;
use uuid::Uuid;

const USERNAME_BYTES_MAX: usize = 128;
/// Bytes of the end user's name that an account stands for at most, as in the header.
const USER_ID_BYTES_MAX: usize = 256;

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its id.
    pub id: String,
    /// The name; unique whatever the case of its letters.
    pub username: String,
    /// What the person may do.
    pub role: Role,
    /// The end user of decisions (`x-llm-user`) whom the account stands for; none: the username.
    pub user_id: Option<String>,
    /// Whether nothing else is allowed before the password is changed.
    pub must_change_password: bool,
    /// When the account was disabled.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the person last signed in.
    pub last_login_at: Option<Timestamp>,
}

/// A user with what is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: User,
    /// Argon2id, as a PHC string.
    pub password_hash: String,
}

/// Who is to be made.
#[derive(Clone)]
pub struct NewUser<'a> {
    /// The name; unique whatever the case of its letters.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// What the person may do.
    pub role: Role,
    /// The end user whom the account stands for; none: the username.
    pub user_id: Option<&'a str>,
    /// Whether somebody else chose the password, so that it has to be changed first.
    pub must_change_password: bool,
}

/// What is to be changed of a user; none: left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// What the person may do.
    pub role: Option<Role>,
    /// The end user whom the account stands for; empty: the username.
    pub user_id: Option<String>,
    /// Whether the account is disabled.
    pub disabled: Option<bool>,
}

/// A change of an account, as stores make it.
#[derive(Clone, Default)]
pub struct AccountChange {
    /// What of the user changes.
    pub user: UserChange,
    /// The new password's hash, and whether it has to be changed at the next sign-in.
    pub password: Option<(String, bool)>,
}

// === impl User ===

impl User {
    /// The end user of decisions whom the account stands for.
    pub fn identity(&self) -> &str {
        self.user_id.as_deref().unwrap_or(&self.username)
    }

    /// A new one, where the name may be one.
    pub(crate) fn new(new: &NewUser<'_>) -> Result<Self> {
        check_name(new.username, USERNAME_BYTES_MAX, "the username", USERNAME)?;
        if let Some(user_id) = new.user_id {
            check_user_id(user_id)?;
        }
        Ok(Self {
            id: format!("usr_{}", Uuid::now_v7().simple()),
            username: new.username.to_owned(),
            role: new.role,
            user_id: new.user_id.map(str::to_owned),
            must_change_password: new.must_change_password,
            disabled_at: None,
            created_at: Timestamp::now(),
            last_login_at: None,
        })
    }
}

impl UserChange {
    pub(crate) fn check(&self) -> Result<()> {
        match self.user_id.as_deref() {
            None | Some("") => Ok(()),
            Some(user_id) => check_user_id(user_id),
        }
    }

    /// The user as changed.
    #[must_use]
    pub fn apply(&self, user: &User, now: Timestamp) -> User {
        let mut user = user.clone();
        user.role = self.role.unwrap_or(user.role);
        if let Some(user_id) = &self.user_id {
            user.user_id = Some(user_id.clone()).filter(|user_id| !user_id.is_empty());
        }
        match self.disabled {
            Some(true) => user.disabled_at = Some(user.disabled_at.unwrap_or(now)),
            Some(false) => user.disabled_at = None,
            None => {}
        }
        user
    }

    /// Whether the person has to sign in anew: what tokens stand for has changed.
    pub const fn ends_sessions(&self) -> bool {
        self.role.is_some() || self.user_id.is_some() || matches!(self.disabled, Some(true))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountChange").field("user", &self.user).finish_non_exhaustive()
    }
}

const USERNAME: &str =
    "1 to 128 bytes without spaces around it and without control characters, no `usr_` first";

fn check_user_id(user_id: &str) -> Result<()> {
    let allowed = "1 to 256 bytes without spaces around it and without control characters";
    check_name(user_id, USER_ID_BYTES_MAX, "user_id", allowed)
}

fn check_name(
    name: &str,
    bytes_max: usize,
    what: &'static str,
    allowed: &'static str,
) -> Result<()> {
    let printable = !name.chars().any(char::is_control);
    // Ids and names are given in the same place.
    if name.trim() != name
        || name.is_empty()
        || name.len() > bytes_max
        || !printable
        || name.starts_with("usr_")
    {
        return Err(Error::Invalid { what, allowed });
    }
    Ok(())
}
