//! The key store at its boundary: durability, identity, refusal.

use futures_util::future::join_all;
use seal::{Error, KeyClass, KeyId, KeyRing, LocalKeyFile, Options, RecordKey, SigningKey};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

fn open(dir: &Path) -> Result<KeyRing, Error> {
    let provider = LocalKeyFile::load_or_create(&dir.join("keys"))?;
    KeyRing::open(&dir.join("subjects.db"), Arc::new(provider), Options::default())
}

fn open_read_only(dir: &Path) -> Result<KeyRing, Error> {
    let provider = LocalKeyFile::load(&dir.join("keys"))?;
    KeyRing::open_read_only(&dir.join("subjects.db"), Arc::new(provider))
}

/// Two subject keys are the same where they derive the same record key.
fn fingerprint(key: &Arc<seal::SubjectKey>) -> [u8; 32] {
    RecordKey::derive(&[0; 16], std::slice::from_ref(key)).commitment()
}

#[tokio::test]
async fn restart_keeps_keys_and_names_and_classes_are_apart() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let alice = ring.get_or_create(KeyClass::Subject, "alice").await.unwrap();
    let staff = ring.get_or_create(KeyClass::Staff, "alice").await.unwrap();
    let bob = ring.get_or_create(KeyClass::Subject, "bob").await.unwrap();
    assert_ne!(fingerprint(&alice), fingerprint(&staff));
    assert_ne!(fingerprint(&alice), fingerprint(&bob));
    drop(ring);

    let ring = open(dir.path()).unwrap();
    assert!(ring.cached(KeyClass::Subject, "alice").is_none());
    let again = ring.get_or_create(KeyClass::Subject, "alice").await.unwrap();
    assert_eq!((again.id(), fingerprint(&again)), (alice.id(), fingerprint(&alice)));
    assert_eq!(fingerprint(&ring.by_id(staff.id()).unwrap()), fingerprint(&staff));
    assert!(ring.cached(KeyClass::Subject, "alice").is_some());
    assert!(ring.cached(KeyClass::Staff, "bob").is_none());
    assert_eq!(ring.stats().created, 0);
}

#[tokio::test]
async fn concurrent_creations_share_transactions_and_agree() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let names: Vec<String> = (0..1000).map(|n| format!("user-{}", n % 500)).collect();
    let keys = join_all(names.iter().map(|name| ring.get_or_create(KeyClass::Subject, name))).await;
    let ids: Vec<KeyId> = keys.into_iter().map(|key| key.unwrap().id()).collect();
    assert_eq!(ids[..500], ids[500..]);
    let stats = ring.stats();
    assert_eq!(stats.created, 500);
    assert!(stats.transactions < 100, "{stats:?}");
    drop(ring);
    let ring = open_read_only(dir.path()).unwrap();
    for id in &ids {
        assert_eq!(ring.by_id(*id).unwrap().id(), *id);
    }
}

#[tokio::test]
async fn small_cache_still_finds_every_key() {
    let dir = tempfile::tempdir().unwrap();
    let provider = LocalKeyFile::load_or_create(&dir.path().join("keys")).unwrap();
    let options = Options { cache_keys_max: 4 };
    let ring = KeyRing::open(&dir.path().join("subjects.db"), Arc::new(provider), options).unwrap();
    let mut made = Vec::new();
    for n in 0..50 {
        made.push(ring.get_or_create(KeyClass::Subject, &n.to_string()).await.unwrap());
    }
    for (n, key) in made.iter().enumerate() {
        let again = ring.get_or_create(KeyClass::Subject, &n.to_string()).await.unwrap();
        assert_eq!(fingerprint(&again), fingerprint(key));
        assert_eq!(fingerprint(&ring.by_id(key.id()).unwrap()), fingerprint(key));
    }
}

#[tokio::test]
async fn reading_beside_the_writer_sees_new_keys_and_creates_none() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let reader = open_read_only(dir.path()).unwrap();
    let key = ring.get_or_create(KeyClass::Subject, "alice").await.unwrap();
    assert_eq!(fingerprint(&reader.by_id(key.id()).unwrap()), fingerprint(&key));
    assert_eq!(reader.find(KeyClass::Subject, "alice").unwrap().unwrap().id(), key.id());
    assert!(reader.find(KeyClass::Subject, "bob").unwrap().is_none());
    let refused = reader.get_or_create(KeyClass::Subject, "bob").await.unwrap_err();
    assert_eq!(refused, Error::ReadOnly);
}

#[tokio::test]
async fn erased_and_unknown_are_told_apart_and_nothing_is_left_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let alice = ring.get_or_create(KeyClass::Subject, "alice").await.unwrap();
    let wrapped: Vec<u8> = rusqlite::Connection::open(dir.path().join("subjects.db"))
        .unwrap()
        .query_row("SELECT wrapped FROM subject_keys", [], |row| row.get(0))
        .unwrap();
    let erased = Error::Erased { id: alice.id() };
    assert_eq!(ring.erase(KeyClass::Subject, "alice").await.unwrap(), Some(alice.id()));
    assert_eq!(ring.by_id(alice.id()).unwrap_err(), erased);
    assert!(ring.cached(KeyClass::Subject, "alice").is_none());
    assert_eq!(ring.erase(KeyClass::Subject, "alice").await.unwrap(), None);
    let never = KeyId::from([7; 16]);
    assert_eq!(ring.by_id(never).unwrap_err(), Error::Unknown { id: never });
    for file in ["subjects.db", "subjects.db-wal"] {
        let bytes = std::fs::read(dir.path().join(file)).unwrap();
        assert!(!bytes.windows(wrapped.len()).any(|window| window == wrapped), "{file}");
    }
    drop(ring);
    let ring = open(dir.path()).unwrap();
    assert_eq!(ring.by_id(alice.id()).unwrap_err(), erased);
    let next = ring.get_or_create(KeyClass::Subject, "alice").await.unwrap();
    assert_ne!(next.id(), alice.id());
}

#[tokio::test]
async fn wrong_key_encryption_key_is_refused_and_never_reads_as_erased() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    ring.get_or_create(KeyClass::Subject, "alice").await.unwrap();
    drop(ring);
    std::fs::write(dir.path().join("keys/kek"), [9; 32]).unwrap();
    let wrong = Error::WrongKek { path: dir.path().join("subjects.db") };
    assert_eq!(open(dir.path()).unwrap_err(), wrong);
    assert_eq!(open_read_only(dir.path()).unwrap_err(), wrong);
}

#[tokio::test]
async fn changed_wrapped_key_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let alice = ring.get_or_create(KeyClass::Subject, "alice").await.unwrap();
    let bob = ring.get_or_create(KeyClass::Subject, "bob").await.unwrap();
    drop(ring);
    let path = dir.path().join("subjects.db");
    let swap = "UPDATE subject_keys SET wrapped = (SELECT wrapped FROM subject_keys WHERE id = ?1) \
                WHERE id = ?2";
    let ids = [alice.id(), bob.id()].map(|id| id.as_bytes().to_vec());
    rusqlite::Connection::open(path).unwrap().execute(swap, ids).unwrap();
    let ring = open(dir.path()).unwrap();
    assert_eq!(ring.by_id(bob.id()).unwrap_err(), Error::DamagedKey { id: bob.id() });
}

#[test]
fn newer_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let path = dir.path().join("subjects.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 2).unwrap();
    let newer = Error::NewerFormat { path, found: 2, known: 1 };
    assert_eq!(open(dir.path()).unwrap_err(), newer);
    assert_eq!(open_read_only(dir.path()).unwrap_err(), newer);
}

#[test]
fn secrets_are_private_and_readable_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let keys = dir.path().join("keys");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!(mode(&keys), 0o700);
    assert_eq!(mode(&keys.join("kek")), 0o600);
    assert_eq!(mode(&dir.path().join("subjects.db")), 0o600);
    assert_eq!(std::fs::read_dir(&keys).unwrap().count(), 1, "no temporary file is left");

    chmod(&keys.join("kek"), 0o640);
    let error = open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("chmod 0600"), "{error}");
    chmod(&keys.join("kek"), 0o600);
    chmod(&keys, 0o755);
    let error = open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("chmod 0700"), "{error}");
}

#[test]
fn key_files_hold_raw_or_hexadecimal_keys_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    let missing = SigningKey::load(&keys).unwrap_err();
    assert_eq!(missing, Error::NoKeyFile { path: keys.join("signing") });
    let made = SigningKey::load_or_create(&keys).unwrap();
    let text = std::fs::read(keys.join("signing")).unwrap();
    assert_eq!(text.len(), 65);
    assert_eq!(SigningKey::load(&keys).unwrap().public(), made.public());
    let raw = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(std::str::from_utf8(&text[at..at + 2]).unwrap(), 16).unwrap());
    std::fs::write(keys.join("signing"), raw.collect::<Vec<_>>()).unwrap();
    assert_eq!(SigningKey::load(&keys).unwrap().public(), made.public());
    std::fs::write(keys.join("signing"), "not a key").unwrap();
    let error = SigningKey::load_or_create(&keys).unwrap_err();
    assert_eq!(error, Error::KeyFile { path: keys.join("signing") });
}

#[test]
fn signatures_verify() {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::load_or_create(&dir.path().join("keys")).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, key.public());
    public.verify(b"a checkpoint", &key.sign(b"a checkpoint")).unwrap();
    public.verify(b"another", &key.sign(b"a checkpoint")).unwrap_err();
}
