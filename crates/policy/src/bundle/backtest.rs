//! What a bundle would have decided about calls that are recorded.

use super::decision::Decision;
use super::facts::Facts;
use super::outcome::{Mode, Outcome, Stage};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// One decision of policies as it was recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Id of the call's decision.
    pub decision_id: [u8; 16],
    /// What the policies saw.
    pub facts: Facts,
    /// What they decided.
    pub outcome: Outcome,
    /// Ids of the enforced policies that matched.
    pub violations: Vec<String>,
}

/// A call that would have been decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// When it was, in microseconds since 1970.
    pub at: i64,
    /// Id of the call's decision.
    pub decision_id: [u8; 16],
    /// Request or answer.
    pub stage: Stage,
    /// The source.
    pub source: String,
    /// The model.
    pub model: String,
    /// What was decided.
    pub recorded: Outcome,
    /// What would have been.
    pub now: Outcome,
    /// Enforced policies that would have matched.
    pub policies: Vec<String>,
}

/// How often a policy matched, and how often it would have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PolicyCounts {
    /// As recorded.
    pub recorded: u64,
    /// With the bundle that is tried.
    pub now: u64,
}

/// What a bundle would have decided about calls that are recorded.
#[derive(Debug, Clone, Default)]
pub struct Backtest {
    /// How many decisions of policies were tried, of requests and of answers.
    pub evaluations: u64,
    /// How often each outcome became which.
    pub outcomes: BTreeMap<(Outcome, Outcome), u64>,
    /// By policy that is enforced.
    pub policies: BTreeMap<String, PolicyCounts>,
    /// By policy in shadow: how often it would have matched.
    pub shadow: BTreeMap<String, u64>,
    /// By policy: how often it could not be evaluated.
    pub errors: BTreeMap<String, u64>,
    /// The first calls that would have been decided otherwise.
    pub examples: Vec<Example>,
    examples_max: usize,
    decisions: HashSet<[u8; 16]>,
    changed: HashSet<[u8; 16]>,
}

// === impl Backtest ===

impl Backtest {
    /// Nothing tried yet; as many examples at most.
    pub fn new(examples_max: usize) -> Self {
        Self { examples_max, ..Self::default() }
    }

    /// How many calls were tried.
    pub fn decisions(&self) -> usize {
        self.decisions.len()
    }

    /// How many of them would have been decided otherwise.
    pub fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Takes in one recorded decision, and what is decided about it now.
    pub fn add(&mut self, recorded: &Recorded, now: &Decision) {
        self.evaluations += 1;
        self.decisions.insert(recorded.decision_id);
        *self.outcomes.entry((recorded.outcome, now.outcome)).or_default() += 1;
        for id in &recorded.violations {
            of(&mut self.policies, id).recorded += 1;
        }
        for violation in now.enforced() {
            of(&mut self.policies, &violation.policy_id).now += 1;
        }
        let enforced = now.enforced().count();
        if enforced < now.violations.len() {
            let shadow = now.violations.iter().filter(|one| one.mode == Mode::Shadow);
            shadow.for_each(|one| *of(&mut self.shadow, &one.policy_id) += 1);
        }
        now.errors.iter().for_each(|error| *of(&mut self.errors, &error.policy_id) += 1);
        if recorded.outcome != now.outcome {
            self.changed.insert(recorded.decision_id);
            self.exemplify(recorded, now);
        }
    }

    fn exemplify(&mut self, recorded: &Recorded, now: &Decision) {
        let at = recorded.facts.at;
        let full = self.examples.len() >= self.examples_max;
        if full && self.examples.last().is_none_or(|last| last.at <= at) {
            return;
        }
        let example = Example {
            at,
            decision_id: recorded.decision_id,
            stage: recorded.facts.stage,
            source: recorded.facts.source.clone(),
            model: recorded.facts.model.clone(),
            recorded: recorded.outcome,
            now: now.outcome,
            policies: now.policy_ids().iter().map(ToString::to_string).collect(),
        };
        self.keep(example);
    }

    fn keep(&mut self, example: Example) {
        let place = self.examples.partition_point(|other| *other < example);
        self.examples.insert(place, example);
        self.examples.truncate(self.examples_max);
    }

    /// Takes in what another part of the same try found.
    pub fn merge(&mut self, other: Self) {
        self.evaluations += other.evaluations;
        self.decisions.extend(other.decisions);
        self.changed.extend(other.changed);
        for (pair, count) in other.outcomes {
            *self.outcomes.entry(pair).or_default() += count;
        }
        for (id, counts) in other.policies {
            let own = of(&mut self.policies, &id);
            own.recorded += counts.recorded;
            own.now += counts.now;
        }
        for (own, other) in [(&mut self.shadow, other.shadow), (&mut self.errors, other.errors)] {
            for (id, count) in other {
                *of(own, &id) += count;
            }
        }
        other.examples.into_iter().for_each(|example| self.keep(example));
    }
}

fn of<'a, T: Default>(map: &'a mut BTreeMap<String, T>, id: &str) -> &'a mut T {
    map.entry(id.to_owned()).or_default()
}
