//! Asking for the usage of a stream that would not report it.

use crate::Format;
use crate::json::{Kind, Scan};

const OPTIONS: &[u8] = br#","stream_options":{"include_usage":true}"#;

/// The body with `stream_options.include_usage` set, every other byte kept; `None` where that
/// is not needed (no stream, already asked for) or not possible (not such a body).
pub fn inject_usage(format: Format, body: &[u8]) -> Option<Vec<u8>> {
    if !matches!(format, Format::OpenAiChat | Format::OpenAiCompletions) {
        return None;
    }
    let mut scan = Scan::new(body);
    if scan.kind() != Kind::Object {
        return None;
    }
    let mut stream = false;
    let mut options = None;
    scan.object(|scan, key| {
        match key {
            b"stream" => stream = scan.is_true()?,
            b"stream_options" => {
                let start = scan.at();
                options = Some((start, scan.span()?));
            }
            _ => {}
        }
        Ok(())
    })
    .ok()?;
    let end = scan.at();
    scan.end().ok()?;
    if !stream {
        return None;
    }
    match options {
        // Behind the last field; there is one, `stream`.
        None => splice(body, last_brace(body, end)?, 0, OPTIONS),
        Some((start, b"null")) => splice(body, start, 4, br#"{"include_usage":true}"#),
        Some((start, span)) => within_options(body, start, span),
    }
}

fn within_options(body: &[u8], start: usize, span: &[u8]) -> Option<Vec<u8>> {
    let mut scan = Scan::new(span);
    if scan.kind() != Kind::Object {
        return None;
    }
    let mut asked = None;
    let mut fields = 0_usize;
    scan.object(|scan, key| {
        fields += 1;
        if key == b"include_usage" {
            let at = scan.at();
            asked = Some((at, scan.span()?));
        }
        Ok(())
    })
    .ok()?;
    match asked {
        Some((_, b"true")) => None,
        Some((at, value)) => splice(body, start + at, value.len(), b"true"),
        None if fields == 0 => splice(body, start + 1, 0, br#""include_usage":true"#),
        None => splice(body, start + 1, 0, br#""include_usage":true,"#),
    }
}

/// The place of the brace that ends the object, which ends before `end`.
fn last_brace(body: &[u8], end: usize) -> Option<usize> {
    memchr::memrchr(b'}', body.get(..end)?)
}

fn splice(body: &[u8], at: usize, remove: usize, insert: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len() + insert.len());
    out.extend_from_slice(body.get(..at)?);
    out.extend_from_slice(insert);
    out.extend_from_slice(body.get(at + remove..)?);
    Some(out)
}
