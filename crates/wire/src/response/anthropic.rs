//! Anthropic's messages.

use crate::json::{Result, Scan};
use crate::parts;
use crate::response::answer::Answer;

/// A whole message, or an error.
pub(super) fn whole(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"id" => answer.set_id(scan),
        b"model" => answer.set_model(scan),
        b"content" => parts::content(scan, &mut answer.preview),
        b"stop_reason" => answer.set_finish(scan),
        b"usage" => answer.set_usage(scan),
        b"error" => answer.set_error(scan),
        _ => Ok(()),
    })
}

/// An event of a stream.
pub(super) fn event(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"type" => {
            if scan.text()?.is_some_and(|kind| kind.is("message_stop")) {
                answer.terminal = true;
            }
            Ok(())
        }
        b"message" => scan.object(|scan, key| match key {
            b"id" => answer.set_id(scan),
            b"model" => answer.set_model(scan),
            b"usage" => answer.set_first_usage(scan),
            _ => Ok(()),
        }),
        // A block that starts: a call with its name, or text (empty as a rule).
        b"content_block" => parts::content(scan, &mut answer.preview),
        b"delta" => scan.object(|scan, key| match key {
            b"text" => {
                if let Some(text) = scan.text()? {
                    answer.preview.push_text(text);
                }
                Ok(())
            }
            b"stop_reason" => answer.set_finish(scan),
            _ => Ok(()),
        }),
        b"usage" => answer.set_usage(scan),
        b"error" => answer.set_error(scan),
        _ => Ok(()),
    })
}

/// `{"input_tokens": …}`: shown, but nothing was used.
pub(super) fn count_tokens(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"input_tokens" => {
            if let Some(count) = scan.count()? {
                answer.preview.push(&format!("input tokens: {count}"));
            }
            Ok(())
        }
        b"error" => answer.set_error(scan),
        _ => Ok(()),
    })
}
