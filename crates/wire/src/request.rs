//! What a request asks for: model, tools, preview.

use crate::Format;
use crate::json::{Invalid, Kind, Result, Scan};
use crate::preview::NAME_CHARS_MAX;
use crate::prompt::Prompt;
use crate::route::Route;

/// Most tools that are named per request; more are not read.
const TOOLS_MAX: usize = 256;

/// What is known of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The model asked for: of the path where the path names one, else of the body.
    pub model: Option<String>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Names of the tools offered.
    pub tools: Vec<String>,
    /// The prompt as a person would read it, cut at whole characters.
    pub prompt_preview: Option<String>,
    /// Whether the body already asks for usage at the end of the stream (chat, completions).
    pub wants_usage: bool,
}

/// A body that no provider of the format would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// There is no body.
    #[error("the body is empty; send a JSON object")]
    Empty,
    /// The body is JSON, or something else, but no object.
    #[error("the body is not a JSON object; send one that begins with {{")]
    NotAnObject,
    /// The body begins as an object and is no JSON.
    #[error("the body is not valid JSON at byte {at}; correct it there")]
    Invalid {
        /// Offset of the first byte that cannot be JSON.
        at: usize,
    },
}

/// Reads a request. Where the route takes a JSON body, anything but a JSON object is an error;
/// on other routes (and for multipart or binary content) unreadable bodies have no facts.
///
/// What providers accept is accepted: any depth, numbers of any size, lone surrogates, bytes
/// that are no UTF-8 within strings.
pub fn read_request(
    route: &Route,
    content_type: Option<&str>,
    body: &[u8],
    preview_chars: usize,
) -> std::result::Result<RequestFacts, BodyError> {
    let mut facts = RequestFacts {
        model: route.path_model.clone(),
        stream: route.path_stream,
        ..RequestFacts::default()
    };
    if route.format == Format::Generic || !route.takes_json_body || is_binary(content_type) {
        if route.format != Format::Generic && !is_binary(content_type) {
            // A body that cannot be read on such a route is the provider's to refuse.
            let before = facts.clone();
            if fill(route, body, preview_chars, &mut facts).is_err() {
                facts = before;
            }
        }
        return Ok(facts);
    }
    fill(route, body, preview_chars, &mut facts)?;
    Ok(facts)
}

fn is_binary(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|value| {
        let media = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        media.starts_with("multipart/")
            || media == "application/octet-stream"
            || ["image/", "audio/", "video/"].iter().any(|prefix| media.starts_with(prefix))
    })
}

fn fill(
    route: &Route,
    body: &[u8],
    preview_chars: usize,
    facts: &mut RequestFacts,
) -> std::result::Result<(), BodyError> {
    let mut scan = Scan::new(body);
    if scan.at() == body.len() {
        return Err(BodyError::Empty);
    }
    if scan.kind() != Kind::Object {
        return Err(BodyError::NotAnObject);
    }
    let mut prompt = Prompt::new();
    top(&mut scan, facts, &mut prompt)
        .and_then(|()| scan.end())
        .map_err(|Invalid { at }| BodyError::Invalid { at })?;
    if route.path_model.is_some() {
        facts.model.clone_from(&route.path_model);
    }
    facts.stream |= route.path_stream;
    if preview_chars > 0 {
        facts.prompt_preview = prompt.preview(preview_chars);
    }
    Ok(())
}

/// The fields of all formats: no two of them mean different things by one name.
fn top<'a>(scan: &mut Scan<'a>, facts: &mut RequestFacts, prompt: &mut Prompt<'a>) -> Result<()> {
    scan.object(|scan, key| {
        match key {
            b"model" => facts.model = scan.text()?.map(|text| text.to_string(NAME_CHARS_MAX)),
            b"stream" => facts.stream = scan.is_true()?,
            b"stream_options" => {
                facts.wants_usage = false;
                scan.object(|scan, key| {
                    if key == b"include_usage" {
                        facts.wants_usage = scan.is_true()?;
                    }
                    Ok(())
                })?;
            }
            b"messages" | b"contents" | b"input" | b"prompt" => messages(scan, prompt)?,
            b"system" | b"instructions" | b"systemInstruction" | b"system_instruction" => {
                let span = scan.span()?;
                if !matches!(span, b"null" | b"\"\"" | b"[]") {
                    prompt.system(span);
                }
            }
            b"tools" => {
                facts.tools.clear();
                tools(scan, &mut facts.tools)?;
            }
            b"toolConfig" => {
                scan.object(|scan, key| match key {
                    b"tools" => tools(scan, &mut facts.tools),
                    _ => Ok(()),
                })?;
            }
            b"functions" => tools(scan, &mut facts.tools)?,
            _ => {}
        }
        Ok(())
    })
}

fn messages<'a>(scan: &mut Scan<'a>, prompt: &mut Prompt<'a>) -> Result<()> {
    prompt.restart();
    match scan.kind() {
        Kind::Array => scan.array(|scan| {
            let span = scan.span()?;
            // Tokens instead of text (completions, embeddings) are nothing to read.
            if matches!(span.first(), Some(b'{' | b'"')) {
                prompt.message(span);
            }
            Ok(())
        }),
        Kind::Other => scan.skip(),
        Kind::Object | Kind::String => {
            prompt.message(scan.span()?);
            Ok(())
        }
    }
}

fn tools(scan: &mut Scan<'_>, names: &mut Vec<String>) -> Result<()> {
    if scan.kind() == Kind::Array {
        scan.array(|scan| tool(scan, names))
    } else {
        tool(scan, names)
    }
}

/// One tool, of whatever format: its name, else its type, else the key that says what it is.
fn tool(scan: &mut Scan<'_>, names: &mut Vec<String>) -> Result<()> {
    let mut name = None;
    let mut kind = None;
    let mut only_key = None;
    let before = names.len();
    scan.object(|scan, key| {
        match key {
            b"name" | b"server_label" => name = scan.text()?.or(name),
            b"type" => kind = scan.text()?,
            b"function" | b"toolSpec" | b"systemTool" => scan.object(|scan, key| {
                if key == b"name" {
                    name = scan.text()?.or(name);
                }
                Ok(())
            })?,
            b"functionDeclarations" | b"function_declarations" => tools(scan, names)?,
            b"cachePoint" => {}
            other if other.len() <= NAME_CHARS_MAX => {
                only_key = only_key.take().or_else(|| String::from_utf8(other.to_vec()).ok());
            }
            _ => {}
        }
        Ok(())
    })?;
    let found = name.or(kind).map(|text| text.to_string(NAME_CHARS_MAX)).or(only_key);
    if let Some(found) = found
        && names.len() == before
        && names.len() < TOOLS_MAX
    {
        names.push(found);
    }
    Ok(())
}
