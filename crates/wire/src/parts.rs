//! Messages and their parts, of every format: what a person would read of them.

use crate::json::{Kind, Result, Scan, Text};
use crate::preview::{NAME_CHARS_MAX, Preview};

/// Deepest nesting of content in content (results of tools hold parts again).
const NESTING_MAX: u8 = 4;

/// What is known of one message or part after its fields were passed.
#[derive(Default)]
struct Part<'a> {
    kind: Option<Text<'a>>,
    role: Option<Text<'a>>,
    text: Option<Text<'a>>,
    name: Option<Text<'a>>,
    /// `content`, `parts`, `output`: parts again.
    inner: Option<&'a [u8]>,
    /// `tool_calls`, `function_call`, `functionCall`, `toolUse`: each an object with a name.
    calls: Option<&'a [u8]>,
    /// A result of a tool, given by a key instead of a type.
    result: Option<&'a [u8]>,
    /// What a tool gave back, an object.
    object: Option<&'a [u8]>,
    /// A medium, given by a key instead of a type.
    medium: Option<&'static str>,
    code: bool,
    thought: bool,
}

/// Reads a value that is text, a part, or an array of those.
pub(crate) fn content(scan: &mut Scan<'_>, out: &mut Preview) -> Result<()> {
    content_at(scan, out, 0)
}

/// The role of a message, as written, at most `NAME_CHARS_MAX` characters.
pub(crate) fn role(message: &[u8]) -> Option<String> {
    let mut part = Part::default();
    fields(&mut Scan::new(message), &mut part).ok()?;
    let own = part.role.map(|role| role.to_string(NAME_CHARS_MAX));
    own.or_else(|| {
        let kind = part.kind?.to_string(NAME_CHARS_MAX);
        Some(if kind.ends_with("_output") { "tool".to_owned() } else { "assistant".to_owned() })
    })
}

fn content_at(scan: &mut Scan<'_>, out: &mut Preview, nesting: u8) -> Result<()> {
    match scan.kind() {
        Kind::String => {
            if let Some(text) = scan.text()? {
                out.push_line(text);
            }
            Ok(())
        }
        Kind::Array => scan.array(|scan| content_at(scan, out, nesting)),
        Kind::Object if nesting < NESTING_MAX => part(scan, out, nesting),
        _ => scan.skip(),
    }
}

fn fields<'a>(scan: &mut Scan<'a>, part: &mut Part<'a>) -> Result<()> {
    scan.object(|scan, key| {
        match key {
            b"type" => part.kind = scan.text()?,
            b"role" => part.role = scan.text()?,
            b"name" | b"toolType" => part.name = scan.text()?,
            b"text" | b"refusal" => {
                if let Some(text) = scan.text()?
                    && !text.is_empty()
                {
                    part.text = Some(text);
                }
            }
            b"content" | b"parts" | b"output" => part.inner = Some(scan.span()?),
            b"tool_calls" | b"function_call" | b"functionCall" | b"toolUse" | b"toolCall"
            | b"function" => {
                let span = scan.span()?;
                if span != b"null" {
                    part.calls = Some(span);
                }
            }
            b"functionResponse" | b"function_response" | b"toolResult" | b"toolResponse" => {
                part.result = Some(scan.span()?);
            }
            b"response" | b"json" if scan.kind() == Kind::Object => {
                part.object = Some(scan.span()?);
            }
            b"thought" => part.thought = scan.is_true()?,
            b"executableCode" | b"executable_code" => part.code = true,
            b"inlineData" | b"inline_data" | b"fileData" | b"file_data" => {
                part.medium = part.medium.or(Some("file"));
            }
            b"image" if scan.kind() == Kind::Object => part.medium = Some("image"),
            b"document" if scan.kind() == Kind::Object => part.medium = Some("document"),
            b"video" if scan.kind() == Kind::Object => part.medium = Some("video"),
            b"audio" if scan.kind() == Kind::Object => part.medium = Some("audio"),
            _ => {}
        }
        Ok(())
    })
}

fn part(scan: &mut Scan<'_>, out: &mut Preview, nesting: u8) -> Result<()> {
    let mut part = Part::default();
    fields(scan, &mut part)?;
    if part.thought {
        return Ok(());
    }
    let kind = part.kind.map(|kind| kind.to_string(NAME_CHARS_MAX)).unwrap_or_default();
    match kind.as_str() {
        "thinking" | "redacted_thinking" | "reasoning" | "reasoning_text" | "summary_text" => {
            return Ok(());
        }
        "tool_use" | "server_tool_use" | "mcp_tool_use" | "function_call" | "mcp_call"
        | "custom_tool_call" => {
            out.push_call(
                &part.name.map(|name| name.to_string(NAME_CHARS_MAX)).unwrap_or_default(),
            );
            return Ok(());
        }
        "image" | "image_url" | "input_image" => out.push_mark("image"),
        "document" | "document_url" => out.push_mark("document"),
        "file" | "input_file" => out.push_mark("file"),
        "audio" | "input_audio" => out.push_mark("audio"),
        "video_url" => out.push_mark("video"),
        other => {
            if let Some(server_tool) = other.strip_suffix("_call") {
                out.push_call(server_tool);
                return Ok(());
            }
            if other.contains("tool_result") || other.ends_with("_output") {
                return result(part.inner, out, nesting);
            }
            body(&part, out, nesting)?;
        }
    }
    Ok(())
}

/// A part or message that its keys describe.
fn body(part: &Part<'_>, out: &mut Preview, nesting: u8) -> Result<()> {
    if let Some(text) = part.text {
        out.push_line(text);
    }
    if let Some(inner) = part.inner {
        content_at(&mut Scan::new(inner), out, nesting + 1)?;
    }
    if let Some(object) = part.object.filter(|object| *object != b"{}") {
        out.push_bytes(object);
    }
    if let Some(medium) = part.medium {
        out.push_mark(medium);
    }
    if let Some(calls) = part.calls {
        let scan = &mut Scan::new(calls);
        if scan.kind() == Kind::Array {
            scan.array(|scan| call(scan, out))?;
        } else {
            call(scan, out)?;
        }
    }
    if part.code {
        out.push_call("code_execution");
    }
    if part.result.is_some() {
        result(part.result, out, nesting)?;
    }
    Ok(())
}

/// A result of a tool: marked, and no words of a person.
fn result(inner: Option<&[u8]>, out: &mut Preview, nesting: u8) -> Result<()> {
    let spoken = out.spoken;
    out.begin_result();
    if let Some(inner) = inner {
        content_at(&mut Scan::new(inner), out, nesting + 1)?;
    }
    out.end_result();
    out.spoken = spoken;
    Ok(())
}

/// `{"name"}` or `{"function": {"name"}}`.
fn call(scan: &mut Scan<'_>, out: &mut Preview) -> Result<()> {
    let mut name = None;
    scan.object(|scan, key| {
        match key {
            b"name" | b"toolType" => name = scan.text()?.or(name),
            b"function" => scan.object(|scan, key| {
                if key == b"name" {
                    name = scan.text()?.or(name);
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    if let Some(name) = name {
        out.push_call(&name.to_string(NAME_CHARS_MAX));
    }
    Ok(())
}
