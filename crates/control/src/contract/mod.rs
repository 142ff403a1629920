//! What every [`IdentityStore`](crate::IdentityStore) has to do. A backend's tests call
//! [`check`] with a way to make an empty store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite of tests fails by panicking")]

mod keys;
mod people;
mod sessions;

use crate::{Account, IdentityStore, Refresh, Role, Session, User};
use event::Timestamp;

/// Makes an empty store.
pub type Make<'a> = &'a dyn Fn() -> Box<dyn IdentityStore>;

/// Runs the whole suite.
///
/// # Panics
/// Where a store does anything else.
pub fn check(make: Make<'_>) {
    people::check(make);
    sessions::check(make);
    keys::check(make);
}

/// The time, in seconds.
fn at(s: i64) -> Timestamp {
    Timestamp::from_micros(s * 1_000_000)
}

fn account(username: &str, role: Role) -> Account {
    let user = User {
        id: format!("usr_{}", username.to_lowercase()),
        username: username.to_owned(),
        role,
        user_id: None,
        must_change_password: false,
        disabled_at: None,
        created_at: at(1),
        last_login_at: None,
    };
    Account { user, password_hash: format!("hash of {username}") }
}

fn session(account: &Account, name: &str, now: Timestamp) -> Session {
    Session {
        id: format!("ses_{name}"),
        user_id: account.user.id.clone(),
        method: "password".to_owned(),
        address: "192.0.2.9".to_owned(),
        client: Some("a browser".to_owned()),
        created_at: now,
        last_used_at: now,
        expires_at: Timestamp::from_micros(now.as_micros() + 1_000_000_000),
    }
}

fn refresh(number: u8, expires_at: Timestamp) -> Refresh {
    Refresh { digest: [number; 32], expires_at }
}

/// A store with an administrator and a viewer.
fn peopled(make: Make<'_>) -> (Box<dyn IdentityStore>, Account, Account) {
    let store = make();
    let (admin, viewer) = (account("admin", Role::Admin), account("Vera", Role::Viewer));
    store.add_account(&admin).unwrap();
    store.add_account(&viewer).unwrap();
    (store, admin, viewer)
}

fn names(sessions: &[Session]) -> Vec<&str> {
    sessions.iter().map(|session| session.id.as_str()).collect()
}
