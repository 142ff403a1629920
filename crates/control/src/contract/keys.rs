//! API keys.

use super::{Make, at};
use crate::{ApiKey, DayUse, Error, KeyLimits, Scope, StoredKey};

pub(super) fn check(make: Make<'_>) {
    keys_are_kept_as_they_are(make);
    replaced_and_revoked_keys_end(make);
    use_is_kept(make);
}

fn key(name: &str, s: i64) -> StoredKey {
    let key = ApiKey {
        id: format!("key_{name}"),
        hint: "al_rd_abcd".to_owned(),
        source: Some("finance".to_owned()),
        scopes: vec![Scope::Gateway, Scope::Read],
        created_at: at(s),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        rotated_from: None,
        limits: KeyLimits {
            rate: "600/m".parse().ok(),
            burst: Some(20),
            requests_per_day: Some(2),
            tokens_per_day: Some(1_000),
            cost_per_day: "0.25".parse().ok(),
        },
    };
    StoredKey { digest: [s as u8; 32], key }
}

fn keys_are_kept_as_they_are(make: Make<'_>) {
    let store = make();
    let bare = ApiKey { source: None, limits: KeyLimits::default(), ..key("2", 2).key };
    let bare = StoredKey { digest: [2; 32], key: bare };
    store.add_key(&key("1", 1)).unwrap();
    store.add_key(&bare).unwrap();
    assert_eq!(store.keys().unwrap(), [bare, key("1", 1)], "newest first");
}

fn replaced_and_revoked_keys_end(make: Make<'_>) {
    let store = make();
    store.add_key(&key("1", 1)).unwrap();
    store.replace_key("key_1", at(50), &key("2", 10)).unwrap();
    let ends = |id: &str| {
        let keys = store.keys().unwrap();
        keys.into_iter().find(|stored| stored.key.id == id).map(|stored| stored.key.expires_at)
    };
    assert_eq!((ends("key_1"), ends("key_2")), (Some(Some(at(50))), Some(None)));
    store.replace_key("key_1", at(90), &key("3", 20)).unwrap();
    assert_eq!(ends("key_1"), Some(Some(at(50))), "a second time does not prolong it");
    let ended = store.replace_key("key_1", at(90), &key("4", 60)).unwrap_err();
    assert_eq!(ended, Error::KeyEnded { id: "key_1".to_owned() });
    assert_eq!(ends("key_4"), None, "done whole or not at all");
    assert_eq!(store.revoke_key("key_2", at(70)).unwrap().revoked_at, Some(at(70)));
    assert_eq!(store.revoke_key("key_2", at(80)).unwrap().revoked_at, Some(at(70)));
    let ended = store.replace_key("key_2", at(90), &key("4", 75)).unwrap_err();
    assert_eq!(ended, Error::KeyEnded { id: "key_2".to_owned() });
    for missing in [
        store.revoke_key("key_none", at(1)).map(drop),
        store.replace_key("key_none", at(90), &key("4", 75)),
    ] {
        let expected = Error::NotFound { what: "key", id: "key_none".to_owned() };
        assert_eq!(missing.unwrap_err(), expected);
    }
}

fn use_is_kept(make: Make<'_>) {
    let store = make();
    store.add_key(&key("1", 1)).unwrap();
    store.keys_used(&[("key_1".to_owned(), at(9)), ("key_none".to_owned(), at(9))]).unwrap();
    store.keys_used(&[("key_1".to_owned(), at(7))]).unwrap();
    assert_eq!(store.keys().unwrap()[0].key.last_used_at, Some(at(9)), "never goes back");
    let used = |day, requests| DayUse { day, requests, ..DayUse::default() };
    store.save_key_use(&[("a".to_owned(), used(1, 5)), ("b".to_owned(), used(1, 6))]).unwrap();
    store.save_key_use(&[("a".to_owned(), used(2, 1))]).unwrap();
    let expected = [("a".to_owned(), used(2, 1)), ("b".to_owned(), used(1, 6))];
    assert_eq!(store.key_use().unwrap(), expected);
}
