//! Sessions, refresh tokens, signing keys.

use super::{Make, at, names, peopled, refresh, session};
use crate::{AccountChange, SigningKey, Turn, Which};
use zeroize::Zeroizing;

pub(super) fn check(make: Make<'_>) {
    refresh_tokens_are_good_once(make);
    what_is_over_is_not_turned(make);
    a_changed_account_opens_none(make);
    oldest_ends_for_a_further_one(make);
    those_that_are_meant_end(make);
    signing_keys_follow_each_other(make);
}

fn refresh_tokens_are_good_once(make: Make<'_>) {
    let (store, admin, _) = peopled(make);
    let opened = session(&admin, "1", at(10));
    assert!(store.open_session(&admin, &opened, &refresh(1, at(100)), 9).unwrap());
    assert_eq!(store.account("admin").unwrap().unwrap().user.last_login_at, Some(at(10)));
    let Turn::Turned(turned) = store.turn(&[1; 32], &refresh(2, at(110)), at(20)).unwrap() else {
        panic!("a good token was refused");
    };
    assert_eq!((&turned.id, turned.last_used_at), (&opened.id, at(20)));
    assert_eq!(store.sessions(at(21)).unwrap(), std::slice::from_ref(&turned));
    let reused = store.turn(&[1; 32], &refresh(3, at(120)), at(30)).unwrap();
    assert_eq!(reused, Turn::Reused(turned));
    assert!(store.sessions(at(31)).unwrap().is_empty(), "the family ends");
    assert_eq!(store.turn(&[2; 32], &refresh(4, at(130)), at(32)).unwrap(), Turn::Unknown);
    assert_eq!(store.turn(&[9; 32], &refresh(5, at(130)), at(32)).unwrap(), Turn::Unknown);
}

fn what_is_over_is_not_turned(make: Make<'_>) {
    let (store, admin, _) = peopled(make);
    let opened = session(&admin, "1", at(0));
    assert!(store.open_session(&admin, &opened, &refresh(1, at(100)), 9).unwrap());
    assert_eq!(store.turn(&[1; 32], &refresh(2, at(200)), at(100)).unwrap(), Turn::Unknown);
    assert_eq!(store.sessions(at(99)).unwrap().len(), 1);
    assert!(store.sessions(at(100)).unwrap().is_empty(), "not used for so long");
    let opened = session(&admin, "2", at(0));
    assert!(store.open_session(&admin, &opened, &refresh(3, at(5_000)), 9).unwrap());
    let turned = store.turn(&[3; 32], &refresh(4, at(9_000)), at(999)).unwrap();
    assert!(matches!(turned, Turn::Turned(_)));
    let over = store.turn(&[4; 32], &refresh(5, at(9_000)), at(1_000)).unwrap();
    assert_eq!(over, Turn::Unknown, "no session is longer than it was meant to be");
    assert!(store.sessions(at(1_000)).unwrap().is_empty());
}

fn a_changed_account_opens_none(make: Make<'_>) {
    let (store, admin, _) = peopled(make);
    let password = Some(("other".to_owned(), false));
    let change = AccountChange { password, ..AccountChange::default() };
    store.change_account(&admin.user.id, &change, None, at(5)).unwrap();
    let opened = session(&admin, "1", at(10));
    assert!(!store.open_session(&admin, &opened, &refresh(1, at(100)), 9).unwrap());
    assert!(store.sessions(at(11)).unwrap().is_empty());
}

fn oldest_ends_for_a_further_one(make: Make<'_>) {
    let (store, admin, viewer) = peopled(make);
    let other = session(&admin, "other", at(1));
    assert!(store.open_session(&admin, &other, &refresh(9, at(500)), 2).unwrap());
    for number in 1..=3_u8 {
        let opened = session(&viewer, &number.to_string(), at(10 + i64::from(number)));
        assert!(store.open_session(&viewer, &opened, &refresh(number, at(500)), 2).unwrap());
    }
    assert_eq!(names(&store.sessions(at(20)).unwrap()), ["ses_other", "ses_2", "ses_3"]);
    assert_eq!(store.turn(&[1; 32], &refresh(8, at(500)), at(21)).unwrap(), Turn::Unknown);
}

fn those_that_are_meant_end(make: Make<'_>) {
    let (store, admin, viewer) = peopled(make);
    for (number, who, name) in
        [(1, &admin, "a"), (2, &viewer, "b"), (3, &viewer, "c"), (4, &viewer, "d")]
    {
        let opened = session(who, name, at(10 + i64::from(number)));
        assert!(store.open_session(who, &opened, &refresh(number, at(500)), 9).unwrap());
    }
    let user_id = viewer.user.id.as_str();
    let foreign = Which::One { user_id, session_id: "ses_a" };
    assert_eq!(store.end_sessions(&foreign).unwrap(), 0, "not theirs");
    assert_eq!(store.end_sessions(&Which::One { user_id, session_id: "ses_b" }).unwrap(), 1);
    assert_eq!(store.end_sessions(&Which::Others { user_id, session_id: "ses_c" }).unwrap(), 1);
    assert_eq!(names(&store.sessions(at(20)).unwrap()), ["ses_a", "ses_c"]);
    assert_eq!(store.end_sessions(&Which::All { user_id }).unwrap(), 1);
    assert_eq!(names(&store.sessions(at(20)).unwrap()), ["ses_a"]);
}

fn signing_keys_follow_each_other(make: Make<'_>) {
    let store = make();
    let key = |name: &str, s: i64| SigningKey {
        id: name.to_owned(),
        seed: Zeroizing::new(vec![7; 32]),
        created_at: at(s),
    };
    store.add_signing_key(&key("1", 10), at(0)).unwrap();
    store.add_signing_key(&key("2", 20), at(0)).unwrap();
    assert_eq!(store.signing_keys().unwrap(), [key("1", 10), key("2", 20)]);
    store.add_signing_key(&key("3", 30), at(20)).unwrap();
    assert_eq!(store.signing_keys().unwrap(), [key("2", 20), key("3", 30)]);
}
