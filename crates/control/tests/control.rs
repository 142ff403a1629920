//! The control store at its boundary.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use control::{Control, Error, KeyLimits, LimitKind, NewKey, Scope};
use event::Timestamp;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

fn open(dir: &Path) -> Control {
    Control::open(&dir.join("control.db")).unwrap()
}

fn gateway_key() -> NewKey {
    NewKey {
        source: Some("finance-app".to_owned()),
        scopes: vec![Scope::Gateway],
        ..NewKey::default()
    }
}

#[test]
fn keys_authenticate_across_restarts_and_are_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let control = open(dir.path());
    let created = control.create_key(gateway_key()).unwrap();
    assert!(created.secret.starts_with("al_gw_") && created.secret.len() == 49);
    assert!(!format!("{created:?}").contains(created.secret.as_str()));
    let found = control.authenticate(&created.secret).unwrap();
    assert_eq!(found.source.as_deref(), Some("finance-app"));
    assert!(found.allows(Scope::Gateway) && !found.allows(Scope::Read));
    drop(control);
    let control = open(dir.path());
    assert_eq!(control.authenticate(&created.secret).unwrap().id, created.key.id);
    assert!(control.list_keys().unwrap()[0].last_used_at.is_some());
    for file in ["control.db", "control.db-wal"] {
        let bytes = std::fs::read(dir.path().join(file)).unwrap_or_default();
        let secret = created.secret.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{file}");
    }
    let mode = std::fs::metadata(dir.path().join("control.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn unknown_changed_and_foreign_keys_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let control = open(dir.path());
    let secret = control.create_key(gateway_key()).unwrap().secret.to_string();
    let last = if secret.ends_with('A') { 'B' } else { 'A' };
    let changed = format!("{}{last}", &secret[..secret.len() - 1]);
    let prefix = secret.replace("al_gw_", "al_rd_");
    let bad =
        ["", "sk-proj-abc", "al_gw_", &changed, &prefix, &secret[..48], &format!("{secret} ")];
    for bad in bad {
        assert!(control.authenticate(bad).is_none(), "{bad:?} was taken");
    }
}

#[test]
fn revoked_expired_and_rotated_keys_end() {
    let dir = tempfile::tempdir().unwrap();
    let control = open(dir.path());
    let first = control.create_key(gateway_key()).unwrap();
    let second = control.rotate_key(&first.key.id, Duration::from_hours(1)).unwrap();
    assert_eq!(second.key.rotated_from.as_deref(), Some(first.key.id.as_str()));
    assert_eq!((&second.key.source, &second.key.scopes), (&first.key.source, &first.key.scopes));
    assert!(control.authenticate(&first.secret).is_some(), "both hold during the overlap");
    let third = control.rotate_key(&second.key.id, Duration::ZERO).unwrap();
    assert!(control.authenticate(&second.secret).is_none());
    let ended = control.rotate_key(&second.key.id, Duration::ZERO).unwrap_err();
    assert_eq!(ended, Error::KeyEnded { id: second.key.id.clone() });
    let revoked = control.revoke_key(&third.key.id).unwrap().revoked_at;
    assert!(control.authenticate(&third.secret).is_none());
    assert_eq!(control.revoke_key(&third.key.id).unwrap().revoked_at, revoked);
    let expired = NewKey { expires_at: Some(Timestamp::from_micros(1)), ..gateway_key() };
    assert!(control.authenticate(&control.create_key(expired).unwrap().secret).is_none());
    assert_eq!(control.list_keys().unwrap().len(), 4);
    let missing = control.revoke_key("key_none").unwrap_err();
    assert_eq!(missing, Error::NotFound { what: "key", id: "key_none".to_owned() });
}

#[test]
fn keys_need_a_scope_and_a_source_that_a_header_can_carry() {
    let dir = tempfile::tempdir().unwrap();
    let control = open(dir.path());
    assert!(control.create_key(NewKey { scopes: Vec::new(), ..gateway_key() }).is_err());
    for source in ["", " ", "naïve", "a\nb", &"x".repeat(257)] {
        let new = NewKey { source: Some(source.to_owned()), ..gateway_key() };
        assert!(control.create_key(new).is_err(), "{source:?} was taken");
    }
    let both = NewKey { scopes: vec![Scope::Read, Scope::Gateway, Scope::Read], ..gateway_key() };
    assert_eq!(control.create_key(both).unwrap().key.scopes, [Scope::Gateway, Scope::Read]);
}

#[test]
fn newer_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = dir.path().join("control.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    let refused = Control::open(&path).unwrap_err();
    assert!(matches!(refused, Error::NewerFormat { found: 99, .. }), "{refused:?}");
}

#[test]
fn limits_and_use_survive_a_restart_and_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let control = open(dir.path());
    let limits = KeyLimits {
        rate: "600/m".parse().ok(),
        burst: Some(20),
        requests_per_day: Some(2),
        tokens_per_day: Some(1_000),
        cost_per_day: "0.25".parse().ok(),
    };
    let first = control.create_key(NewKey { limits, ..gateway_key() }).unwrap();
    assert_eq!(control.authenticate(&first.secret).unwrap().limits, limits);
    let now = Timestamp::now();
    let admit = |control: &Control, id: &str| {
        control.meter(id).admit(&limits, std::time::Instant::now(), now)
    };
    admit(&control, &first.key.id).unwrap();
    control.meter(&first.key.id).spend(12, "0.05".parse().ok(), now);
    drop(control);
    let control = open(dir.path());
    let used = control.meter(&first.key.id).used(now);
    assert_eq!((used.requests, used.tokens, used.cost.to_string()), (1, 12, "0.05".to_owned()));
    let second = control.rotate_key(&first.key.id, Duration::ZERO).unwrap();
    assert_eq!(second.key.limits, limits);
    admit(&control, &second.key.id).unwrap();
    let reached = admit(&control, &second.key.id).unwrap_err();
    assert_eq!(reached.kind, LimitKind::RequestsPerDay, "a rotation is no new day");
    let wrong = KeyLimits { burst: Some(0), ..limits };
    assert!(control.create_key(NewKey { limits: wrong, ..gateway_key() }).is_err());
}
