//! From pieces to a search.
//!
//! ```text
//! any   := all ("OR" all)*
//! all   := ("AND"? not)+
//! not   := ("-" | "NOT") not | one
//! one   := "(" any ")" | word | "phrase" | field ":" value | field ":" "(" any ")"
//! ```
//!
//! Within the brackets of a field, words are its values.

use super::fields::{self, Field};
use super::lexer::{self, Placed, Token};
use super::model::{
    CountField, Expr, Match, Op, SEARCH_BYTES_MAX, SEARCH_DEPTH_MAX, SEARCH_TERMS_MAX, Search,
    SearchError, Term, TextField,
};
use crate::money::Money;
use crate::text;
use event::Timestamp;
use std::fmt::Display;
use std::str::FromStr;

const DAY_MICROS: i64 = 86_400_000_000;

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Placed>>,
    /// Characters of the whole text.
    end: usize,
    depth: usize,
    terms: usize,
}

/// A value as it was written.
struct Value {
    op: Op,
    text: String,
    quoted: bool,
    at: usize,
}

impl FromStr for Search {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        if text.len() > SEARCH_BYTES_MAX {
            let at = text.char_indices().take_while(|(at, _)| *at < SEARCH_BYTES_MAX).count();
            return error(at, format!("a search has at most {SEARCH_BYTES_MAX} bytes; shorten it"));
        }
        let tokens = lexer::tokens(text)?.into_iter().peekable();
        let mut parser = Parser { tokens, end: text.chars().count(), depth: 0, terms: 0 };
        if parser.tokens.peek().is_none() {
            return Ok(Self::new(Expr::All(Vec::new())));
        }
        let expr = parser.any(None)?;
        match parser.tokens.next() {
            None => Ok(Self::new(expr)),
            Some(extra) => {
                error(extra.at, "this bracket closes nothing; leave it out, or quote it")
            }
        }
    }
}

fn error<T>(at: usize, message: impl Into<String>) -> Result<T, SearchError> {
    Err(SearchError { at, message: message.into() })
}

// === impl Parser ===

impl Parser {
    fn peek(&mut self) -> Option<&Token> {
        self.tokens.peek().map(|placed| &placed.token)
    }

    fn place(&mut self) -> usize {
        self.tokens.peek().map_or(self.end, |placed| placed.at)
    }

    fn any(&mut self, field: Option<Field>) -> Result<Expr, SearchError> {
        let mut any = vec![self.all(field)?];
        while self.peek() == Some(&Token::Or) {
            self.tokens.next();
            any.push(self.all(field)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expr::Any(flat(any, false)) })
    }

    fn all(&mut self, field: Option<Field>) -> Result<Expr, SearchError> {
        let mut all = Vec::new();
        let mut first_word = None;
        loop {
            match self.peek() {
                Some(Token::And) if !all.is_empty() => {
                    self.tokens.next();
                }
                None | Some(Token::Or | Token::Close) if !all.is_empty() => break,
                _ => {}
            }
            let at = self.place();
            let one = self.not(field)?;
            if first_word.is_none() && matches!(one, Expr::Is(Term::Words(_))) {
                first_word = Some(at);
            }
            all.push(one);
        }
        let mut all = together(flat(all, true));
        for one in &all {
            check_words(one, first_word.unwrap_or_default())?;
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::All(all) })
    }

    /// Goes one level down, for the time of `inner`.
    fn deeper(
        &mut self,
        at: usize,
        inner: impl FnOnce(&mut Self) -> Result<Expr, SearchError>,
    ) -> Result<Expr, SearchError> {
        self.depth += 1;
        if self.depth > SEARCH_DEPTH_MAX {
            let message = format!(
                "more than {SEARCH_DEPTH_MAX} brackets and negations within each other; write it flatter"
            );
            return error(at, message);
        }
        let found = inner(self);
        self.depth -= 1;
        found
    }

    fn not(&mut self, field: Option<Field>) -> Result<Expr, SearchError> {
        if self.peek() != Some(&Token::Not) {
            return self.one(field);
        }
        let at = self.place();
        self.tokens.next();
        let inner = self.deeper(at, |parser| parser.not(field))?;
        check_words(&inner, at)?;
        Ok(Expr::Not(Box::new(inner)))
    }

    fn one(&mut self, field: Option<Field>) -> Result<Expr, SearchError> {
        let Some(Placed { token, at }) = self.tokens.next() else {
            return error(self.end, "something is missing here; write what to look for");
        };
        match (token, field) {
            (Token::Open, field) => {
                let inner = self.deeper(at, |parser| parser.any(field))?;
                match self.tokens.next() {
                    Some(Placed { token: Token::Close, .. }) => Ok(inner),
                    _ => {
                        error(at, "the bracket that opens here is never closed; write ) at its end")
                    }
                }
            }
            (Token::Field(name), None) => {
                let Some(field) = fields::field(&name) else {
                    let known = fields::field_names();
                    let message = format!(
                        "there is no field {name:?}; fields are {known}; to look for words with a colon, put them in quotes"
                    );
                    return error(at, message);
                };
                if self.peek() == Some(&Token::Open) {
                    return self.one(Some(field));
                }
                self.value(field, None)
            }
            (Token::Field(_), Some(_)) => {
                error(at, "a field within the brackets of a field; close the brackets first")
            }
            (Token::Word(text), None) => self.counted(at, Term::Words(text)),
            (Token::Quoted(text), None) => {
                let phrase = self.counted(at, Term::Phrase(text))?;
                check_words(&phrase, at)?;
                Ok(phrase)
            }
            (Token::Word(text), Some(field)) => {
                self.term(field, &Value { op: Op::Equal, text, quoted: false, at })
            }
            (Token::Quoted(text), Some(field)) => {
                self.term(field, &Value { op: Op::Equal, text, quoted: true, at })
            }
            (Token::Op(op), Some(field)) => self.value(field, Some(op)),
            (Token::Op(_), None) => {
                error(at, "a comparison belongs behind a field, as latency:>500")
            }
            (Token::Or | Token::And, _) => {
                error(at, "OR and AND stand between two conditions; to look for the word, quote it")
            }
            (Token::Close, _) => {
                error(at, "there is nothing before this bracket; write what to look for")
            }
            // Taken by `not`.
            (Token::Not, _) => error(at, "nothing is negated here"),
        }
    }

    /// The value of a field, behind its colon or comparison.
    fn value(&mut self, field: Field, op: Option<Op>) -> Result<Expr, SearchError> {
        let (text, quoted, at) = match (self.tokens.next(), op) {
            (Some(Placed { token: Token::Op(op), .. }), None) => {
                return self.value(field, Some(op));
            }
            (Some(Placed { token: Token::Word(text), at }), _) => (text, false, at),
            (Some(Placed { token: Token::Quoted(text), at }), _) => (text, true, at),
            (other, _) => {
                let at = other.map_or(self.end, |placed| placed.at);
                return error(at, "a value is missing here; write it directly behind the colon");
            }
        };
        self.term(field, &Value { op: op.unwrap_or(Op::Equal), text, quoted, at })
    }

    fn counted(&mut self, at: usize, term: Term) -> Result<Expr, SearchError> {
        self.terms += 1;
        if self.terms > SEARCH_TERMS_MAX {
            return error(at, format!("more than {SEARCH_TERMS_MAX} terms; leave some out"));
        }
        Ok(Expr::Is(term))
    }

    fn term(&mut self, field: Field, value: &Value) -> Result<Expr, SearchError> {
        let at = value.at;
        if value.op != Op::Equal && !takes_comparisons(field) {
            let name = fields::name_of(field);
            return error(at, format!("{name} does not compare; write {name}:VALUE"));
        }
        let term = match field {
            Field::Text(field) => Term::Text(field, name_match(field, value)),
            Field::Count(field) => Term::Count(field, value.op, count(field, value)?),
            Field::Cost => Term::Cost(value.op, parsed::<Money>(value)?),
            Field::Status if value.op == Op::Equal => Term::Status(parsed(value)?),
            Field::Status => {
                Term::Count(CountField::Status, value.op, count(CountField::Status, value)?)
            }
            Field::Origin => Term::Origin(parsed(value)?),
            Field::Id => Term::Id(id(value)?),
            Field::Trace => Term::Trace(id(value)?),
            Field::From => Term::Time(Op::AtLeast, parsed(value)?),
            Field::To => Term::Time(Op::Below, parsed(value)?),
            Field::Time => return self.time(value),
            Field::Has => match fields::has(&value.text) {
                Some(has) => Term::Has(has),
                None => {
                    let known = fields::has_names();
                    return error(at, format!("has: takes one of {known}; found {:?}", value.text));
                }
            },
        };
        self.counted(at, term)
    }

    /// A date means the whole day.
    fn time(&mut self, value: &Value) -> Result<Expr, SearchError> {
        let at: Timestamp = parsed(value)?;
        let next = Timestamp::from_micros(at.as_micros().saturating_add(DAY_MICROS));
        let is_date = !value.text.contains(['T', 't', ' ']);
        match value.op {
            Op::Equal if is_date => {
                let first = self.counted(value.at, Term::Time(Op::AtLeast, at))?;
                let last = self.counted(value.at, Term::Time(Op::Below, next))?;
                Ok(Expr::All(vec![first, last]))
            }
            Op::AtMost if is_date => self.counted(value.at, Term::Time(Op::Below, next)),
            Op::Above if is_date => self.counted(value.at, Term::Time(Op::AtLeast, next)),
            op => self.counted(value.at, Term::Time(op, at)),
        }
    }
}

const fn takes_comparisons(field: Field) -> bool {
    matches!(field, Field::Count(_) | Field::Cost | Field::Status | Field::Time)
}

fn parsed<T: FromStr<Err: Display>>(value: &Value) -> Result<T, SearchError> {
    value.text.parse().map_err(|why: T::Err| SearchError { at: value.at, message: why.to_string() })
}

fn id(value: &Value) -> Result<uuid::Uuid, SearchError> {
    let Ok(id) = value.text.parse() else {
        return error(value.at, format!("{:?} is not an id; write a UUID", value.text));
    };
    Ok(id)
}

/// A name; without quotes it may end in `*`, and outcomes are taken in any case.
fn name_match(field: TextField, value: &Value) -> Match {
    if value.quoted {
        return Match::exact(value.text.as_str());
    }
    if let Some(begin) = value.text.strip_suffix('*') {
        return Match { text: begin.to_owned(), prefix: true };
    }
    let upper = value.text.to_ascii_uppercase();
    if field == TextField::Outcome && fields::OUTCOMES.contains(&upper.as_str()) {
        return Match::exact(upper);
    }
    Match::exact(value.text.as_str())
}

/// A number; times may have a unit.
fn count(field: CountField, value: &Value) -> Result<f64, SearchError> {
    let timed = matches!(field, CountField::Latency | CountField::Ttft);
    let (digits, factor) = match value.text.as_str() {
        text if timed && text.ends_with("ms") => (&text[..text.len() - 2], 1.0),
        text if timed && text.ends_with('s') => (&text[..text.len() - 1], 1_000.0),
        text => (text, 1.0),
    };
    let unit = if timed { " of milliseconds (or as 2s)" } else { "" };
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() && (number * factor).is_finite() => Ok(number * factor),
        _ => error(value.at, format!("{:?} is not a number{unit}", value.text)),
    }
}

/// Lists within lists of the same kind are one.
fn flat(list: Vec<Expr>, all: bool) -> Vec<Expr> {
    let mut out = Vec::with_capacity(list.len());
    for one in list {
        match one {
            Expr::All(inner) if all => out.extend(inner),
            Expr::Any(inner) if !all => out.extend(inner),
            other => out.push(other),
        }
    }
    out
}

/// Words that must all hold are looked for together, in one text.
fn together(list: Vec<Expr>) -> Vec<Expr> {
    let mut out: Vec<Expr> = Vec::with_capacity(list.len());
    let mut first: Option<usize> = None;
    for one in list {
        match (one, first) {
            (Expr::Is(Term::Words(more)), Some(at)) => {
                if let Some(Expr::Is(Term::Words(words))) = out.get_mut(at) {
                    words.push(' ');
                    words.push_str(&more);
                }
            }
            (one, _) => {
                if matches!(one, Expr::Is(Term::Words(_))) {
                    first = Some(out.len());
                }
                out.push(one);
            }
        }
    }
    out
}

/// Words must hold something that can be looked for, and not too much.
fn check_words(one: &Expr, at: usize) -> Result<(), SearchError> {
    let Expr::Is(Term::Words(words) | Term::Phrase(words)) = one else { return Ok(()) };
    match text::search_terms(words).len() {
        0 => error(at, "there is no letter and no digit in these words; write what to look for"),
        more if more > SEARCH_TERMS_MAX => {
            error(at, format!("more than {SEARCH_TERMS_MAX} words; leave some out"))
        }
        _ => Ok(()),
    }
}
