//! Naming another model in a request: in its body, or in its path.

use crate::json::{Kind, Scan};
use crate::route::path_model;

/// The body with `model` naming this one, every other byte kept. Where the body names it more
/// than once, all are changed: which of them counts differs between providers. `None` where the
/// body names none or this one already, or is no JSON object.
pub fn rename_model(body: &[u8], model: &str) -> Option<Vec<u8>> {
    let found = find(body, model)?;
    if found.same || found.named.is_empty() {
        return None;
    }
    replace(body, &found.named, &serde_json::to_vec(model).ok()?)
}

/// As [`rename_model`]; where the body names no model, the field is put in front.
pub fn set_model(body: &[u8], model: &str) -> Option<Vec<u8>> {
    let found = find(body, model)?;
    if !found.named.is_empty() {
        return rename_model(body, model);
    }
    let mut field = b"\"model\":".to_vec();
    serde_json::to_writer(&mut field, model).ok()?;
    if found.fields > 0 {
        field.push(b',');
    }
    replace(body, &[(found.start, 0)], &field)
}

/// What an object says of its model.
struct Found {
    /// Behind the opening brace.
    start: usize,
    fields: usize,
    /// Place and length of each value.
    named: Vec<(usize, usize)>,
    /// All of them are the one that was asked for.
    same: bool,
}

fn find(body: &[u8], model: &str) -> Option<Found> {
    let mut scan = Scan::new(body);
    if scan.kind() != Kind::Object {
        return None;
    }
    let mut found = Found { start: scan.at() + 1, fields: 0, named: Vec::new(), same: true };
    scan.object(|scan, key| {
        found.fields += 1;
        if key == b"model" {
            let at = scan.at();
            let span = scan.span()?;
            found.named.push((at, span.len()));
            found.same &= Scan::new(span).text()?.is_some_and(|text| text.is(model));
        }
        Ok(())
    })
    .ok()?;
    scan.end().ok()?;
    Some(found)
}

/// The path with this model in place of the one it names (Gemini's model, Azure's deployment,
/// Bedrock's model), percent-encoded; `None` where it names none, or this one already.
pub fn set_path_model(path: &str, model: &str) -> Option<String> {
    let named = path_model(path)?;
    let encoded = percent_encode(model);
    if path.get(named.clone())? == encoded {
        return None;
    }
    Some(format!("{}{encoded}{}", path.get(..named.start)?, path.get(named.end..)?))
}

/// The bytes with `with` in place of each of these ranges (place and length, in order).
fn replace(bytes: &[u8], ranges: &[(usize, usize)], with: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() + ranges.len() * with.len());
    let mut done = 0;
    for (at, length) in ranges {
        out.extend_from_slice(bytes.get(done..*at)?);
        out.extend_from_slice(with);
        done = at + length;
    }
    out.extend_from_slice(bytes.get(done..)?);
    Some(out)
}

/// A name as one path segment.
fn percent_encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            out.push('%');
            out.push(digit(byte >> 4).to_ascii_uppercase());
            out.push(digit(byte & 15).to_ascii_uppercase());
        }
    }
    out
}
