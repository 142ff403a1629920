//! Free SQL, made safe: one `SELECT` in PostgreSQL's dialect over known tables is parsed, checked
//! and written anew in SQLite's. What runs is what was written anew, on a connection that can
//! only read, and only those tables, for a bounded time.

mod beside;
mod check;
mod functions;
mod literal;
mod rewrite;
mod run;

pub use run::{query, setup};

use event::Timestamp;
use index::{Error, Relation, Result};
use sqlparser::ast::{Statement, VisitMut as _};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer};
use std::ops::ControlFlow;

/// Length of a query.
const SQL_BYTES_MAX: usize = 16 << 10;
/// Words and signs of a query, apart from commas and literals: bounds how deep its tree can be,
/// where the parser does not (`1 + 1 + 1 …`).
const WORDS_MAX: usize = 1_000;
/// The tree is walked by recursion: this is room for the deepest one, which a thread of an async
/// runtime does not have.
const STACK_BYTES: usize = 32 << 20;

/// Checks a query and writes it in SQLite's dialect; `now` is what `NOW()` stands for, and
/// `beside` may be read like the tables.
///
/// # Errors
/// [`Error::BadQuery`], saying what is not allowed and what to write instead.
pub fn translate(sql: &str, beside: &[Relation], now: Timestamp) -> Result<String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let translated = thread
            .spawn_scoped(scope, || translate_here(sql, beside, now))
            .map_err(Error::backend)?;
        let panicked = |_| bad("the query cannot be read; write it more simply");
        translated.join().map_err(panicked)?
    })
}

fn translate_here(sql: &str, beside: &[Relation], now: Timestamp) -> Result<String> {
    let mut query = match parse(sql)? {
        Statement::Query(query) => query,
        other => {
            let text = other.to_string();
            let verb = text.split_whitespace().next().unwrap_or("this").to_uppercase();
            return Err(bad(format!("{verb} is not allowed; write one SELECT")));
        }
    };
    let mut check = check::Check::new(beside);
    for_each_break(query.visit(&mut check))?;
    for_each_break(query.visit(&mut rewrite::Rewrite::new(now)))?;
    for_each_break(query.visit(&mut check::Leftovers))?;
    let translated = query.to_string();
    // A word of SQL that stands for a name may mean something else in another place.
    let read_again = Parser::parse_sql(&PostgreSqlDialect {}, &translated);
    if read_again.is_err_and(|error| error != ParserError::RecursionLimitExceeded) {
        return Err(bad("the query uses a word of SQL as a name; put such names in double quotes"));
    }
    let own = query.with.is_some();
    let wanted = beside.iter().filter(|relation| check.reads(relation.name));
    Ok(beside::put_before(translated, own, wanted))
}

fn for_each_break(flow: ControlFlow<String>) -> Result<()> {
    match flow {
        ControlFlow::Break(message) => Err(bad(message)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn parse(sql: &str) -> Result<Statement> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(bad(format!("the query is longer than {SQL_BYTES_MAX} bytes; shorten it")));
    }
    if sql.contains('\0') {
        return Err(bad("the query contains a NUL character; remove it"));
    }
    let dialect = PostgreSqlDialect {};
    // Strings keep their quotes as written, so that they are written anew as they were.
    let tokens = Tokenizer::new(&dialect, sql)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| bad(format!("the query cannot be read: {error}")))?;
    let counts = |token: &Token| {
        !matches!(
            token,
            Token::Whitespace(_)
                | Token::Comma
                | Token::SingleQuotedString(_)
                | Token::Number(..)
                | Token::SemiColon
                | Token::EOF
        )
    };
    if tokens.iter().filter(|token| counts(&token.token)).count() > WORDS_MAX {
        return Err(bad(format!(
            "the query has more than {WORDS_MAX} words and signs; shorten it"
        )));
    }
    let parsed = Parser::new(&dialect).with_tokens_with_locations(tokens).parse_statements();
    let mut statements = parsed.map_err(|error| match error {
        ParserError::RecursionLimitExceeded => bad("the query is nested too deeply; flatten it"),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            bad(format!("the query cannot be read: {text}"))
        }
    })?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(bad("the query is empty; write one SELECT")),
        (Some(_), false) => Err(bad("there is more than one statement; write one SELECT")),
    }
}

fn bad(message: impl Into<String>) -> Error {
    Error::BadQuery(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pieces that queries are made of, and some that they should not be.
    const PIECES: &[&str] = &[
        "SELECT",
        "*",
        "FROM",
        "audit_logs",
        "audit_events",
        "WHERE",
        "timestamp",
        ">",
        "NOW()",
        "-",
        "+",
        "INTERVAL",
        "'24 hours'",
        "'1 day'",
        "'x'",
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        ",",
        "event_data",
        "->>",
        "->",
        "#>>",
        "'{a,1}'",
        "'user_id'",
        "::",
        "numeric",
        "text",
        "date",
        "interval",
        "BETWEEN",
        "'2024-01-01'",
        "IN",
        "LIKE",
        "ILIKE",
        "ORDER BY",
        "DESC",
        "LIMIT",
        "OFFSET",
        "1",
        "GROUP BY",
        "count",
        "(*)",
        "extract(",
        "epoch",
        "date_trunc(",
        "'day'",
        "WITH",
        "AS",
        "t",
        "UNION",
        "ALL",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "IS",
        "NULL",
        "cost_usd",
        "max(",
        "now",
        "substring(",
        "FOR",
        "position(",
        "left(",
        "SECOND(",
        "TO",
        "MONTH",
        "HOUR",
        "''",
        "'it''s'",
        "$1",
        "\"q\"",
        "é",
        ";",
        "--",
        "/*",
        "E'\\x'",
        "FILTER",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_pieces_are_translated_or_refused(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..24),
            begin: bool,
        ) {
            let start = if begin { "SELECT * FROM audit_logs WHERE " } else { "" };
            let sql = format!("{start}{}", pieces.join(" "));
            let now = Timestamp::from_micros(1_795_219_200_000_000);
            if let Ok(translated) = translate_here(&sql, &[], now) {
                prop_assert!(parse(&translated).is_ok(), "{} became {}", sql, translated);
            }
        }

        #[test]
        fn any_text_is_translated_or_refused(sql in "\\PC{0,60}") {
            let _either = translate_here(&sql, &[], Timestamp::default());
        }

        #[test]
        fn strings_stay_what_they_were(text in "[ -~é退]{0,20}") {
            let quoted = text.replace('\'', "''");
            let sql = format!("SELECT '{quoted}' FROM audit_logs");
            prop_assert_eq!(translate_here(&sql, &[], Timestamp::default()).unwrap(), sql);
        }
    }

    #[test]
    fn words_of_sql_are_no_names() {
        let sql = "SELECT * FROM audit_logs WHERE FROM ILIKE ALL";
        let refused = translate_here(sql, &[], Timestamp::default()).unwrap_err().to_string();
        assert!(refused.contains("in double quotes"), "{refused}");
    }

    #[test]
    fn only_relations_that_a_query_reads_are_written() {
        let rows = vec![vec!["ann".into()]];
        let beside = [Relation { name: "users", columns: &["username"], rows }];
        for (sql, written) in [
            ("SELECT 'users' AS users FROM audit_logs", false),
            ("WITH users AS (SELECT 1 AS one) SELECT * FROM users", false),
            ("SELECT 1 WHERE 'ann' IN (SELECT username FROM public.users)", true),
        ] {
            let translated = translate_here(sql, &beside, Timestamp::default()).unwrap();
            assert_eq!(translated.contains("VALUES ('ann')"), written, "{translated}");
        }
    }
}
