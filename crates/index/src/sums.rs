//! Sums that a backend keeps ready, as a verifier sees them.

use crate::{Dimension, Interval, Tally};
use event::{Decision, Timestamp};
use std::collections::HashMap;

/// Sums of one width, for some dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SumKind {
    /// Width of a step.
    pub interval: Interval,
    /// What is told apart: bit `i` stands for `Dimension::ALL[i]`.
    pub dimensions: u8,
}

/// One sum's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SumKey {
    /// What it is a sum of.
    pub kind: SumKind,
    /// Begin of the step, in seconds since 1970.
    pub start: i64,
    /// Value of each dimension; empty where unknown, or not told apart.
    pub values: [String; Dimension::ALL.len()],
}

/// All sums that are kept of one day.
#[derive(Debug, Clone, Default)]
pub struct KeptSums {
    /// What is kept: every decision counts in one sum of each kind.
    pub kinds: Vec<SumKind>,
    /// The sums. Those of nothing are left out.
    pub sums: HashMap<SumKey, Tally>,
}

// === impl SumKey ===

impl SumKey {
    /// The key of the sum of this kind that a decision counts in.
    pub fn of(kind: SumKind, decision: &Decision) -> Self {
        let seconds = decision.timestamp.as_micros() / 1_000_000;
        let mut values: [String; Dimension::ALL.len()] = Default::default();
        for (at, dimension) in Dimension::ALL.into_iter().enumerate() {
            if kind.dimensions & (1 << at) != 0 {
                dimension.of(decision).unwrap_or_default().clone_into(&mut values[at]);
            }
        }
        Self { kind, start: seconds - seconds % kind.interval.seconds(), values }
    }
}

// === impl KeptSums ===

impl KeptSums {
    /// Counts a decision (with `sign` −1: takes it away) in one sum of each kind.
    pub fn count(&mut self, decision: &Decision, sign: i64) {
        for kind in &self.kinds {
            let sum = self.sums.entry(SumKey::of(*kind, decision)).or_default();
            sum.count(decision, sign);
        }
    }

    /// How many sums of each kind are not those of the other.
    pub fn differences(&self, other: &Self) -> HashMap<SumKind, usize> {
        let mut differing = HashMap::new();
        let nothing = Tally::default();
        let missing = other.sums.keys().filter(|key| !self.sums.contains_key(key));
        for key in self.sums.keys().chain(missing) {
            let of = |sums: &Self| sums.sums.get(key).unwrap_or(&nothing).clone();
            if of(self) != of(other) {
                *differing.entry(key.kind).or_default() += 1;
            }
        }
        differing
    }
}

/// Begin of the day (UTC) of a time.
pub fn day_of(at: Timestamp) -> Timestamp {
    let day = Interval::Day.seconds() * 1_000_000;
    Timestamp::from_micros(at.as_micros() - at.as_micros() % day)
}
