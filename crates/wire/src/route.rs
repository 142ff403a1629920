//! From a path to the format it speaks.

use crate::{ErrorStyle, Format};

/// What a method and path mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What requests and answers look like.
    pub format: Format,
    /// What errors look like.
    pub error_style: ErrorStyle,
    /// The model, or Azure's deployment, that the path names.
    pub path_model: Option<String>,
    /// Whether the path itself asks for a stream.
    pub path_stream: bool,
    /// Whether a body that is no JSON object is an error of the caller.
    pub takes_json_body: bool,
    /// The provider of `/passthrough/{provider}/…`.
    pub passthrough: Option<String>,
}

/// Reads a path, given without query and base path. Anything unknown is `Generic`.
pub fn route(method: &str, path: &str) -> Route {
    let path = path.split('?').next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/passthrough/") {
        let (provider, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let rest = format!("/{rest}");
        return Route {
            passthrough: Some(percent_decode(provider)),
            takes_json_body: false,
            ..known(method, &rest)
        };
    }
    known(method, path)
}

fn known(method: &str, path: &str) -> Route {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut route = Route {
        format: Format::Generic,
        error_style: error_style(path),
        path_model: None,
        path_stream: false,
        takes_json_body: false,
        passthrough: None,
    };
    if let Some(Named { model, action, .. }) = gemini(path) {
        route.path_model = Some(percent_decode(model));
        route.path_stream = action == "streamGenerateContent";
        if route.path_stream || action == "generateContent" {
            route.format = Format::Gemini;
        }
    } else if let Some(Named { model, action, .. }) = bedrock(path) {
        route.path_model = Some(percent_decode(model));
        route.path_stream = action.ends_with("-stream");
        if action.starts_with("converse") {
            route.format = Format::BedrockConverse;
        }
    } else {
        route.format = by_end(path);
        route.path_model = deployment(path).map(|named| percent_decode(named.model));
    }
    if method != "POST" {
        route.format = Format::Generic;
    }
    route.takes_json_body = route.format != Format::Generic;
    route
}

fn by_end(path: &str) -> Format {
    let ends = [
        ("/chat/completions", Format::OpenAiChat),
        ("/completions", Format::OpenAiCompletions),
        ("/embeddings", Format::OpenAiEmbeddings),
        ("/v1/responses", Format::OpenAiResponses),
        ("/v1/responses/compact", Format::OpenAiResponses),
        ("/openai/responses", Format::OpenAiResponses),
        ("/v1/messages", Format::AnthropicMessages),
        ("/v1/messages/count_tokens", Format::AnthropicCountTokens),
    ];
    if path == "/responses" {
        return Format::OpenAiResponses;
    }
    ends.iter().find(|(end, _)| path.ends_with(end)).map_or(Format::Generic, |(_, format)| *format)
}

fn error_style(path: &str) -> ErrorStyle {
    if path.ends_with("/v1/messages") || path.contains("/v1/messages/") {
        ErrorStyle::Anthropic
    } else if (path.starts_with("/v1beta/")
        || path.starts_with("/v1beta1/")
        || gemini(path).is_some())
        && !path.starts_with("/v1beta/openai/")
    {
        ErrorStyle::Gemini
    } else {
        ErrorStyle::OpenAi
    }
}

/// A model that a path names, and where.
struct Named<'a> {
    model: &'a str,
    action: &'a str,
    start: usize,
}

/// The range of a path in which its model stands.
pub fn path_model(path: &str) -> Option<std::ops::Range<usize>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let named = gemini(path).or_else(|| bedrock(path)).or_else(|| deployment(path))?;
    Some(named.start..named.start + named.model.len())
}

/// `…/models/{model}:{action}`.
fn gemini(path: &str) -> Option<Named<'_>> {
    let (_, rest) = path.rsplit_once("/models/")?;
    let (model, action) = rest.split_once(':')?;
    let start = path.len() - rest.len();
    (!model.is_empty() && !action.contains('/')).then_some(Named { model, action, start })
}

/// `…/model/{id}/{action}`.
fn bedrock(path: &str) -> Option<Named<'_>> {
    let (_, rest) = path.rsplit_once("/model/")?;
    let (model, action) = rest.rsplit_once('/')?;
    let known = matches!(
        action,
        "converse" | "converse-stream" | "invoke" | "invoke-with-response-stream" | "count-tokens"
    );
    let start = path.len() - rest.len();
    (known && !model.is_empty()).then_some(Named { model, action, start })
}

/// Azure's `/openai/deployments/{deployment}/…`.
fn deployment(path: &str) -> Option<Named<'_>> {
    let (_, rest) = path.split_once("/openai/deployments/")?;
    let (model, action) = rest.split_once('/')?;
    let start = path.len() - rest.len();
    (!model.is_empty()).then_some(Named { model, action, start })
}

/// A path segment as meant; what is no escape stays as it is.
fn percent_decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = (byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escape.unwrap_or(byte));
        rest = if escape.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
