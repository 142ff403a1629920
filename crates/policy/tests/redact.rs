//! What is hidden, and what is not.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::OnceLock;

use policy::Redactor;
use proptest::prelude::*;

fn redactor() -> &'static Redactor {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    REDACTOR.get_or_init(Redactor::default)
}

fn redact(text: &str) -> String {
    redactor().redact(text).into_owned()
}

fn kept(text: &str) {
    assert!(matches!(redactor().redact(text), Cow::Borrowed(_)), "{text} → {}", redact(text));
}

#[test]
fn emails() {
    for (text, expected) in [
        ("Mail jane.doe+x@example.co.uk, please.", "Mail <EMAIL_1>, please."),
        ("a@b.de und c@d.fr und a@b.de", "<EMAIL_1> und <EMAIL_2> und <EMAIL_1>"),
        ("jürgen.müller@exämple.de!", "<EMAIL_1>!"),
        ("请联系zhang@example.com吧", "请联系<EMAIL_1>吧"),
        ("иван@пример.рф", "<EMAIL_1>"),
        ("<jane@example.com>.", "<<EMAIL_1>>."),
        ("mailto:jane@xn--exmple-cua.xn--p1ai", "mailto:<EMAIL_1>"),
        ("cut off here: jane@exam", "cut off here: <EMAIL_1>"),
        ("\"o'brien@example.com\"", "\"<EMAIL_1>\""),
    ] {
        assert_eq!(redact(text), expected);
    }
    for text in
        ["meet @ noon", "@handle said", "a@", "user@localhost said", "x@1.2 y", "5 @ 3.50 each"]
    {
        kept(text);
    }
}

#[test]
fn cards() {
    for number in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "4222222222222",
        "2223000048400011",
    ] {
        assert_eq!(redact(&format!("Karte {number}.")), "Karte <CREDIT_CARD_1>.", "{number}");
        assert_eq!(redact(&format!("卡号{number}吧")), "卡号<CREDIT_CARD_1>吧", "{number}");
    }
    assert_eq!(redact("on 2024 4111 1111 1111 1111 2027"), "on 2024 <CREDIT_CARD_1> 2027");
    for text in [
        "4111111111111112",
        "41111111111111111111",
        "1700000000000",
        "0.4111111111111111",
        "id4111111111111111",
        "4111111111111111abc",
        "0000000000000000",
        "123e4567-e89b-12d3-a456-426614174000",
    ] {
        kept(text);
    }
}

#[test]
fn secrets_by_their_prefix() {
    for key in [
        "sk-proj-abcDEF1234567890abcDEF",
        "sk-ant-api03-AAAAbbbbCCCC1111_-zz",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghij_klmn",
        "xoxb-123456789012-abcdefABCDEF",
        "al_gw_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde",
        "al_rd_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde",
        "AIzaSyA-abcdefghijklmnopqrstuvwxyz12345",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.abc-DEF_123",
        "hf_abcdefghijklmnopqrstuvwx",
    ] {
        assert_eq!(redact(&format!("use {key} now")), "use <SECRET_1> now", "{key}");
        assert_eq!(redact(&format!("密钥{key}。")), "密钥<SECRET_1>。", "{key}");
        assert_eq!(redact(&format!("\"{key}\"")), "\"<SECRET_1>\"", "{key}");
        let cut = &key[..key.len() - 3];
        assert!(redact(&format!("use {cut}")).ends_with("<SECRET_1>"), "{cut}");
    }
    for text in [
        "risk-assessment-of-2024-and-more-words",
        "sk-learn",
        "task-1234567890123456789",
        "desk_lamp_with_a_long_name_0123456789",
        "sk-these-are-only-words-with-hyphens-between ok",
        "AKIA is short",
        "eyJ is no token",
        "eyJhbGciOiJIUzI1NiJ9 alone",
        "half_a_loaf_is_better_than_none_they_say",
    ] {
        kept(text);
    }
}

#[test]
fn private_keys() {
    let block = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n-----END RSA PRIVATE KEY-----";
    assert_eq!(redact(&format!("a\n{block}\nb")), "a\n<SECRET_1>\nb");
    assert_eq!(redact("a -----BEGIN PRIVATE KEY-----\nMIIEow"), "a <SECRET_1>");
    kept(
        "-----BEGIN CERTIFICATE-----\nMIIEowMIIEowMIIEowMIIEowMIIEowMIIEow\n-----END CERTIFICATE-----",
    );
}

#[test]
fn values_behind_words() {
    for (text, expected) in [
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer <SECRET_1>"),
        ("bearer AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh", "bearer <SECRET_1>"),
        ("password: Tr0ub4dor&3x", "password: <SECRET_1>"),
        ("{\"api_key\": \"a1b2c3d4e5f6a7b8c9d0\"}", "{\"api_key\": \"<SECRET_1>\"}"),
        (
            "{\\\"client_secret\\\":\\\"Zm9vYmFyMTIzNDU2Nzg=\\\"}",
            "{\\\"client_secret\\\":\\\"<SECRET_1>\\\"}",
        ),
        ("DB_PASSWORD='hunter2hunter2!X'", "DB_PASSWORD='<SECRET_1>'"),
        ("TOKEN=9f86d081884c7d659a2feaa0c55ad015", "TOKEN=<SECRET_1>"),
    ] {
        assert_eq!(redact(text), expected);
    }
    for text in [
        "the bearer of bad news arrived",
        "password: please",
        "password: forgotten-password-page",
        "token: aaaaaaaaaaaaaaaaaaaaaaaa1",
        "tokens = tokenizer.encode(text)",
        "secret: it is a long story about nothing",
        "a: b, c = d",
    ] {
        kept(text);
    }
}

#[test]
fn text_without_findings_is_not_copied() {
    kept("");
    kept("Ein ganz normaler Satz, mit Zahlen: 12, 3.5 und 2024-11-01 — und 日本語 😀.");
}

/// As large as a thousand previews: what takes quadratic time does not end here.
#[test]
fn hostile_texts_take_linear_time() {
    for piece in [
        "sk-",
        "eyJ",
        "a@",
        "1 ",
        "4-",
        "token=",
        "-----BEGIN ",
        "Bearer ",
        "password:",
        "-----BEGIN PRIVATE KEY",
        "é@",
        "9",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let redacted = redact(&text);
        assert!(redacted.len() <= text.len() * 4);
    }
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        ".{0,6}",
        "[a-z@.é日]{0,8}",
        "[0-9 -]{0,24}",
        Just("jane@example.com".to_owned()),
        Just("4111111111111111".to_owned()),
        Just("sk-abcdef1234567890abcdef".to_owned()),
        Just("password=".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just(" ".to_owned()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_keeps_what_is_around_its_findings(text in texts()) {
        let redacted = redact(&text);
        // Between the placeholders stands what stood there, in order.
        let mut rest = text.as_str();
        let pieces: Vec<&str> = split(&redacted);
        for piece in pieces {
            let at = rest.find(piece);
            prop_assert!(at.is_some(), "{:?} in {:?}", piece, rest);
            rest = &rest[at.unwrap_or(0) + piece.len()..];
        }
    }

    #[test]
    fn findings_between_blanks_are_always_hidden(before in ".{0,20}", after in ".{0,20}") {
        let mut text = before.clone();
        let key = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
        let _written = write!(text, " jane@example.com 4111111111111111 {key} {after}");
        let redacted = redact(&text);
        // A block of a private key, or a number right before, may hide more.
        prop_assert!(!redacted.contains("jane@example.com"));
        prop_assert!(!redacted.contains(key));
    }
}

/// The text between placeholders.
fn split(redacted: &str) -> Vec<&str> {
    let mut pieces = vec![redacted];
    for kind in policy::Kind::builtins() {
        let kind = format!("<{}_", kind.token_name());
        pieces = pieces
            .into_iter()
            .flat_map(|piece| {
                piece
                    .split(kind.as_str())
                    .enumerate()
                    .map(|(n, rest)| {
                        if n == 0 {
                            rest
                        } else {
                            rest.split_once('>').map_or(rest, |(_, rest)| rest)
                        }
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    pieces
}
