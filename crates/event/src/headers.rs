//! Headers as they stand in a record.

use crate::checked::{Checked, List, Text};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// Names and values of headers, in their order; names may repeat. In JSON a list of pairs of
/// strings. Kept as one text: a message has some twenty headers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    text: String,
    /// Where each name ends in the text, and its value behind it.
    ends: Vec<(usize, usize)>,
}

// === impl Headers ===

impl Headers {
    /// None yet, with room for so many of 32 bytes each.
    pub fn with_capacity(count: usize) -> Self {
        Self { text: String::with_capacity(count * 32), ends: Vec::with_capacity(count) }
    }

    /// Appends one.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(value);
        self.ends.push((name_end, self.text.len()));
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            let name = self.text.get(start..name_end).unwrap_or_default();
            start = end;
            (name, self.text.get(name_end..end).unwrap_or_default())
        })
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let mut headers = Self::with_capacity(pairs.size_hint().0);
        pairs.for_each(|(name, value)| headers.push(name.as_ref(), value.as_ref()));
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pairs of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some((name, value)) = pairs.next_element::<(String, String)>()? {
            headers.push(&name, &value);
        }
        Ok(headers)
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PairsVisitor)
    }
}

impl Checked for Headers {
    type As = List<(Text, Text)>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn headers_are_written_and_read_as_pairs(
            pairs in proptest::collection::vec(any::<(String, String)>(), 0..8),
        ) {
            let headers: Headers = pairs.iter().map(|(name, value)| (name, value)).collect();
            let json = serde_json::to_string(&headers).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&pairs).unwrap());
            let read: Headers = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read, &headers);
            let back: Vec<_> = read.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(back, pairs);
        }
    }
}
