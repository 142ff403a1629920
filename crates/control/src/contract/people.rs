//! Accounts.

use super::{Make, account, at, peopled, refresh, session};
use crate::{AccountChange, Error, Role, UserChange};

pub(super) fn check(make: Make<'_>) {
    names_are_unique_whatever_the_case(make);
    changes_are_made_whole(make);
    last_administrator_stays_one(make);
    sessions_end_with_what_they_stand_for(make);
}

fn disabled(disabled: bool) -> AccountChange {
    let user = UserChange { disabled: Some(disabled), ..UserChange::default() };
    AccountChange { user, password: None }
}

fn names_are_unique_whatever_the_case(make: Make<'_>) {
    let (store, admin, viewer) = peopled(make);
    let taken = store.add_account(&account("VERA", Role::Admin)).unwrap_err();
    assert_eq!(taken, Error::Exists { what: "user", id: "VERA".to_owned() });
    assert_eq!(store.account("vERA").unwrap(), Some(viewer.clone()));
    assert_eq!(store.account("nobody").unwrap(), None);
    assert_eq!(store.accounts().unwrap(), [admin, viewer], "by name, whatever the case");
}

fn changes_are_made_whole(make: Make<'_>) {
    let (store, _, viewer) = peopled(make);
    let user = UserChange {
        role: Some(Role::ComplianceOfficer),
        user_id: Some("u-42".to_owned()),
        disabled: Some(true),
    };
    let change = AccountChange { user, password: Some(("other".to_owned(), true)) };
    let changed = store.change_account(&viewer.user.id, &change, None, at(5)).unwrap();
    assert_eq!(store.account("vera").unwrap(), Some(changed.clone()));
    assert_eq!((changed.user.role, changed.user.identity()), (Role::ComplianceOfficer, "u-42"));
    assert_eq!((changed.user.disabled_at, changed.user.must_change_password), (Some(at(5)), true));
    assert_eq!(changed.password_hash, "other");
    let again = store.change_account(&viewer.user.id, &disabled(true), None, at(6)).unwrap();
    assert_eq!(again.user.disabled_at, Some(at(5)), "since when does not change");
    let back = store.change_account(&viewer.user.id, &disabled(false), None, at(7)).unwrap();
    assert_eq!((back.user.disabled_at, back.password_hash.as_str()), (None, "other"));
    let missing = store.change_account("usr_none", &disabled(true), None, at(8)).unwrap_err();
    assert_eq!(missing, Error::NotFound { what: "user", id: "usr_none".to_owned() });
}

fn last_administrator_stays_one(make: Make<'_>) {
    let (store, admin, viewer) = peopled(make);
    let demoted = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
    let demoted = AccountChange { user: demoted, password: None };
    for change in [disabled(true), demoted] {
        let refused = store.change_account(&admin.user.id, &change, None, at(2)).unwrap_err();
        assert_eq!(refused, Error::LastAdmin { username: "admin".to_owned() });
        assert_eq!(store.account("admin").unwrap(), Some(admin.clone()), "nothing changed");
    }
    let promoted = UserChange { role: Some(Role::Admin), ..UserChange::default() };
    let promoted = AccountChange { user: promoted, password: None };
    store.change_account(&viewer.user.id, &promoted, None, at(3)).unwrap();
    store.change_account(&admin.user.id, &disabled(true), None, at(4)).unwrap();
}

fn sessions_end_with_what_they_stand_for(make: Make<'_>) {
    let (store, admin, viewer) = peopled(make);
    let role = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
    let identity = UserChange { user_id: Some("u-1".to_owned()), ..UserChange::default() };
    let changes = [
        (disabled(true), 0),
        (disabled(false), 1),
        (AccountChange { user: role, password: None }, 0),
        (AccountChange { user: identity, password: None }, 0),
        (AccountChange { password: Some(("new".to_owned(), false)), ..Default::default() }, 0),
    ];
    let staying = session(&admin, "staying", at(10));
    assert!(store.open_session(&admin, &staying, &refresh(0, at(90)), 9).unwrap());
    for (number, (change, left)) in changes.iter().enumerate() {
        let found = store.account("vera").unwrap().unwrap();
        let opened = session(&viewer, &number.to_string(), at(10));
        let was_open =
            store.open_session(&found, &opened, &refresh(number as u8 + 1, at(90)), 9).unwrap();
        assert_eq!(was_open, found.user.disabled_at.is_none(), "disabled: none is opened");
        store.change_account(&viewer.user.id, change, None, at(11)).unwrap();
        let open = store.sessions(at(12)).unwrap();
        let theirs = open.iter().filter(|one| one.user_id == viewer.user.id).count();
        assert_eq!(theirs, if was_open { *left } else { 0 }, "{change:?}");
        assert!(open.contains(&staying));
    }
    let found = store.account("vera").unwrap().unwrap();
    for (number, name) in [(21, "kept"), (22, "other")] {
        let opened = session(&viewer, name, at(20));
        assert!(store.open_session(&found, &opened, &refresh(number, at(90)), 9).unwrap());
    }
    let change =
        AccountChange { password: Some(("newer".to_owned(), false)), ..Default::default() };
    store.change_account(&viewer.user.id, &change, Some("ses_kept"), at(21)).unwrap();
    assert_eq!(super::names(&store.sessions(at(22)).unwrap()), ["ses_staying", "ses_kept"]);
}
