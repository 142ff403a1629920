//! Searches as conditions. What is not known fits none of them, so each is true or false, never
//! null: a negation then finds the rest.

use index::{CountField, Expr, Has, Match, Op, SearchTerm, StatusFilter, Term, TextField};
use rusqlite::types::Value;

/// Whether one of a decision's texts is a hit; takes the search text twice.
pub const HIT: &str = "(EXISTS (SELECT 1 FROM audit_search WHERE audit_search MATCH ? \
    AND rowid = _row * 2) OR EXISTS (SELECT 1 FROM audit_search WHERE audit_search MATCH ? \
    AND rowid = _row * 2 + 1))";

/// A search as a condition on `audit_logs`; each `?` in it stands for the next of the values.
pub fn clause(expr: &Expr, values: &mut Vec<Value>) -> String {
    match expr {
        Expr::All(all) => joined(all, " AND ", "1", values),
        Expr::Any(any) => joined(any, " OR ", "0", values),
        Expr::Not(inner) => format!("NOT {}", clause(inner, values)),
        Expr::Is(term) => condition(term, values),
    }
}

fn joined(list: &[Expr], between: &str, none: &str, values: &mut Vec<Value>) -> String {
    if list.is_empty() {
        return none.to_owned();
    }
    let clauses: Vec<String> = list.iter().map(|one| clause(one, values)).collect();
    format!("({})", clauses.join(between))
}

fn condition(term: &Term, values: &mut Vec<Value>) -> String {
    match term {
        Term::Text(field, name) => named(*field, name, values),
        Term::Id(id) => equal("id", id.to_string(), values),
        Term::Trace(id) => equal("trace_id", id.to_string(), values),
        Term::Origin(origin) => equal("origin", origin.as_str().to_owned(), values),
        Term::Status(status) => of_status(*status),
        Term::Count(field, op, bound) => compared(count_column(*field), *op, *bound, values),
        Term::Cost(op, bound) => compared("_cost_pico", *op, bound.as_pico(), values),
        Term::Time(op, bound) => compared("timestamp", *op, bound.to_string(), values),
        Term::Has(has) => of_has(*has).to_owned(),
        Term::Words(words) => {
            let query = Value::Text(search_text(&index::search_terms(words)));
            values.extend([query.clone(), query]);
            HIT.to_owned()
        }
        Term::Phrase(phrase) => {
            let phrase = Value::Text(phrase.clone());
            values.extend([phrase.clone(), phrase]);
            "(audit_layer_phrase(prompt_preview, ?) OR audit_layer_phrase(response_preview, ?))"
                .to_owned()
        }
    }
}

fn equal(column: &str, value: String, values: &mut Vec<Value>) -> String {
    values.push(Value::Text(value));
    format!("({column} IS ?)")
}

fn compared(column: &str, op: Op, bound: impl Into<Value>, values: &mut Vec<Value>) -> String {
    values.push(bound.into());
    let op = if op == Op::Equal { "=" } else { op.as_str() };
    format!("({column} IS NOT NULL AND {column} {op} ?)")
}

fn of_status(status: StatusFilter) -> String {
    match status {
        StatusFilter::Code(code) => format!("(status_code IS {code})"),
        StatusFilter::Class(class) => {
            format!("(status_code IS NOT NULL AND status_code / 100 = {class})")
        }
        StatusFilter::Error => WENT_WRONG.to_owned(),
        StatusFilter::Running => "(status_code IS NULL AND error_code IS NULL)".to_owned(),
    }
}

const WENT_WRONG: &str = "(status_code IS NOT NULL AND status_code >= 400 \
    OR status_code IS NULL AND error_code IS NOT NULL)";

const fn count_column(field: CountField) -> &'static str {
    match field {
        CountField::Latency => "latency_ms",
        CountField::Ttft => "ttft_ms",
        CountField::Tokens => "total_tokens",
        CountField::Input => "input_tokens",
        CountField::Output => "output_tokens",
        CountField::Cached => "cached_tokens",
        CountField::Status => "status_code",
    }
}

const fn of_has(has: Has) -> &'static str {
    match has {
        Has::Violation => "(violations <> '[]')",
        Has::Error => WENT_WRONG,
        Has::Review => "(review_status IS NOT NULL)",
        Has::Flag => "(flagged <> 0)",
        Has::Verdict => "(stood IS NOT NULL)",
        Has::Class => "(data_classes <> '[]')",
        Has::Session => "(session_id IS NOT NULL)",
        Has::User => "(user_id IS NOT NULL)",
        Has::Cost => "(_cost_pico IS NOT NULL)",
        Has::Tokens => "(total_tokens IS NOT NULL)",
        Has::Prompt => "(prompt_preview IS NOT NULL)",
        Has::Answer => "(response_preview IS NOT NULL)",
        Has::Stream => "(streamed IS 1)",
    }
}

fn named(field: TextField, name: &Match, values: &mut Vec<Value>) -> String {
    let column = match field {
        TextField::Source => "source",
        TextField::User => "user_id",
        TextField::Session => "session_id",
        TextField::Type => "decision_type",
        TextField::Provider => "provider",
        TextField::Outcome => "outcome",
        TextField::Review => "review_status",
        TextField::Error => "error_code",
        TextField::Finish => "finish_reason",
        TextField::Ending => "ending",
        TextField::Request => "request_id",
        TextField::Model => {
            let model = matched("model", name, values);
            let requested = matched("model_requested", name, values);
            return format!("({model} OR {requested})");
        }
        TextField::Policy => return listed("violations", name, values),
        TextField::Class => return listed("data_classes", name, values),
    };
    matched(column, name, values)
}

fn matched(column: &str, name: &Match, values: &mut Vec<Value>) -> String {
    if !name.prefix {
        return equal(column, name.text.clone(), values);
    }
    let length = i64::try_from(name.text.chars().count()).unwrap_or(i64::MAX);
    values.extend([Value::Integer(length), Value::Text(name.text.clone())]);
    format!("(substr({column}, 1, ?) IS ?)")
}

/// A column that holds a JSON array of names.
fn listed(column: &str, name: &Match, values: &mut Vec<Value>) -> String {
    let value = matched("value", name, values);
    format!("({column} <> '[]' AND EXISTS (SELECT 1 FROM json_each({column}) WHERE {value}))")
}

/// Terms as the search table takes them.
pub fn search_text(terms: &[SearchTerm]) -> String {
    let quoted = |term: &SearchTerm| {
        let star = if term.prefix { "*" } else { "" };
        format!("\"{}\"{star}", term.text.replace('"', "\"\""))
    };
    terms.iter().map(quoted).collect::<Vec<_>>().join(" AND ")
}
