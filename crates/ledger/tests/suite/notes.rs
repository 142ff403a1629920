use ledger::{
    Checkpoint, CheckpointError, EMPTY_ROOT, KeyError, KeyKind, NOTE_BYTES_MAX,
    NOTE_SIGNATURES_MAX, Note, NoteError, NoteSignature, SignedCheckpoint, Signer as _,
    TrustedKeys, VerifierKey, cosignature_message, leaf_hash, parse_signature_lines,
};

use crate::log::{ORIGIN, TestKey, sign, trust};

/// The example of signed-note.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

#[test]
fn the_example_of_the_specification_verifies() {
    let key: VerifierKey = VKEY.parse().unwrap();
    assert_eq!(key.to_string(), VKEY);
    assert_eq!((key.name(), key.key_id()), ("example.com/foo", 0x530d_903a));
    let note = Note::parse(NOTE.as_bytes()).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    assert_eq!(note.to_string(), NOTE);
    let verified = note.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!((verified[0].key.clone(), verified[0].time_seconds), (key, None));
    assert_eq!(note.verify(&[TestKey::log(1).verifier()]), Err(NoteError::NoKnownSignature));
}

#[test]
fn vkeys_are_read_strictly() {
    for (vkey, error) in [
        ("", KeyError::Malformed("fewer than three parts")),
        ("example.com/foo+530d903a", KeyError::Malformed("fewer than three parts")),
        (
            &VKEY.replace("530d", "530D"),
            KeyError::Malformed("the id is not 8 lower case hex digits"),
        ),
        (
            &VKEY.replace("530d", "+30d"),
            KeyError::Malformed("the id is not 8 lower case hex digits"),
        ),
        (&VKEY.replace("530d", "530e"), KeyError::Malformed("the id is not that of name and key")),
        (&VKEY.replace("foo", "fop"), KeyError::Malformed("the id is not that of name and key")),
        (&VKEY.replace("/foo", " foo"), KeyError::Name),
        (&format!("{VKEY}="), KeyError::Malformed("the key is not base64")),
        ("x+00000000+", KeyError::Malformed("the key is empty")),
        ("x+00000000+AQI=", KeyError::Malformed("the public key has not 32 bytes")),
        ("x+00000000+BgI=", KeyError::Kind(6)),
    ] {
        assert_eq!(vkey.parse::<VerifierKey>(), Err(error), "{vkey:?}");
    }
}

#[test]
fn malformed_notes_are_refused() {
    let line = NOTE.split("\n\n").nth(1).unwrap();
    for note in [
        String::new(),
        "\n".to_owned(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        NOTE.trim_end().to_owned(),
        NOTE.replace("\n\n", "\n"),
        NOTE.replace('\u{2014}', "-"),
        NOTE.replace("foo Uw2", "foo  Uw2"),
        NOTE.replace("foo Uw2", "foo\u{a0}x Uw2"),
        NOTE.replace("foo Uw2", "f+o Uw2"),
        NOTE.replace("foo Uw2", "foo U"),
        NOTE.replace("example.com/foo Uw2", " Uw2"),
        NOTE.replace("aQM=", "aQN="),
        NOTE.replace("This", "Th\ts"),
        NOTE.replace('\n', "\r\n"),
        format!("{NOTE}\n"),
        format!("text\n\n{line}garbage\n"),
    ] {
        assert!(matches!(Note::parse(note.as_bytes()), Err(NoteError::Malformed(_))), "{note:?}");
    }
    assert!(Note::parse(&[NOTE.as_bytes(), b"\xff"].concat()).is_err());
    // The text may have empty lines: the last one divides.
    let with_blank = format!("text\n\nmore\n\n{line}");
    assert_eq!(Note::parse(with_blank.as_bytes()).unwrap().text(), "text\n\nmore\n");
}

#[test]
fn notes_are_bounded() {
    let line = NOTE.split("\n\n").nth(1).unwrap();
    let most = format!("text\n\n{}", line.repeat(NOTE_SIGNATURES_MAX));
    assert_eq!(Note::parse(most.as_bytes()).unwrap().signatures().len(), NOTE_SIGNATURES_MAX);
    let more = format!("{most}{line}");
    assert_eq!(Note::parse(more.as_bytes()), Err(NoteError::TooLarge));
    let long = vec![b'a'; NOTE_BYTES_MAX + 1];
    assert_eq!(Note::parse(&long), Err(NoteError::TooLarge));
}

#[test]
fn one_wrong_signature_of_a_known_key_refuses_the_note() {
    let key = TestKey::log(1);
    let mut note = Note::new("text\n").unwrap();
    note.sign(&key).unwrap();
    assert!(note.verify(&[key.verifier()]).is_ok());
    note.add(NoteSignature { name: key.name.clone(), key_id: key.key_id(), bytes: vec![0; 64] })
        .unwrap();
    assert_eq!(note.verify(&[key.verifier()]), Err(NoteError::BadSignature(ORIGIN.to_owned())));
}

#[test]
fn names_and_ids_tell_keys_apart() {
    let (key, other) = (TestKey::log(1), TestKey::log(2));
    let mut note = Note::new("text\n").unwrap();
    note.sign(&key).unwrap();
    // The same id under another name, and the same name with another id, are unknown keys.
    let strange = NoteSignature { name: "x".into(), key_id: key.key_id(), bytes: vec![0; 64] };
    note.add(strange).unwrap();
    note.sign(&other).unwrap();
    assert_eq!(note.verify(&[key.verifier()]).unwrap().len(), 1);
    // Two keys while one replaces the other.
    assert_eq!(note.verify(&[key.verifier(), other.verifier()]).unwrap().len(), 2);
    assert!(Note::new("text").is_err());
    assert!(Note::new("te\rxt\n").is_err());
}

#[test]
fn checkpoints_are_read_strictly() {
    let root = leaf_hash(b"x");
    let good = Checkpoint::new(ORIGIN, 7, root).unwrap();
    let text = good.to_string();
    assert_eq!(text, format!("{ORIGIN}\n7\n{}\n", root.to_base64()));
    assert_eq!(text.parse(), Ok(good.clone()));
    assert_eq!(format!("{text}extension\n").parse(), Ok(good));
    for bad in [
        text.replace("\n7\n", "\n07\n"),
        text.replace("\n7\n", "\n+7\n"),
        text.replace("\n7\n", "\n\n"),
        text.replace("\n7\n", "\n-7\n"),
        text.replace("\n7\n", "\n0\n"),
        text.replace("\n7\n", "\n9223372036854775808\n"),
        text.replace("\n7\n", "\n18446744073709551616\n"),
        text.replace(ORIGIN, ""),
        text.replace("=\n", "\n"),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}extension\n\nextension\n"),
        format!("{text}{}", "extension\n".repeat(65)),
        format!("{ORIGIN}\n7\nAAAA\n"),
        format!("{ORIGIN}\n7\n"),
    ] {
        let parsed = bad.parse::<Checkpoint>();
        assert!(matches!(parsed, Err(CheckpointError::Malformed(_))), "{bad:?}");
    }
    assert!(Checkpoint::new(ORIGIN, 0, EMPTY_ROOT).is_ok());
    assert!(Checkpoint::new(ORIGIN, 0, root).is_err());
    for origin in ["", "a b", "a+b", "a\nb", "a\tb"] {
        assert!(matches!(Checkpoint::new(origin, 7, root), Err(CheckpointError::Origin(_))));
    }
}

#[test]
fn the_log_must_have_signed_under_its_own_name() {
    let (key, root) = (TestKey::log(1), leaf_hash(b"x"));
    let signed = SignedCheckpoint::parse(&sign(7, root, &key)).unwrap();
    assert_eq!(signed.verify(&trust(&key)).unwrap().len(), 1);
    let unknown = CheckpointError::UnknownOrigin(ORIGIN.to_owned());
    assert_eq!(signed.verify(&TrustedKeys::default()), Err(unknown.clone()));
    // The same key under another name, and a witness's key under the log's name.
    let renamed = TestKey::new("other.example.com", KeyKind::Ed25519, 1);
    assert_eq!(signed.verify(&trust(&renamed)), Err(unknown.clone()));
    let witness = TestKey::new(ORIGIN, KeyKind::CosignatureV1, 1);
    assert_eq!(signed.verify(&trust(&witness)), Err(unknown));
    let checkpoint = Checkpoint::new("other.example.com", 7, root).unwrap();
    assert!(checkpoint.sign(&key).is_err());
}

fn cosign(signed: &SignedCheckpoint, witness: &TestKey, time_seconds: u64) -> NoteSignature {
    let mut bytes = time_seconds.to_be_bytes().to_vec();
    bytes.extend(witness.sign(&cosignature_message(time_seconds, signed.note().text())));
    NoteSignature { name: witness.name.clone(), key_id: witness.key_id(), bytes }
}

#[test]
fn cosignatures_are_verified_and_counted() {
    let key = TestKey::log(1);
    let witnesses: Vec<TestKey> = (10..13)
        .map(|seed| TestKey::new(&format!("w{seed}.example"), KeyKind::CosignatureV1, seed))
        .collect();
    let mut signed = SignedCheckpoint::parse(&sign(7, leaf_hash(b"x"), &key)).unwrap();
    // What a witness answers is read as signature lines.
    let answer = cosign(&signed, &witnesses[0], 1_679_315_147).to_string();
    for line in parse_signature_lines(&answer).unwrap() {
        signed.note_mut().add(line).unwrap();
    }
    let again = cosign(&signed, &witnesses[0], 1_679_315_148);
    signed.note_mut().add(again).unwrap();
    let mut keys = trust(&key);
    keys.witnesses = witnesses.iter().map(TestKey::verifier).collect();
    keys.witnesses_min = 1;
    let parsed = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
    let times: Vec<Option<u64>> =
        parsed.verify(&keys).unwrap().iter().map(|verified| verified.time_seconds).collect();
    assert_eq!(times, [None, Some(1_679_315_147), Some(1_679_315_148)]);
    // Two times by one witness are one witness.
    keys.witnesses_min = 2;
    let few = CheckpointError::Witnesses { found: 1, needed: 2 };
    assert_eq!(parsed.verify(&keys), Err(few));
    let second = cosign(&signed, &witnesses[1], 1);
    signed.note_mut().add(second).unwrap();
    assert_eq!(signed.verify(&keys).unwrap().len(), 4);

    // A time that no signed 64-bit number holds, though the witness did sign it.
    let mut late = signed.clone();
    late.note_mut().add(cosign(&signed, &witnesses[2], 1 << 63)).unwrap();
    assert!(late.verify(&keys).is_err());

    for forged in [0_usize, 7, 8, 71] {
        let mut bad = signed.clone();
        let mut signature = cosign(&bad, &witnesses[2], 5);
        signature.bytes[forged] ^= 0x80;
        bad.note_mut().add(signature).unwrap();
        let error = bad.verify(&keys).unwrap_err();
        assert!(matches!(error, CheckpointError::Note(NoteError::BadSignature(_))), "{error}");
    }
}

#[test]
fn a_function_can_sign() {
    let key = TestKey::log(1);
    let signer = ledger::SignWith::new(key.verifier(), |message: &[u8]| key.sign(message));
    let checkpoint = Checkpoint::new(ORIGIN, 7, leaf_hash(b"x")).unwrap();
    let signed = checkpoint.sign(&signer).unwrap();
    assert_eq!(signed.to_string().into_bytes(), sign(7, leaf_hash(b"x"), &key));
}

#[test]
fn the_vkey_of_a_witness_round_trips() {
    let witness = TestKey::new("w.example", KeyKind::CosignatureV1, 9).verifier();
    let text = witness.to_string();
    assert_eq!(text.parse(), Ok(witness.clone()));
    let log = VerifierKey::new("w.example", KeyKind::Ed25519, *witness.public()).unwrap();
    assert_ne!(log.key_id(), witness.key_id());
}
