//! Reading fields only to see that they can be read: nothing is copied.

use crate::Usage;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;

/// The type of a field.
pub(crate) trait Checked {
    /// Is read where this type is, and holds nothing.
    type As;
}

/// Where a string is read.
#[derive(Debug, Default)]
pub(crate) struct Text;

/// Where a list is read.
#[derive(Debug)]
pub(crate) struct List<T>(PhantomData<T>);

/// Where any JSON is read. (serde's own stand-in takes escapes and numbers that have no value.)
#[derive(Debug, Default)]
pub(crate) struct Anything;

/// Where token counts are read.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, expecting = "struct Usage")]
#[allow(dead_code, reason = "it is read for whether that succeeds")]
pub(crate) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    provider: Option<Anything>,
}

struct TextVisitor;
struct AnyVisitor;
struct ListVisitor<T>(PhantomData<T>);

impl Checked for String {
    type As = Text;
}

impl Checked for Usage {
    type As = Counts;
}

impl Checked for Value {
    type As = Anything;
}

impl<T: Checked> Checked for Vec<T> {
    type As = List<T::As>;
}

impl<A: Checked, B: Checked> Checked for (A, B) {
    type As = (A::As, B::As);
}

macro_rules! themselves {
    ($($number:ty)+) => { $(impl Checked for $number { type As = $number; })+ };
}

themselves! { bool u16 u32 u64 i64 f64 }

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Text, E> {
        Ok(Text)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<List<T>, S::Error> {
        while items.next_element::<T>()?.is_some() {}
        Ok(List(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Anything;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_str<E>(self, _: &str) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_unit<E>(self) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Anything, S::Error> {
        while items.next_element::<Anything>()?.is_some() {}
        Ok(Anything)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Anything, M::Error> {
        while fields.next_entry::<Text, Anything>()?.is_some() {}
        Ok(Anything)
    }
}
