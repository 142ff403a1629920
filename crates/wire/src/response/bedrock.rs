//! Bedrock's Converse, whole answers.

use crate::json::{Result, Scan};
use crate::parts;
use crate::response::answer::Answer;

pub(super) fn object(answer: &mut Answer, scan: &mut Scan<'_>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"output" => scan.object(|scan, key| match key {
            b"message" => parts::content(scan, &mut answer.preview),
            _ => Ok(()),
        }),
        b"stopReason" => answer.set_finish(scan),
        b"usage" => answer.set_usage(scan),
        b"message" | b"Message" => {
            if let Some(message) = scan.text()? {
                answer.set_bare_error(message);
            }
            Ok(())
        }
        _ => Ok(()),
    })
}
