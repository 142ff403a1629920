//! Placeholders of one call.

use crate::detect::{DataClass, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What was replaced in a call, and by which placeholder: the same value of the same kind by
/// the same one, in the request and in its answer. Holds what was replaced, so it is not shown.
///
/// Where it is serialised, so is what was replaced: for sealed places only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Replaced>", into = "Vec<Replaced>")]
pub struct Tokens {
    values: BTreeMap<(Kind, Box<str>), usize>,
    counts: BTreeMap<Kind, usize>,
}

/// One value that was replaced, as it is stored.
#[derive(Serialize, Deserialize)]
struct Replaced {
    kind: String,
    class: DataClass,
    number: usize,
    value: Box<str>,
}

impl From<Tokens> for Vec<Replaced> {
    fn from(tokens: Tokens) -> Self {
        let replaced = tokens.values.into_iter().map(|((kind, value), number)| Replaced {
            kind: kind.as_str().to_owned(),
            class: kind.class(),
            number,
            value,
        });
        replaced.collect()
    }
}

impl From<Vec<Replaced>> for Tokens {
    fn from(replaced: Vec<Replaced>) -> Self {
        let mut tokens = Self::default();
        for Replaced { kind, class, number, value } in replaced {
            // A name that is none was not written by us.
            let Some(kind) = Kind::new(&kind, class) else { continue };
            let count = tokens.counts.entry(kind).or_default();
            *count = number.max(*count);
            tokens.values.insert((kind, value), number);
        }
        tokens
    }
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
