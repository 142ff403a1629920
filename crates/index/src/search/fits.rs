//! Whether a decision fits a search.

use super::model::{CountField, Expr, Has, Search, Term, TextField};
use crate::money::Money;
use crate::status::StatusFilter;
use crate::text;
use event::Decision;

impl Search {
    /// Whether this decision is one that is searched for.
    pub fn fits(&self, decision: &Decision) -> bool {
        fits(self.expr(), decision)
    }
}

fn fits(expr: &Expr, decision: &Decision) -> bool {
    match expr {
        Expr::All(all) => all.iter().all(|one| fits(one, decision)),
        Expr::Any(any) => any.iter().any(|one| fits(one, decision)),
        Expr::Not(inner) => !fits(inner, decision),
        Expr::Is(term) => holds(term, decision),
    }
}

fn holds(term: &Term, decision: &Decision) -> bool {
    match term {
        Term::Text(field, name) => names(*field, decision).iter().any(|one| name.fits(one)),
        Term::Id(id) => decision.id == *id,
        Term::Trace(id) => decision.trace_id == *id,
        Term::Origin(origin) => decision.origin == *origin,
        Term::Status(status) => status.fits(decision.status_code, decision.settled()),
        Term::Count(field, op, bound) => {
            count(*field, decision).is_some_and(|value| op.holds(&value, bound))
        }
        Term::Cost(op, bound) => cost(decision).is_some_and(|value| op.holds(&value, bound)),
        Term::Time(op, bound) => op.holds(&decision.timestamp, bound),
        Term::Has(has) => has_it(*has, decision),
        Term::Words(words) => {
            let terms = text::search_terms(words);
            previews(decision).any(|preview| text::holds_terms(preview, &terms))
        }
        Term::Phrase(phrase) => {
            previews(decision).any(|preview| text::holds_phrase(preview, phrase))
        }
    }
}

fn previews(decision: &Decision) -> impl Iterator<Item = &str> {
    [&decision.prompt_preview, &decision.response_preview].into_iter().flatten().map(String::as_str)
}

/// The names that a field has: none, one, or several.
fn names(field: TextField, decision: &Decision) -> Vec<&str> {
    fn one(value: Option<&String>) -> Vec<&str> {
        value.map(String::as_str).into_iter().collect()
    }
    fn several(values: &[String]) -> Vec<&str> {
        values.iter().map(String::as_str).collect()
    }
    match field {
        TextField::Source => one(decision.source.as_ref()),
        TextField::User => one(decision.user_id.as_ref()),
        TextField::Session => one(decision.session_id.as_ref()),
        TextField::Type => one(decision.decision_type.as_ref()),
        TextField::Provider => one(decision.provider.as_ref()),
        TextField::Model => {
            let asked = decision.model_requested.as_deref();
            decision.model.as_deref().into_iter().chain(asked).collect()
        }
        TextField::Outcome => one(decision.outcome.as_ref()),
        TextField::Policy => several(&decision.violations),
        TextField::Class => several(&decision.data_classes),
        TextField::Review => one(decision.review_status.as_ref()),
        TextField::Error => one(decision.error_code.as_ref()),
        TextField::Finish => one(decision.finish_reason.as_ref()),
        TextField::Ending => one(decision.ending.as_ref()),
        TextField::Request => vec![&decision.request_id],
    }
}

fn count(field: CountField, decision: &Decision) -> Option<f64> {
    let tokens = |count: Option<u64>| count.map(|count| count as f64);
    match field {
        CountField::Latency => decision.latency_ms,
        CountField::Ttft => decision.ttft_ms,
        CountField::Tokens => tokens(decision.total_tokens),
        CountField::Input => tokens(decision.input_tokens),
        CountField::Output => tokens(decision.output_tokens),
        CountField::Cached => tokens(decision.cached_tokens),
        CountField::Status => decision.status_code.map(f64::from),
    }
}

fn cost(decision: &Decision) -> Option<Money> {
    decision.cost_usd.as_deref()?.parse().ok()
}

fn has_it(has: Has, decision: &Decision) -> bool {
    match has {
        Has::Violation => !decision.violations.is_empty(),
        Has::Error => StatusFilter::Error.fits(decision.status_code, decision.settled()),
        Has::Review => decision.review_status.is_some(),
        Has::Flag => decision.flagged,
        Has::Verdict => decision.stood.is_some(),
        Has::Class => !decision.data_classes.is_empty(),
        Has::Session => decision.session_id.is_some(),
        Has::User => decision.user_id.is_some(),
        Has::Cost => cost(decision).is_some(),
        Has::Tokens => decision.total_tokens.is_some(),
        Has::Prompt => decision.prompt_preview.is_some(),
        Has::Answer => decision.response_preview.is_some(),
        Has::Stream => decision.streamed == Some(true),
    }
}
