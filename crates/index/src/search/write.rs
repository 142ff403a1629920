//! A search as text that means the same.

use super::fields::{self, Field};
use super::lexer::ends_word;
use super::model::{CountField, Expr, Match, Op, Search, Term, TextField};
use std::fmt::{self, Display, Formatter, Write};

impl Display for Search {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        expr(self.expr(), f, Place::Alone)
    }
}

/// Where an expression stands: what binds less tightly there needs brackets.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Alone,
    WithinAny,
    WithinAll,
    Negated,
}

fn expr(what: &Expr, f: &mut Formatter<'_>, place: Place) -> fmt::Result {
    let (list, between, bracketed, within) = match what {
        Expr::Is(Term::Words(words)) if place == Place::Negated && words.contains(' ') => {
            return write!(f, "({words})");
        }
        Expr::Is(one) => return term(one, f),
        Expr::Not(inner) => {
            f.write_char('-')?;
            return expr(inner, f, Place::Negated);
        }
        Expr::All(all) => {
            let bracketed = matches!(place, Place::Negated | Place::WithinAll);
            (all, " ", bracketed, Place::WithinAll)
        }
        Expr::Any(any) => (any, " OR ", place != Place::Alone, Place::WithinAny),
    };
    if bracketed {
        f.write_char('(')?;
    }
    for (at, one) in list.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        expr(one, f, within)?;
    }
    if bracketed {
        f.write_char(')')?;
    }
    Ok(())
}

fn term(term: &Term, f: &mut Formatter<'_>) -> fmt::Result {
    match term {
        Term::Text(field, name) => named(*field, name, f),
        Term::Id(id) => write!(f, "id:{id}"),
        Term::Trace(id) => write!(f, "trace:{id}"),
        Term::Origin(origin) => write!(f, "origin:{}", origin.as_str()),
        Term::Status(status) => write!(f, "status:{status}"),
        Term::Count(CountField::Status, op, number) => write!(f, "status:{}{number}", op.as_str()),
        Term::Count(field, op, number) => {
            write!(f, "{}:{}{number}", fields::name_of(Field::Count(*field)), op.as_str())
        }
        Term::Cost(op, amount) => write!(f, "cost:{}{amount}", op.as_str()),
        Term::Time(Op::AtLeast, at) => write!(f, "from:{at}"),
        Term::Time(Op::Below, at) => write!(f, "to:{at}"),
        Term::Time(op, at) => write!(f, "time:{}{at}", op.as_str()),
        Term::Has(has) => write!(f, "has:{}", fields::name_of_has(*has)),
        Term::Words(words) => f.write_str(words),
        Term::Phrase(text) => quoted(text, f),
    }
}

fn named(field: TextField, name: &Match, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{}:", fields::name_of(Field::Text(field)))?;
    if name.prefix {
        return write!(f, "{}*", name.text);
    }
    let special = name.text.chars().any(|c| ends_word(c) || matches!(c, '*' | '\\'));
    let otherwise_read = name.text.is_empty()
        || name.text.starts_with(['<', '>', '=', '-'])
        || field == TextField::Outcome && is_outcome_in_other_case(&name.text);
    if special || otherwise_read { quoted(&name.text, f) } else { f.write_str(&name.text) }
}

fn is_outcome_in_other_case(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    upper != text && fields::OUTCOMES.contains(&upper.as_str())
}

fn quoted(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    f.write_char('"')
}
