//! OpenAI's responses.

use crate::json::{Kind, Result, Scan};
use crate::parts;
use crate::preview::NAME_CHARS_MAX;
use crate::response::answer::Answer;

/// A whole response, or an error.
pub(super) fn whole(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    let (mut status, mut reason, mut output) = (None, None, None);
    scan.object(|scan, key| match key {
        b"id" => answer.set_id(scan),
        b"model" => answer.set_model(scan),
        b"status" => {
            status = scan.text()?;
            Ok(())
        }
        b"incomplete_details" => scan.object(|scan, key| {
            if key == b"reason" {
                reason = scan.text()?;
            }
            Ok(())
        }),
        b"output" => {
            output = Some(scan.span()?);
            Ok(())
        }
        b"usage" => answer.set_usage(scan),
        b"error" => answer.set_error(scan),
        _ => Ok(()),
    })?;
    if let Some(finish) = reason.or(status) {
        answer.finish_reason = Some(finish.to_string(NAME_CHARS_MAX));
    }
    match output {
        Some(output) if output != b"[]" => {
            // At the end of a stream this holds what came in pieces.
            answer.restart();
            items(answer, &mut Scan::new(output))
        }
        _ => Ok(()),
    }
}

fn items(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    if scan.kind() == Kind::Array { scan.array(|scan| item(answer, scan)) } else { Ok(()) }
}

/// Messages and calls of the model; what it was given (results) is none of its words.
fn item(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    let span = scan.span()?;
    let (mut kind, mut role) = (None, None);
    Scan::new(span).object(|scan, key| {
        match key {
            b"type" => kind = scan.text()?,
            b"role" => role = scan.text()?,
            _ => {}
        }
        Ok(())
    })?;
    let given = role.is_some_and(|role| !role.is("assistant"));
    let listing = kind.is_some_and(|kind| {
        kind.is("mcp_list_tools") || kind.is("compaction") || kind.is("mcp_approval_request")
    });
    if given || listing {
        return Ok(());
    }
    parts::content(&mut Scan::new(span), &mut answer.preview)
}

/// An event of a stream.
pub(super) fn event(answer: &mut Answer, data: &[u8]) -> Result<()> {
    let (scan, whole_event) = (&mut Scan::new(data), &mut Scan::new(data));
    let (mut kind, mut delta, mut response, mut finished, mut error) =
        (None, None, None, None, None);
    scan.object(|scan, key| {
        match key {
            b"type" => kind = scan.text()?,
            b"delta" => delta = scan.text()?,
            b"response" => response = Some(scan.span()?),
            b"item" => finished = Some(scan.span()?),
            b"error" => error = Some(scan.span()?),
            _ => {}
        }
        Ok(())
    })?;
    let kind = kind.map(|kind| kind.to_string(NAME_CHARS_MAX)).unwrap_or_default();
    match kind.as_str() {
        "response.output_text.delta" | "response.refusal.delta" => {
            if let Some(delta) = delta {
                answer.preview.push_text(delta);
            }
            Ok(())
        }
        "response.output_item.done" => match finished {
            // Text came as deltas; calls are whole only here.
            Some(span) if !is_message(span) => item(answer, &mut Scan::new(span)),
            _ => Ok(()),
        },
        "error" => {
            answer.terminal = true;
            match error {
                Some(span) => answer.set_error(&mut Scan::new(span)),
                // As an event of its own, the fields stand at the top.
                None => answer.set_error(whole_event),
            }
        }
        other => {
            answer.terminal |=
                matches!(other, "response.completed" | "response.failed" | "response.incomplete");
            match response {
                Some(span) => whole(answer, &mut Scan::new(span)),
                None => Ok(()),
            }
        }
    }
}

fn is_message(span: &[u8]) -> bool {
    let mut message = false;
    let read = Scan::new(span).object(|scan, key| {
        if key == b"type" {
            message = scan.text()?.is_some_and(|kind| kind.is("message"));
        }
        Ok(())
    });
    message && read.is_ok()
}
