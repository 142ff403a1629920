//! Facts as Cedar sees them. Built straight as values: going through expressions or JSON costs
//! more than the evaluation of a whole bundle.

use super::error::LoadError;
use super::facts::{Counts, Facts};
use super::outcome::Stage;
use super::quick::Attributes;
use crate::detect::Kind;
use cedar_policy_core::ast::{
    Context, Eid, Entity, EntityType, EntityUID, EntityUIDEntry, Literal, Request, Value, ValueKind,
};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

/// Larger numbers count as this one, so that policies can add some without an overflow.
const LONG_MAX: u64 = 1 << 53;

/// What is the same for every call.
#[derive(Debug)]
pub(super) struct Shapes {
    user: EntityType,
    source: EntityType,
    model: EntityType,
    provider: EntityType,
    prompt: EntityUID,
    answer: EntityUID,
    nothing: Value,
    no_findings: Value,
    no_counts: Value,
}

// === impl Shapes ===

impl Shapes {
    /// Parses the names once.
    pub(super) fn new() -> Result<Self, LoadError> {
        let kind = |name| {
            EntityType::from_str(name)
                .map_err(|error| LoadError::Schema { what: error.to_string() })
        };
        let action = kind("Action")?;
        let uid = |id: &str| EntityUID::from_components(action.clone(), Eid::new(id), None);
        Ok(Self {
            user: kind("User")?,
            source: kind("Source")?,
            model: kind("Model")?,
            provider: kind("Provider")?,
            prompt: uid("prompt"),
            answer: uid("answer"),
            nothing: Value::empty_set(None),
            no_findings: Value::record(
                Kind::builtins().map(|kind| (kind.to_string(), finding(0, 0))),
                None,
            ),
            no_counts: counts(Counts::default()),
        })
    }

    /// The request as Cedar sees it.
    pub(super) fn request(&self, facts: &Facts, context: Arc<Attributes>) -> Request {
        let action = match facts.stage {
            Stage::Request => &self.prompt,
            Stage::Response => &self.answer,
        };
        Request::new_unchecked(
            EntityUIDEntry::known(uid(&self.user, &facts.user), None),
            EntityUIDEntry::known(action.clone(), None),
            EntityUIDEntry::known(uid(&self.model, &facts.model), None),
            Some(Context::Value(context)),
        )
    }

    /// Who belongs to what.
    pub(super) fn entities(&self, facts: &Facts) -> Entities {
        let child = |own: EntityUID, parent: EntityUID| {
            let parents = HashSet::from([parent]);
            Entity::new_with_attr_partial_value(own, [], HashSet::new(), parents, [])
        };
        let user = child(uid(&self.user, &facts.user), uid(&self.source, &facts.source));
        let model = child(uid(&self.model, &facts.model), uid(&self.provider, &facts.provider));
        // Two entities of different types are no duplicates, and their parents have none.
        Entities::from_entities(
            [user, model],
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .unwrap_or_default()
    }

    /// The context's attributes.
    pub(super) fn context(&self, facts: &Facts) -> Arc<Attributes> {
        let named = self.attributes(facts).map(|(name, value)| (name.into(), value));
        Arc::new(named.collect())
    }

    fn attributes(&self, facts: &Facts) -> impl Iterator<Item = (&'static str, Value)> {
        let session = facts.session.as_deref().map(|session| ("session", text(session)));
        let kinds = facts.findings.iter().map(|found| found.kind.as_str());
        let counters = &facts.counters;
        let all = [
            ("source", text(&facts.source)),
            ("user", text(&facts.user)),
            ("request_type", text(&facts.request_type)),
            ("stage", text(facts.stage.as_str())),
            ("model", text(&facts.model)),
            ("provider", text(&facts.provider)),
            ("baa", Value::from(facts.baa)),
            ("data_classes", self.set(facts.data_classes.iter().map(String::as_str))),
            ("kinds", self.set(kinds)),
            ("findings", self.findings(facts)),
            ("request_bytes", long(facts.request_bytes)),
            ("answer_bytes", long(facts.answer_bytes)),
            ("estimated_tokens", long(facts.estimated_tokens)),
            ("roles", self.set(facts.roles.iter().map(String::as_str))),
            ("tools_offered", self.set(facts.tools_offered.iter().map(String::as_str))),
            ("tools_called", self.set(facts.tools_called.iter().map(String::as_str))),
            ("streamed", Value::from(facts.streamed)),
            ("hour", long(u64::from(facts.hour()))),
            ("weekday", long(u64::from(facts.weekday()))),
            (
                "counters",
                Value::record(
                    [
                        ("user_requests", self.counts(counters.user_requests)),
                        ("user_tokens", self.counts(counters.user_tokens)),
                        ("source_requests", self.counts(counters.source_requests)),
                        ("source_tokens", self.counts(counters.source_tokens)),
                    ],
                    None,
                ),
            ),
        ];
        all.into_iter().chain(session)
    }

    fn set<'a>(&self, words: impl ExactSizeIterator<Item = &'a str>) -> Value {
        if words.len() == 0 {
            return self.nothing.clone();
        }
        Value::set_of_lits(words.map(|word| Literal::String(word.into())), None)
    }

    fn findings(&self, facts: &Facts) -> Value {
        let ValueKind::Record(none) = &self.no_findings.value else {
            return self.no_findings.clone();
        };
        if facts.findings.is_empty() {
            return self.no_findings.clone();
        }
        let mut all = none.as_ref().clone();
        for found in &facts.findings {
            if let Some(place) = all.get_mut(found.kind.as_str()) {
                *place = finding(found.count, found.score);
            }
        }
        Value::record_arc(all.into(), None)
    }

    fn counts(&self, given: Counts) -> Value {
        if given == Counts::default() { self.no_counts.clone() } else { counts(given) }
    }
}

fn uid(kind: &EntityType, id: &str) -> EntityUID {
    EntityUID::from_components(kind.clone(), Eid::new(id), None)
}

fn text(text: &str) -> Value {
    Value::from(Literal::String(text.into()))
}

fn long(number: u64) -> Value {
    Value::from(Literal::Long(number.min(LONG_MAX) as i64))
}

fn finding(count: u64, score: u8) -> Value {
    Value::record([("count", long(count)), ("score", long(u64::from(score)))], None)
}

fn counts(counts: Counts) -> Value {
    let all = [("minute", counts.minute), ("hour", counts.hour), ("day", counts.day)];
    Value::record(all.map(|(name, count)| (name, long(count))), None)
}
