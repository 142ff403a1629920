//! JSON in canonical form (RFC 8785), so that the same report has the same hash however it was
//! written down.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Objects and arrays within each other at most.
const DEPTH_MAX: usize = 100;

/// The fields of an object, as they stand in it.
pub(crate) type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Why there is no canonical form.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CanonicalError {
    #[error("is nested deeper than {DEPTH_MAX} levels; send deep bodies as text")]
    TooDeep,
    #[error("is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("has a number that no double can hold")]
    Number,
}

type Written = Result<(), CanonicalError>;

/// Writes an object in canonical form. Reads the text itself: what parsers make of numbers can
/// differ in the last digit.
pub(crate) fn write_object(fields: &Object<'_>, out: &mut Vec<u8>) -> Written {
    object(fields, 0, out)
}

fn write(raw: &RawValue, depth: usize, out: &mut Vec<u8>) -> Written {
    let text = raw.get();
    if depth > DEPTH_MAX {
        return Err(CanonicalError::TooDeep);
    }
    match text.as_bytes().first() {
        Some(b'{') => object(&serde_json::from_str(text)?, depth, out),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push(b'[');
            for (index, item) in items.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, depth + 1, out)?;
            }
            out.push(b']');
            Ok(())
        }
        Some(b'"') => {
            write_text(&serde_json::from_str::<String>(text)?, out);
            Ok(())
        }
        Some(b't' | b'f' | b'n') => {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        _ => write_number(text, out),
    }
}

/// Keys are in the order of their UTF-16 code units.
fn object(fields: &Object<'_>, depth: usize, out: &mut Vec<u8>) -> Written {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write(value, depth + 1, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    // serde_json escapes what RFC 8785 escapes, and nothing else; memory takes every byte.
    let _written = serde_json::to_writer(out, text);
}

/// As ECMAScript writes numbers.
fn write_number(text: &str, out: &mut Vec<u8>) -> Written {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
    let value = value.ok_or(CanonicalError::Number)?;
    if value == 0.0 {
        out.push(b'0');
        return Ok(());
    }
    // The shortest digits that read back as the same number, and where the point stands.
    let text = format!("{:e}", value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let (head, tail) = digits.split_at(usize::try_from(point.clamp(0, count)).unwrap_or(0));
    if value < 0.0 {
        out.push(b'-');
    }
    let shown = if (count..=21).contains(&point) {
        format!("{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        format!("{head}.{tail}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let sign = if point > 0 { '+' } else { '-' };
        format!("{first}{dot}{rest}e{sign}{}", (point - 1).abs())
    };
    out.extend_from_slice(shown.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        let mut out = Vec::new();
        write(serde_json::from_str(json).unwrap(), 0, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The examples of RFC 8785, section 3.2.2 and appendix B.
    #[test]
    fn examples_of_the_standard_come_out_as_printed() {
        let given = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        assert_eq!(
            text(given),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        for (given, expected) in [
            ("9007199254740992", "9007199254740992"),
            ("295147905179352830000", "295147905179352830000"),
            ("1e21", "1e+21"),
            ("999999999999999900000", "999999999999999900000"),
            ("1e-7", "1e-7"),
            ("0.000001", "0.000001"),
            ("-0.0000033333333333333333", "-0.0000033333333333333333"),
            ("1.0", "1"),
            ("-0.0", "0"),
            ("5e-324", "5e-324"),
        ] {
            assert_eq!(text(given), expected);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let raw: &RawValue = serde_json::from_str(&deep).unwrap();
        assert!(matches!(write(raw, 0, &mut Vec::new()), Err(CanonicalError::TooDeep)));
    }

    #[test]
    fn keys_are_sorted_by_utf_16() {
        let given =
            r#"{"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6}"#;
        assert_eq!(
            text(given),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }
}
