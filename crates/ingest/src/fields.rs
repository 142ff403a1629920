//! The fields of one JSON object, taken by name, with errors that name them.

use crate::error::ItemError;
use event::Timestamp;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;
use wire::is_placeholder;

/// Bytes of a name (source, user, model …) at most, as in the gateway's headers.
const NAME_BYTES_MAX: usize = 256;
/// Bytes of other texts at most.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Names in a list at most.
const LIST_MAX: usize = 256;
/// How much of a wrong value an error shows.
const SHOWN_CHARS_MAX: usize = 40;

type Taken<T> = Result<T, ItemError>;

/// What is left of an object.
pub(crate) struct Fields<'a> {
    /// Names of what the object stands in, each followed by a dot.
    path: &'static str,
    rest: BTreeMap<String, &'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Reads an object. `path` is empty, or ends with a dot.
    pub(crate) fn read(raw: &'a RawValue, path: &'static str) -> Taken<Self> {
        let rest = serde_json::from_str(raw.get()).map_err(|_| {
            let name = path.trim_end_matches('.');
            let name = if name.is_empty() { "item" } else { name };
            ItemError::invalid(name, format!("{} is not an object", shown(raw.get())))
        })?;
        Ok(Self { path, rest })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.rest.get(name).is_some_and(|raw| raw.get() != "null")
    }

    pub(crate) fn wrong(&self, name: &str, what: impl Into<String>) -> ItemError {
        ItemError::invalid(format!("{}{name}", self.path), what)
    }

    /// The value as it was written; none where it is absent or null.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.rest.remove(name).filter(|raw| raw.get() != "null")
    }

    /// The value under the first of these names that has one.
    fn first(&mut self, names: &[&'static str]) -> Option<(&'static str, &'a RawValue)> {
        let mut found = None;
        for name in names {
            if found.is_none() {
                found = self.raw(name).map(|raw| (*name, raw));
            }
        }
        found
    }

    fn value<T: DeserializeOwned>(
        &mut self,
        names: &[&'static str],
        expected: &str,
    ) -> Taken<Option<(&'static str, T)>> {
        let Some((name, raw)) = self.first(names) else { return Ok(None) };
        match serde_json::from_str(raw.get()) {
            Ok(value) => Ok(Some((name, value))),
            Err(_) => Err(self.wrong(name, format!("{} is not {expected}", shown(raw.get())))),
        }
    }

    /// A text of some length.
    pub(crate) fn text(&mut self, names: &[&'static str]) -> Taken<Option<String>> {
        let Some((name, text)) = self.value::<String>(names, "a string")? else { return Ok(None) };
        if text.len() > TEXT_BYTES_MAX {
            return Err(self.wrong(name, format!("more than {TEXT_BYTES_MAX} bytes")));
        }
        Ok(Some(text))
    }

    /// A short printable name; placeholders count as absent.
    pub(crate) fn name(&mut self, names: &[&'static str]) -> Taken<Option<String>> {
        self.short(names, NAME_BYTES_MAX)
    }

    pub(crate) fn short(
        &mut self,
        names: &[&'static str],
        bytes_max: usize,
    ) -> Taken<Option<String>> {
        let Some((name, text)) = self.value::<String>(names, "a string")? else { return Ok(None) };
        if text.len() > bytes_max || text.chars().any(char::is_control) {
            let what = format!("must be printable and have at most {bytes_max} bytes");
            return Err(self.wrong(name, what));
        }
        Ok((!is_placeholder(&text)).then_some(text))
    }

    /// A name that has to be there.
    pub(crate) fn needed(&mut self, names: &[&'static str]) -> Taken<String> {
        let first = names.first().copied().unwrap_or_default();
        self.name(names)?.ok_or_else(|| self.wrong(first, "is missing, empty or a placeholder"))
    }

    /// One of a few words.
    pub(crate) fn word(&mut self, name: &'static str, allowed: &[&str]) -> Taken<Option<String>> {
        let Some((_, text)) = self.value::<String>(&[name], "a string")? else { return Ok(None) };
        if allowed.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let what = format!("{} is none of {}", shown(&text), allowed.join(", "));
        Err(self.wrong(name, what))
    }

    pub(crate) fn list(&mut self, name: &'static str) -> Taken<Option<Vec<String>>> {
        let found = self.value::<Vec<String>>(&[name], "a list of strings")?;
        let Some((_, list)) = found else { return Ok(None) };
        if list.len() > LIST_MAX || list.iter().any(|text| text.len() > NAME_BYTES_MAX) {
            let what = format!("at most {LIST_MAX} names of at most {NAME_BYTES_MAX} bytes");
            return Err(self.wrong(name, what));
        }
        Ok((!list.is_empty()).then_some(list))
    }

    pub(crate) fn flag(&mut self, names: &[&'static str]) -> Taken<Option<bool>> {
        Ok(self.value(names, "true or false")?.map(|(_, value)| value))
    }

    /// A count: whole and not negative, below 2^53.
    pub(crate) fn count(&mut self, names: &[&'static str]) -> Taken<Option<u64>> {
        let Some((name, value)) = self.value::<f64>(names, "a number")? else { return Ok(None) };
        if value < 0.0 || value.fract() != 0.0 || value >= (1_u64 << 53) as f64 {
            return Err(self.wrong(name, format!("{value} is not a count")));
        }
        Ok(Some(value as u64))
    }

    pub(crate) fn status(&mut self, name: &'static str) -> Taken<Option<u16>> {
        match self.count(&[name])? {
            None => Ok(None),
            Some(code @ 100..=599) => Ok(Some(code as u16)),
            Some(code) => Err(self.wrong(name, format!("{code} is not 100 to 599"))),
        }
    }

    /// A time span in milliseconds.
    pub(crate) fn millis(&mut self, names: &[&'static str]) -> Taken<Option<f64>> {
        let Some((name, value)) = self.value::<f64>(names, "a number")? else { return Ok(None) };
        if !(0.0..=1e12).contains(&value) {
            return Err(self.wrong(name, format!("{value} is not a number of milliseconds")));
        }
        Ok(Some(value))
    }

    /// A sum of money: a string or a number, exact either way.
    pub(crate) fn money(&mut self, names: &[&'static str]) -> Taken<Option<String>> {
        let Some((name, raw)) = self.first(names) else { return Ok(None) };
        let text = serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().into());
        let parsed = if text.contains(['e', 'E']) {
            Decimal::from_scientific(&text)
        } else {
            Decimal::from_str_exact(&text)
        };
        match parsed {
            Ok(amount) if !amount.is_sign_negative() => Ok(Some(amount.normalize().to_string())),
            _ => Err(self.wrong(name, format!("{} is not a sum of money", shown(&text)))),
        }
    }

    pub(crate) fn time(&mut self, name: &'static str) -> Taken<Option<Timestamp>> {
        let Some((_, text)) = self.value::<String>(&[name], "a string")? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| self.wrong(name, format!("{error}")))
    }

    /// A UUID, or the 32 digits of a W3C trace id.
    pub(crate) fn uuid(&mut self, name: &'static str) -> Taken<Option<Uuid>> {
        let Some((_, text)) = self.value::<String>(&[name], "a string")? else { return Ok(None) };
        let parsed = text.parse().ok().filter(|id: &Uuid| !id.is_nil());
        parsed.map(Some).ok_or_else(|| self.wrong(name, format!("{} is no UUID", shown(&text))))
    }

    /// What nobody asked for, as it came.
    pub(crate) fn others(self) -> Map<String, Value> {
        let parsed = self.rest.into_iter().filter_map(|(name, raw)| {
            serde_json::from_str(raw.get()).ok().map(|value| (name, value))
        });
        parsed.collect()
    }
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
