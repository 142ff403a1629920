//! The SQLite store against the suite that every store has to pass, and what old files become.

use control::{Control, From, IdentityStore, Role, Scope, SqliteIdentity};
use std::cell::RefCell;

/// Written by the last version with format 3: an administrator, one live key, one revoked one.
const FORMAT_3: &[u8] = include_bytes!("fixtures/control-3.db");
const ITS_PASSWORD: &str = "correct-horse-1";
const ITS_KEY: &str = "al_gw_eOSG_5SeIH97is1KcRi-rIpuc5gxbHfGh8shVWha36E";
const ITS_TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhdWRpdC1sYXllciIsInN1YiI\
    6InVzcl8wMWExZmQ3YWU4OTQ3NDg1YjQyMDYwNDYyNTBkYWY1MiIsImlhdCI6MTc5NTI1NDA1NCwiZXhwIjoxNzk1MjU3N\
    jU0LCJnZW4iOjB9.odwy54-vVVw7yJOya-O_9yLsd3Hk-SKATa3vBDBFziw";

#[test]
fn sqlite_does_what_every_store_has_to() {
    let dirs = RefCell::new(Vec::new());
    control::contract::check(&|| {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteIdentity::open(&dir.path().join("control.db")).unwrap();
        dirs.borrow_mut().push(dir);
        Box::new(store) as Box<dyn IdentityStore>
    });
}

#[test]
fn format_3_is_brought_forward() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    std::fs::write(&path, FORMAT_3).unwrap();
    let control = Control::open(&path).unwrap();
    let users = control.users().unwrap();
    assert_eq!((users.len(), users[0].username.as_str(), users[0].role), (1, "admin", Role::Admin));
    assert_eq!((users[0].identity(), users[0].must_change_password), ("admin", false));
    assert!(users[0].last_login_at.is_some());
    let signed = control.login("admin", ITS_PASSWORD, From::default()).unwrap();
    assert!(control.session(&signed.access.token).is_some());
    assert!(control.session(ITS_TOKEN).is_none(), "what signed it is gone");
    let key = control.authenticate(ITS_KEY).unwrap();
    assert_eq!(key.scopes, [Scope::Gateway, Scope::Read]);
    assert_eq!((key.limits.burst, key.limits.requests_per_day), (Some(20), Some(100)));
    let keys = control.list_keys().unwrap();
    assert_eq!((keys.len(), keys[0].revoked_at.is_some()), (2, true));
    drop(control);
    Control::open(&path).unwrap().login("admin", ITS_PASSWORD, From::default()).unwrap();
}
