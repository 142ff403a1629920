//! Asks the policies that a call may concern. Those that name another user, source, model or
//! provider in their scope are not even looked at.

use super::annotation::PolicyInfo;
use super::context::Shapes;
use super::decision::{Decision, EvaluationError, Violation};
use super::facts::Facts;
use super::outcome::Stage;
use super::quick::{At, Program};
use super::scope::Scope;
use cedar_policy_core::ast::{Expr, Literal, SlotEnv, ValueKind};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use std::collections::HashMap;
use std::sync::Arc;

/// One policy, ready to be asked.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) info: Arc<PolicyInfo>,
    pub(super) scope: Scope,
    /// What `when` and `unless` say.
    pub(super) condition: Option<Arc<Expr>>,
}

/// A policy in its slice.
#[derive(Debug)]
struct Filed {
    rule: Rule,
    /// Its condition in the slice's program.
    compiled: Option<At>,
}

/// The policies of one stage.
#[derive(Debug, Default)]
pub(super) struct Slice {
    rules: Vec<Filed>,
    program: Program,
    always: Vec<usize>,
    by_user: HashMap<Box<str>, Vec<usize>>,
    by_source: HashMap<Box<str>, Vec<usize>>,
    by_model: HashMap<Box<str>, Vec<usize>>,
    by_provider: HashMap<Box<str>, Vec<usize>>,
}

/// The policies of both stages.
#[derive(Debug)]
pub(super) struct Engine {
    shapes: Shapes,
    request: Slice,
    response: Slice,
}

// === impl Slice ===

impl Slice {
    /// Files each rule under the literal of its scope that fewest calls share.
    fn new(rules: Vec<Rule>) -> Self {
        let mut slice = Self::default();
        for (at, rule) in rules.iter().enumerate() {
            let scope = &rule.scope;
            let all = [
                (&scope.user, &mut slice.by_user),
                (&scope.model, &mut slice.by_model),
                (&scope.source, &mut slice.by_source),
                (&scope.provider, &mut slice.by_provider),
            ];
            let place = all.into_iter().find_map(|(name, map)| {
                name.as_ref().map(|name| map.entry(name.clone()).or_default())
            });
            place.unwrap_or(&mut slice.always).push(at);
        }
        for rule in rules {
            let compiled = rule.condition.as_ref().map(|condition| slice.program.add(condition));
            slice.rules.push(Filed { rule, compiled });
        }
        slice
    }

    /// The rules whose scope takes the call.
    fn candidates<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Filed> {
        let under = |map: &'a HashMap<Box<str>, Vec<usize>>, name: &str| {
            map.get(name).map_or(&[][..], Vec::as_slice)
        };
        let places = [
            self.always.as_slice(),
            under(&self.by_user, &facts.user),
            under(&self.by_model, &facts.model),
            under(&self.by_source, &facts.source),
            under(&self.by_provider, &facts.provider),
        ];
        let rules = places.into_iter().flatten().filter_map(|at| self.rules.get(*at));
        rules.filter(|filed| filed.rule.scope.takes(facts))
    }
}

// === impl Engine ===

impl Engine {
    pub(super) fn new(shapes: Shapes, rules: Vec<Rule>) -> Self {
        let (request, response) =
            rules.into_iter().partition(|rule| rule.info.stage == Stage::Request);
        Self { shapes, request: Slice::new(request), response: Slice::new(response) }
    }

    /// Asks every policy of the call's stage.
    pub(super) fn decide(&self, facts: &Facts) -> Decision {
        let slice = match facts.stage {
            Stage::Request => &self.request,
            Stage::Response => &self.response,
        };
        let mut decision = Decision { evaluated: slice.rules.len(), ..Decision::default() };
        let mut candidates = slice.candidates(facts).peekable();
        if candidates.peek().is_none() {
            return decision;
        }
        let entities = self.shapes.entities(facts);
        let context = self.shapes.context(facts);
        let request = self.shapes.request(facts, Arc::clone(&context));
        let evaluator = Evaluator::new(request, &entities, Extensions::all_available());
        let slots = SlotEnv::new();
        let read = slice.program.read(&context);
        for Filed { rule, compiled } in candidates {
            let quick = compiled.and_then(|at| slice.program.holds(at, &read));
            let holds = match (quick, &rule.condition) {
                (Some(holds), _) => Ok(holds),
                (None, Some(condition)) => holds(&evaluator, condition, &slots),
                (None, None) => Ok(true),
            };
            match holds {
                Ok(false) => {}
                Ok(true) => decision.violations.push(violation(&rule.info)),
                Err(message) => decision.errors.push(EvaluationError {
                    policy_id: Arc::clone(&rule.info.id),
                    mode: rule.info.mode,
                    message,
                }),
            }
        }
        decision.settle()
    }
}

fn holds(evaluator: &Evaluator<'_>, condition: &Expr, slots: &SlotEnv) -> Result<bool, String> {
    let value = evaluator.interpret(condition, slots).map_err(|error| error.to_string())?;
    match value.value {
        ValueKind::Lit(Literal::Bool(holds)) => Ok(holds),
        other => Err(format!("the condition is {other}, neither true nor false")),
    }
}

fn violation(info: &PolicyInfo) -> Violation {
    Violation {
        policy_id: Arc::clone(&info.id),
        outcome: info.outcome,
        severity: info.severity,
        message: Arc::clone(&info.message),
        mode: info.mode,
        reviewers: info.reviewers,
    }
}
