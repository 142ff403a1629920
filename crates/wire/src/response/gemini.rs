//! Gemini's generateContent, whole answers and pieces of streams.

use crate::json::{Kind, Result, Scan};
use crate::parts;
use crate::response::answer::Answer;

pub(super) fn object(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"candidates" => {
            let mut first = true;
            scan.array(|scan| {
                if std::mem::replace(&mut first, false) { candidate(answer, scan) } else { Ok(()) }
            })
        }
        b"promptFeedback" => scan.object(|scan, key| match key {
            b"blockReason" => {
                answer.set_finish(scan)?;
                answer.terminal = true;
                Ok(())
            }
            b"blockReasonMessage" => {
                let message = scan.text()?;
                answer.error_message(message);
                Ok(())
            }
            _ => Ok(()),
        }),
        b"usageMetadata" => answer.set_usage(scan),
        b"modelVersion" => answer.set_model(scan),
        b"responseId" => answer.set_id(scan),
        b"error" => answer.set_error(scan),
        _ => Ok(()),
    })
}

fn candidate(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"content" => scan.object(|scan, key| match key {
            b"parts" => scan.array(|scan| part(answer, scan)),
            _ => Ok(()),
        }),
        b"finishReason" => {
            answer.terminal |= scan.kind() == Kind::String;
            answer.set_finish(scan)
        }
        _ => Ok(()),
    })
}

/// Text goes on where the part before ended: a stream cuts it anywhere.
fn part(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    let span = scan.span()?;
    let (mut text, mut thought) = (None, false);
    Scan::new(span).object(|scan, key| {
        match key {
            b"text" => text = scan.text()?,
            b"thought" => thought = scan.is_true()?,
            _ => {}
        }
        Ok(())
    })?;
    match text {
        Some(_) if thought => Ok(()),
        Some(text) => {
            answer.preview.push_text(text);
            Ok(())
        }
        None => parts::content(&mut Scan::new(span), &mut answer.preview),
    }
}
