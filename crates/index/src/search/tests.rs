use super::{CountField, Expr, Has, Match, Op, Search, Term, TextField};
use crate::StatusFilter;
use event::{Decision, Origin, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

fn parsed(text: &str) -> Search {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn written(text: &str) -> String {
    parsed(text).to_string()
}

#[test]
fn everything_that_the_contract_shows() {
    let text = "source:finance-app user:u-42 outcome:BLOCK -model:gpt-4o latency:>500 \
                cost:>=0.01 type:(ask OR summarise) has:violation \"free text\"";
    let name = |field, text: &str| Expr::Is(Term::Text(field, Match::exact(text)));
    let expected = vec![
        name(TextField::Source, "finance-app"),
        name(TextField::User, "u-42"),
        name(TextField::Outcome, "BLOCK"),
        Expr::Not(Box::new(name(TextField::Model, "gpt-4o"))),
        Expr::Is(Term::Count(CountField::Latency, Op::Above, 500.0)),
        Expr::Is(Term::Cost(Op::AtLeast, "0.01".parse().unwrap())),
        Expr::Any(vec![name(TextField::Type, "ask"), name(TextField::Type, "summarise")]),
        Expr::Is(Term::Has(Has::Violation)),
        Expr::Is(Term::Phrase("free text".to_owned())),
    ];
    assert_eq!(parsed(text).expr(), &Expr::All(expected));
}

#[test]
fn the_same_in_other_words() {
    let cases = [
        ("", ""),
        ("refund  please", "refund please"),
        ("refund source:a please", "refund please source:a"),
        ("a b OR c", "a b OR c"),
        ("a AND (b OR c)", "a (b OR c)"),
        ("NOT (a b)", "-(a b)"),
        ("--a", "--a"),
        ("((a))", "a"),
        ("outcome:block", "outcome:BLOCK"),
        ("outcome:\"block\"", "outcome:\"block\""),
        ("source:\"two words\"", "source:\"two words\""),
        ("source:\"say \\\"hi\\\"\"", "source:\"say \\\"hi\\\"\""),
        ("model:gpt-4*", "model:gpt-4*"),
        ("type:(ask -summarise)", "type:ask -type:summarise"),
        ("latency:(>100 <=2s)", "latency:>100 latency:<=2000"),
        ("status:>=500", "status:>=500"),
        ("status:5xx", "status:5xx"),
        ("time:2026-11-21", "from:2026-11-21T00:00:00.000000Z to:2026-11-22T00:00:00.000000Z"),
        ("time:>2026-11-21", "from:2026-11-22T00:00:00.000000Z"),
        ("user_id:a cost_usd:<1", "user:a cost:<1"),
        ("12:30 a@b.c o'brien", "12:30 a@b.c o'brien"),
        ("or and not", "or and not"),
    ];
    for (text, same) in cases {
        assert_eq!(written(text), same, "{text}");
        assert_eq!(parsed(same).expr(), parsed(text).expr(), "{text}");
    }
}

#[test]
fn errors_point_at_the_character() {
    let cases = [
        ("sorce:x", 0, "there is no field \"sorce\""),
        ("a source:", 9, "a value is missing"),
        ("a source: x", 9, "a value is missing"),
        ("ünï \"open", 4, "never closed"),
        ("a (b", 2, "never closed"),
        ("a) b", 1, "closes nothing"),
        ("a OR", 4, "something is missing"),
        ("OR a", 0, "between two conditions"),
        ("()", 1, "nothing before this bracket"),
        ("a cost:cheap", 7, "not an amount"),
        ("latency:>fast", 9, "not a number"),
        ("latency:>>5", 9, "a value is missing"),
        ("latency:NaN", 8, "not a number"),
        ("source:>5", 8, "does not compare"),
        ("status:abc", 7, "not a status"),
        ("has:wings", 4, "has: takes one of"),
        ("time:yesterday", 5, "not a time"),
        ("id:7", 3, "not an id"),
        ("type:(a source:b)", 8, "within the brackets"),
        ("source:a - !!", 9, "no letter and no digit"),
        ("source:a -\"?\"", 10, "no letter and no digit"),
    ];
    for (text, at, message) in cases {
        let error = text.parse::<Search>().expect_err(text);
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(error.to_string().starts_with(&format!("character {}: ", at + 1)), "{error}");
    }
}

#[test]
fn a_sign_that_stands_alone_is_a_word() {
    let search = parsed("-(one -\n) two");
    assert_eq!(parsed(&search.to_string()), search, "{search}");
}

#[test]
fn a_search_is_bounded() {
    let deep = format!("{}a{}", "(".repeat(1_000), ")".repeat(1_000));
    let negated = format!("{}a", "-".repeat(1_000));
    let many = "source:a ".repeat(129);
    let words = (0..200).fold(String::new(), |text, n| format!("{text}w{n} "));
    for (text, message) in [
        (deep, "brackets and negations"),
        (negated, "brackets and negations"),
        (many, "more than 128 terms"),
        (words, "more than 128 "),
        ("ä".repeat(3_000), "at most 4096 bytes"),
    ] {
        let error = text.parse::<Search>().unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.at < text.chars().count(), "{error}");
    }
}

#[test]
fn what_is_not_known_fits_only_a_negation() {
    let id = Uuid::from_u128(1);
    let unknown = Decision::new(id, Timestamp::default(), id, "r".to_owned(), Origin::Observed);
    for text in ["model:x", "model:*", "latency:>=0", "cost:<1", "has:user", "word", "status:200"] {
        assert!(!parsed(text).fits(&unknown), "{text}");
        assert!(parsed(&format!("-{text}")).fits(&unknown), "{text}");
    }
    for text in ["", "status:running", "request:r", "origin:observed", "-has:error"] {
        assert!(parsed(text).fits(&unknown), "{text}");
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9-]{1,8}", "\\PC{0,8}", Just("block".to_owned()), Just("OR".to_owned())]
}

fn op() -> impl Strategy<Value = Op> {
    prop::sample::select(vec![Op::Equal, Op::Above, Op::AtLeast, Op::Below, Op::AtMost])
}

fn term() -> impl Strategy<Value = Term> {
    let field = prop::sample::select(vec![
        TextField::Source,
        TextField::Model,
        TextField::Outcome,
        TextField::Policy,
        TextField::Request,
    ]);
    let word = "[a-z]{1,5}\\*?|[退款和发]{1,3}|o'neil|a@b";
    prop_oneof![
        (field, name()).prop_map(|(field, text)| Term::Text(field, Match::exact(text))),
        "[a-z]{0,3}".prop_map(|text| Term::Text(TextField::User, Match { text, prefix: true })),
        any::<u128>().prop_map(|id| Term::Id(Uuid::from_u128(id))),
        (op(), any::<i64>().prop_filter("has no text", |pico| *pico != i64::MIN))
            .prop_map(|(op, pico)| Term::Cost(op, crate::Money::from_pico(pico))),
        (op(), -1e9..1e9).prop_map(|(op, ms)| Term::Count(CountField::Latency, op, ms)),
        (op(), 0..2_000_000_000_000_000_i64)
            .prop_map(|(op, at)| Term::Time(op, Timestamp::from_micros(at))),
        (100..600_u16).prop_map(|code| Term::Status(StatusFilter::Code(code))),
        Just(Term::Has(Has::Flag)),
        word.prop_map(Term::Words),
        "[a-z]{1,4} [a-z\"\\\\]{0,4}".prop_map(Term::Phrase),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    term().prop_map(Expr::Is).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Any),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_a_search_or_an_error_within_it(text in "\\PC{0,60}") {
        if let Err(error) = text.parse::<Search>() {
            prop_assert!(error.at <= text.chars().count());
        }
    }

    #[test]
    fn pieces_in_any_order_are_read_and_written_again(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "source:", "a", "\"b c\"", "(", ")", "-", "OR", "AND", "NOT", " ", "latency:", ">",
                ">=", "5", "has:error", "type:(", "*", "time:", "2026-11-21", "\\", "=",
            ]),
            0..24,
        ),
    ) {
        let text = pieces.concat();
        if let Ok(search) = text.parse::<Search>() {
            let again = search.to_string();
            prop_assert_eq!(again.parse::<Search>().map(|s| s.to_string()), Ok(again.clone()), "{}", text);
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same(expr in expr()) {
        // Once through: lists in lists become one, words that stand together too.
        let written = Search::new(expr).to_string();
        let read: Search = written.parse().unwrap();
        let again: Search = read.to_string().parse().unwrap();
        prop_assert_eq!(&read, &again, "{}", written);
    }
}
