//! What policies decided about a call.

use super::outcome::{Mode, Outcome, Severity};
use serde::Serialize;
use std::sync::Arc;

/// What policies decided about a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The strongest outcome of the policies that are enforced.
    pub outcome: Outcome,
    /// What was violated, those in shadow too: the strongest first, then by id.
    pub violations: Vec<Violation>,
    /// Policies that could not be evaluated, by id. One that is enforced blocks.
    pub errors: Vec<EvaluationError>,
    /// How many policies were asked.
    pub evaluated: usize,
}

/// A policy that a call violates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The policy.
    pub policy_id: Arc<str>,
    /// What it asks for.
    pub outcome: Outcome,
    /// How bad it is.
    pub severity: Severity,
    /// What the caller is told.
    pub message: Arc<str>,
    /// Whether it is enforced.
    pub mode: Mode,
    /// People who have to approve, where it escalates.
    pub reviewers: u32,
}

/// A policy that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvaluationError {
    /// The policy.
    pub policy_id: Arc<str>,
    /// Whether it is enforced.
    pub mode: Mode,
    /// Why not.
    pub message: String,
}

// === impl Decision ===

impl Decision {
    /// What is violated of what is enforced.
    pub fn enforced(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| violation.mode == Mode::Enforce)
    }

    /// People who have to approve: as many as the strictest violated policy asks for.
    pub fn reviewers(&self) -> u32 {
        self.enforced().map(|violation| violation.reviewers).max().unwrap_or(1)
    }

    /// Ids of the enforced policies behind the outcome: violated ones, and failed ones.
    pub fn policy_ids(&self) -> Vec<Arc<str>> {
        let violated = self.enforced().map(|violation| &violation.policy_id);
        let failed = self.errors.iter().filter(|error| error.mode == Mode::Enforce);
        violated.chain(failed.map(|error| &error.policy_id)).cloned().collect()
    }

    /// Sorts, and lets the strongest win.
    pub(super) fn settle(mut self) -> Self {
        self.violations.sort_unstable_by(|a, b| {
            b.outcome.cmp(&a.outcome).then_with(|| a.policy_id.cmp(&b.policy_id))
        });
        self.errors.sort_unstable_by(|a, b| a.policy_id.cmp(&b.policy_id));
        let strongest = self.enforced().map(|violation| violation.outcome).max();
        let failed = self.errors.iter().any(|error| error.mode == Mode::Enforce);
        self.outcome = if failed { Outcome::Block } else { strongest.unwrap_or_default() };
        self
    }
}
