//! Placeholders of one call.

use crate::detect::Kind;
use std::collections::BTreeMap;
use std::fmt;

/// What was replaced in a call, and by which placeholder: the same value of the same kind by
/// the same one, in the request and in its answer. Holds what was replaced, so it is not shown.
#[derive(Clone, Default)]
pub struct Tokens {
    values: BTreeMap<(Kind, Box<str>), usize>,
    counts: BTreeMap<Kind, usize>,
}

impl Tokens {
    /// None replaced yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values were replaced.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing was replaced.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The placeholder of a value.
    pub(super) fn token(&mut self, kind: Kind, value: &str) -> String {
        let key = (kind, Box::from(value));
        let number = match self.values.get(&key) {
            Some(number) => *number,
            None => {
                let count = self.counts.entry(kind).or_default();
                *count += 1;
                let number = *count;
                self.values.insert(key, number);
                number
            }
        };
        format!("<{}_{number}>", kind.token_name())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("counts", &self.counts).finish_non_exhaustive()
    }
}
