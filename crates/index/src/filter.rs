//! What can be asked for: the parameters of the contract's lists.

use crate::{
    CountField, Expr, FilterError, Match, Money, Op, Search, StatusFilter, Term, TextField,
};
use event::{Component, EventType, Origin, Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use uuid::Uuid;

/// Which decisions, and in what order. Unset fields do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionFilter {
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// The logical action.
    pub decision_type: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The model, as asked for or as served.
    pub model: Option<String>,
    /// Status or class of statuses.
    pub status: Option<StatusFilter>,
    /// What policies decided.
    pub outcome: Option<String>,
    /// A violated policy.
    pub policy_id: Option<String>,
    /// How it came to be known.
    pub origin: Option<Origin>,
    /// The trace.
    pub trace_id: Option<Uuid>,
    /// Not before (inclusive).
    pub from: Option<Timestamp>,
    /// Before (exclusive).
    pub to: Option<Timestamp>,
    /// At least this slow, in milliseconds.
    pub min_latency_ms: Option<f64>,
    /// At least this dear.
    pub min_cost_usd: Option<Money>,
    /// What else must hold.
    pub q: Option<Search>,
    /// The order.
    pub sort: Sort,
}

/// The order of a list of decisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sort {
    /// Newest first.
    #[default]
    #[serde(rename = "-timestamp")]
    Newest,
    /// Oldest first.
    #[serde(rename = "timestamp")]
    Oldest,
    /// Slowest first; decisions without a latency are left out.
    #[serde(rename = "-latency_ms")]
    Slowest,
    /// Dearest first; decisions without a known cost are left out.
    #[serde(rename = "-cost_usd")]
    Dearest,
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// The trace.
    pub trace_id: Option<Uuid>,
    /// The request.
    pub request_id: Option<String>,
    /// The decision.
    pub decision_id: Option<Uuid>,
    /// The end user.
    pub user_id: Option<String>,
    /// The type.
    pub event_type: Option<EventType>,
    /// The owning component.
    pub component: Option<Component>,
    /// What an access was about.
    pub target: Option<String>,
    /// Not before (inclusive).
    pub from: Option<Timestamp>,
    /// Before (exclusive).
    pub to: Option<Timestamp>,
}

/// Which sessions: those with a decision that fits. Where source or user are given, a session is
/// its decisions of theirs, and its sums are over nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionFilter {
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// Last active not before (inclusive).
    pub from: Option<Timestamp>,
    /// Last active before (exclusive).
    pub to: Option<Timestamp>,
}

// === impl Sort ===

impl Sort {
    /// The name in queries; a leading `-` means descending.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "-timestamp",
            Self::Oldest => "timestamp",
            Self::Slowest => "-latency_ms",
            Self::Dearest => "-cost_usd",
        }
    }
}

impl FromStr for Sort {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let all = [Self::Newest, Self::Oldest, Self::Slowest, Self::Dearest];
        all.into_iter().find(|sort| sort.as_str() == text).ok_or_else(|| FilterError {
            what: "an order",
            found: text.chars().take(64).collect(),
            allowed: "-timestamp, timestamp, -latency_ms, -cost_usd",
        })
    }
}

// === impl DecisionFilter ===

/// A filter whose search was taken apart.
#[derive(Debug, Clone)]
pub struct Unfolded {
    /// The filter: what of the search its own fields can say stands in them, the rest in `q`.
    pub filter: DecisionFilter,
    /// Words that must stand in one of the previews; empty where none are asked for. (Those of a
    /// phrase are here, too: a preview that lacks one of them cannot hold it.)
    pub words: String,
}

impl DecisionFilter {
    /// What the filter's fields and its search ask for, as one search (the order left out).
    pub fn to_search(&self) -> Search {
        let mut all = Vec::new();
        let mut is = |term: Option<Term>| all.extend(term.map(Expr::Is));
        let text = |field, value: &Option<String>| {
            value.as_ref().map(|value| Term::Text(field, Match::exact(value.as_str())))
        };
        is(text(TextField::Source, &self.source));
        is(text(TextField::User, &self.user_id));
        is(text(TextField::Session, &self.session_id));
        is(text(TextField::Type, &self.decision_type));
        is(text(TextField::Provider, &self.provider));
        is(text(TextField::Model, &self.model));
        is(self.status.map(Term::Status));
        is(text(TextField::Outcome, &self.outcome));
        is(text(TextField::Policy, &self.policy_id));
        is(self.origin.map(Term::Origin));
        is(self.trace_id.map(Term::Trace));
        is(self.from.map(|at| Term::Time(Op::AtLeast, at)));
        is(self.to.map(|at| Term::Time(Op::Below, at)));
        let count = |ms| Term::Count(CountField::Latency, Op::AtLeast, ms);
        is(self.min_latency_ms.map(count));
        is(self.min_cost_usd.map(|cost| Term::Cost(Op::AtLeast, cost)));
        all.extend(self.q.iter().flat_map(Search::conjuncts).cloned());
        if all.len() == 1 {
            return Search::new(all.remove(0));
        }
        Search::new(Expr::All(all))
    }

    /// Puts what the search asks for into the filter's own fields, where they are free: those
    /// are what backends have indexes for.
    pub fn unfold(&self) -> Unfolded {
        let mut filter = Self { q: None, ..self.clone() };
        let (mut words, mut phrase, mut rest) = (String::new(), String::new(), Vec::new());
        for one in self.q.iter().flat_map(Search::conjuncts) {
            match one {
                Expr::Is(Term::Words(found)) if words.is_empty() => words.clone_from(found),
                Expr::Is(term) if filter.take(term) => {}
                other => {
                    if let Expr::Is(Term::Phrase(found)) = other
                        && phrase.is_empty()
                    {
                        phrase.clone_from(found);
                    }
                    rest.push(other.clone());
                }
            }
        }
        if !rest.is_empty() {
            filter.q = Some(Search::new(Expr::All(rest)));
        }
        Unfolded { filter, words: if words.is_empty() { phrase } else { words } }
    }

    /// Takes in a condition that a free field says as well; false where there is none.
    fn take(&mut self, term: &Term) -> bool {
        fn put<T>(field: &mut Option<T>, value: T) -> bool {
            let free = field.is_none();
            if free {
                *field = Some(value);
            }
            free
        }
        match term {
            Term::Text(field, Match { text, prefix: false }) => {
                let field = match field {
                    TextField::Source => &mut self.source,
                    TextField::User => &mut self.user_id,
                    TextField::Session => &mut self.session_id,
                    TextField::Type => &mut self.decision_type,
                    TextField::Provider => &mut self.provider,
                    TextField::Model => &mut self.model,
                    TextField::Outcome => &mut self.outcome,
                    TextField::Policy => &mut self.policy_id,
                    _ => return false,
                };
                put(field, text.clone())
            }
            Term::Status(status) => put(&mut self.status, *status),
            Term::Origin(origin) => put(&mut self.origin, *origin),
            Term::Trace(id) => put(&mut self.trace_id, *id),
            Term::Time(Op::AtLeast, at) => put(&mut self.from, *at),
            Term::Time(Op::Below, at) => put(&mut self.to, *at),
            Term::Count(CountField::Latency, Op::AtLeast, ms) => put(&mut self.min_latency_ms, *ms),
            Term::Cost(Op::AtLeast, cost) => put(&mut self.min_cost_usd, *cost),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_have_names() {
        assert_eq!("-latency_ms".parse::<Sort>().unwrap(), Sort::Slowest);
        assert!("latency".parse::<Sort>().is_err());
    }

    #[test]
    fn a_search_fills_free_fields_and_leaves_the_rest() {
        let filter = DecisionFilter {
            user_id: Some("u-1".to_owned()),
            q: Some("source:a user:u-2 source:b -model:m refund ok \"x y\"".parse().unwrap()),
            ..DecisionFilter::default()
        };
        let Unfolded { filter, words } = filter.unfold();
        assert_eq!(filter.source.as_deref(), Some("a"));
        assert_eq!(filter.user_id.as_deref(), Some("u-1"));
        assert_eq!(filter.q.unwrap().to_string(), "user:u-2 source:b -model:m \"x y\"");
        assert_eq!(words, "refund ok");
    }
}
