//! People, sign-ins, sessions and tokens at the control store's boundary.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use control::{
    Control, Error, From, LoginError, NewUser, RefreshError, Role, Signed, SignedIn, UserChange,
    Which,
};

const PASSWORD: &str = "correct horse";
const OTHER: &str = "battery staple";
const HERE: From<'static> = From { address: "192.0.2.1", client: Some("a browser") };

/// A store with an administrator, and its directory.
fn store() -> (tempfile::TempDir, Control) {
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(&dir.path().join("control.db")).unwrap();
    assert_eq!(control.ensure_admin(Some(PASSWORD)).unwrap(), None);
    (dir, control)
}

fn viewer(control: &Control, username: &str) -> SignedIn {
    control.create_user(&new(username)).unwrap();
    control.login(username, PASSWORD, HERE).unwrap()
}

fn new(username: &str) -> NewUser<'_> {
    let (role, user_id) = (Role::Viewer, None);
    NewUser { username, password: PASSWORD, role, user_id, must_change_password: false }
}

fn holds(control: &Control, signed: &SignedIn) -> bool {
    control.session(&signed.access.token).is_some()
}

fn who(control: &Control, signed: &SignedIn) -> Signed {
    control.session(&signed.access.token).unwrap()
}

#[test]
fn admin_is_made_once_and_signs_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let control = Control::open(&path).unwrap();
    let password = control.ensure_admin(None).unwrap().unwrap();
    assert_eq!(control.ensure_admin(Some(OTHER)).unwrap(), None);
    assert_eq!(control.login("admin", OTHER, HERE).unwrap_err(), LoginError::Refused);
    assert_eq!(control.login("nobody", &password, HERE).unwrap_err(), LoginError::Refused);
    let signed = control.login("ADMIN", &password, HERE).unwrap();
    assert_eq!(
        (signed.user.role, who(&control, &signed).user.username.as_str()),
        (Role::Admin, "admin")
    );
    assert!(!format!("{signed:?}").contains(signed.refresh.as_str()));
    drop(control);
    let control = Control::open(&path).unwrap();
    assert!(holds(&control, &signed), "a restart ends no session");
    control.refresh(&signed.refresh).unwrap();
    assert!(control.users().unwrap()[0].last_login_at.is_some());
    for file in ["control.db", "control.db-wal"] {
        let bytes = std::fs::read(dir.path().join(file)).unwrap_or_default();
        for secret in [password.as_bytes(), signed.refresh.as_bytes()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{file}");
        }
    }
}

#[test]
fn weak_passwords_and_names_that_are_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(&dir.path().join("control.db")).unwrap();
    for weak in ["", "admin", "password12"] {
        assert!(matches!(control.ensure_admin(Some(weak)), Err(Error::Invalid { .. })), "{weak}");
    }
    for username in ["", " vera", "ve\nra", "usr_1", &"x".repeat(129)] {
        assert!(matches!(control.create_user(&new(username)), Err(Error::Invalid { .. })));
    }
    assert!(control.users().unwrap().is_empty());
    control.create_user(&new("vera")).unwrap();
    let taken = control.create_user(&new("VERA")).unwrap_err();
    assert_eq!(taken, Error::Exists { what: "user", id: "VERA".to_owned() });
    let reset = control.reset_password("vera", "short").unwrap_err();
    assert!(matches!(reset, Error::Invalid { .. }));
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    let (_dir, control) = store();
    let token = control.login("admin", PASSWORD, HERE).unwrap().access.token;
    for at in 0..token.len() {
        let mut changed = token.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'Q' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        // The last character of a part of base64 has bits that stand for nothing.
        assert!(changed == *token || control.session(&changed).is_none(), "byte {at}");
    }
    let payload = token.split('.').nth(1).unwrap();
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9"] {
        assert!(control.session(&format!("{header}.{payload}.")).is_none());
    }
}

#[test]
fn access_ends_at_once_with_the_account_the_password_and_the_role() {
    let (_dir, control) = store();
    let eve = viewer(&control, "eve");
    let disabled = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    control.change_user("eve", disabled(true)).unwrap();
    assert!(!holds(&control, &eve));
    assert_eq!(control.refresh(&eve.refresh).unwrap_err(), RefreshError::Refused);
    assert_eq!(control.login("eve", PASSWORD, HERE).unwrap_err(), LoginError::Refused);
    control.change_user("Eve", disabled(false)).unwrap();
    assert!(!holds(&control, &eve), "what ended stays ended");
    let eve = control.login("eve", PASSWORD, HERE).unwrap();
    let role = UserChange { role: Some(Role::ComplianceOfficer), ..UserChange::default() };
    control.change_user(&eve.user.id, role).unwrap();
    assert!(!holds(&control, &eve));
    let eve = control.login("eve", PASSWORD, HERE).unwrap();
    let reset = control.reset_password("eve", OTHER).unwrap();
    assert!(reset.must_change_password && !holds(&control, &eve));
    let last = control.change_user("admin", disabled(true)).unwrap_err();
    assert_eq!(last, Error::LastAdmin { username: "admin".to_owned() });
}

#[test]
fn own_password_is_changed_with_the_current_one_and_ends_other_sessions() {
    let (_dir, control) = store();
    viewer(&control, "vera");
    control.reset_password("vera", OTHER).unwrap();
    let (here, there) =
        (control.login("vera", OTHER, HERE).unwrap(), control.login("vera", OTHER, HERE).unwrap());
    let signed = who(&control, &here);
    assert!(signed.user.must_change_password);
    let change = |current: &str, new: &str| control.change_password(&signed, "", current, new);
    assert_eq!(change("wrong", "another horse").unwrap_err(), LoginError::Refused);
    for bad in [OTHER, "short"] {
        let refused = change(OTHER, bad).unwrap_err();
        assert!(matches!(refused, LoginError::Store(Error::Invalid { .. })), "{refused:?}");
    }
    assert!(!change(OTHER, "another horse").unwrap().must_change_password);
    assert!(holds(&control, &here) && !holds(&control, &there));
    assert!(!who(&control, &here).user.must_change_password);
    control.login("vera", "another horse", HERE).unwrap();
}

#[test]
fn refresh_tokens_are_good_once_and_a_second_use_ends_the_family() {
    let (_dir, control) = store();
    let first = control.login("admin", PASSWORD, HERE).unwrap();
    let other = control.login("admin", PASSWORD, HERE).unwrap();
    let second = control.refresh(&first.refresh).unwrap();
    assert_eq!(second.session_id, first.session_id);
    assert!(holds(&control, &first) && holds(&control, &second));
    let reused = control.refresh(&first.refresh).unwrap_err();
    let session_id = first.session_id.clone();
    assert_eq!(reused, RefreshError::Reused { username: "admin".to_owned(), session_id });
    assert!(!holds(&control, &first) && !holds(&control, &second));
    assert_eq!(control.refresh(&second.refresh).unwrap_err(), RefreshError::Refused);
    assert!(holds(&control, &other), "another sign-in is another family");
    for bad in ["", "x", "al_rt_", &other.access.token, &format!("{} ", *other.refresh)] {
        assert_eq!(control.refresh(bad).unwrap_err(), RefreshError::Refused);
    }
}

#[test]
fn sessions_are_listed_and_ended_one_by_one_and_all() {
    let (_dir, control) = store();
    let vera = viewer(&control, "vera");
    let again = control.login("vera", PASSWORD, HERE).unwrap();
    let admin = control.login("admin", PASSWORD, HERE).unwrap();
    let user_id = vera.user.id.as_str();
    let sessions = control.sessions(user_id).unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0].id, sessions[0].address.as_str()), (&vera.session_id, "192.0.2.1"));
    assert_eq!(sessions[0].client.as_deref(), Some("a browser"));
    let theirs = Which::One { user_id, session_id: &admin.session_id };
    let session = admin.session_id.clone();
    assert_eq!(
        control.end_sessions(&theirs).unwrap_err(),
        Error::NotFound { what: "session", id: session }
    );
    let one = Which::One { user_id, session_id: &vera.session_id };
    assert_eq!(control.end_sessions(&one).unwrap(), 1);
    assert!(!holds(&control, &vera) && holds(&control, &again));
    assert_eq!(control.end_sessions(&Which::All { user_id }).unwrap(), 1);
    assert!(!holds(&control, &again) && holds(&control, &admin));
    assert_eq!(control.refresh(&again.refresh).unwrap_err(), RefreshError::Refused);
    let mut opened = Vec::new();
    for _ in 0..=control::SESSIONS_MAX {
        opened.push(control.login("vera", PASSWORD, HERE).unwrap());
    }
    assert_eq!(control.sessions(user_id).unwrap().len(), control::SESSIONS_MAX);
    assert!(!holds(&control, &opened[0]), "the oldest ends for a further one");
}

#[test]
fn signing_keys_can_be_changed_by_hand() {
    let (_dir, control) = store();
    let before = control.login("admin", PASSWORD, HERE).unwrap();
    control.rotate_signing_key(false).unwrap();
    assert!(holds(&control, &before));
    let after = control.refresh(&before.refresh).unwrap();
    control.rotate_signing_key(true).unwrap();
    assert!(!holds(&control, &before) && !holds(&control, &after));
    let again = control.refresh(&after.refresh).unwrap();
    assert!(holds(&control, &again), "people stay signed in");
}

#[test]
fn repeated_failures_are_held_up() {
    let (_dir, control) = store();
    for _ in 0..5 {
        assert_eq!(control.login("admin", "wrong", HERE).unwrap_err(), LoginError::Refused);
    }
    let held = control.login("admin", PASSWORD, HERE).unwrap_err();
    assert!(matches!(held, LoginError::TooMany { .. }), "{held:?}");
    control.login("admin", PASSWORD, From { address: "192.0.2.2", client: None }).unwrap();
}
