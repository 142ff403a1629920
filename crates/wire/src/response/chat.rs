//! OpenAI's chat, completions and embeddings, and the many that speak like them.

use crate::json::{Result, Scan};
use crate::parts;
use crate::preview::NAME_CHARS_MAX;
use crate::response::answer::Answer;

/// Most streamed calls of tools that are told apart.
const CALLS_SEEN_MAX: usize = 128;

/// A whole answer or a chunk of a stream.
pub(super) fn object(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"id" => answer.set_id(scan),
        b"model" => answer.set_model(scan),
        b"choices" => {
            let mut position = 0;
            scan.array(|scan| {
                position += 1;
                choice(answer, scan, position == 1)
            })
        }
        b"usage" => answer.set_usage(scan),
        // Groq's streams had usage here before it had it at the top.
        b"x_groq" => scan.object(|scan, key| match key {
            b"usage" => answer.set_first_usage(scan),
            _ => Ok(()),
        }),
        b"error" => answer.set_error(scan),
        _ => Ok(()),
    })
}

/// Text is shown of the first choice only.
fn choice(answer: &mut Answer, scan: &mut Scan<'_>, first: bool) -> Result<()> {
    let (mut index, mut finish, mut message, mut delta, mut text) = (None, None, None, None, None);
    scan.object(|scan, key| {
        match key {
            b"index" => index = scan.count()?,
            b"finish_reason" => finish = scan.text()?,
            b"message" => message = Some(scan.span()?),
            b"delta" => delta = Some(scan.span()?),
            b"text" => text = scan.text()?,
            _ => {}
        }
        Ok(())
    })?;
    if index.unwrap_or(u64::from(!first)) != 0 {
        return Ok(());
    }
    if let Some(finish) = finish.filter(|finish| !finish.is_empty()) {
        answer.finish_reason = Some(finish.to_string(NAME_CHARS_MAX));
        answer.terminal = true;
    }
    if let Some(text) = text {
        answer.preview.push_text(text);
    }
    if let Some(message) = message {
        parts::content(&mut Scan::new(message), &mut answer.preview)?;
    }
    match delta {
        Some(delta) => self::delta(answer, &mut Scan::new(delta)),
        None => Ok(()),
    }
}

fn delta(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"content" | b"refusal" => match scan.kind() {
            crate::json::Kind::String => {
                if let Some(text) = scan.text()? {
                    answer.preview.push_text(text);
                }
                Ok(())
            }
            _ => parts::content(scan, &mut answer.preview),
        },
        b"tool_calls" => scan.array(|scan| call(answer, scan)),
        b"function_call" => call(answer, scan),
        _ => Ok(()),
    })
}

/// A piece of a call: its name comes once, or with every piece.
fn call(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    let (mut index, mut id, mut name) = (0, String::new(), None);
    scan.object(|scan, key| {
        match key {
            b"index" => index = scan.count()?.unwrap_or(0),
            b"id" => {
                if let Some(text) = scan.text()? {
                    id = text.to_string(NAME_CHARS_MAX);
                }
            }
            b"name" => name = scan.text()?,
            b"function" => scan.object(|scan, key| {
                if key == b"name" {
                    name = scan.text()?;
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(()) };
    let known =
        |(seen, seen_id): &(u64, String)| *seen == index && (id.is_empty() || *seen_id == id);
    if answer.calls_seen.len() < CALLS_SEEN_MAX && !answer.calls_seen.iter().any(known) {
        answer.preview.push_call(&name.to_string(NAME_CHARS_MAX));
        answer.calls_seen.push((index, id));
    }
    Ok(())
}
