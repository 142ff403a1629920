//! The raw request and answer of a reported call, read exactly as the gateway reads them.

use crate::context::Context;
use crate::error::ItemError;
use crate::fields::Fields;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use event::Headers;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use wire::{Format, HEADERS_RECORDED_MAX, RequestFacts, ResponseFacts, ResponseReader};

/// Fields of a message; an object without any of them is the body itself.
const PARTS: &[&str] =
    &["body", "body_base64", "method", "path", "query", "headers", "status_code", "content_type"];

/// A request or an answer.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub method: Option<String>,
    pub path: Option<String>,
    pub query: Option<String>,
    pub headers: Option<Headers>,
    pub status_code: Option<u16>,
    pub content_type: Option<String>,
    content_encoding: Option<String>,
    pub body: Option<Vec<u8>>,
}

/// Both, and what is known of them.
pub(crate) struct Exchange {
    pub request: Message,
    pub response: Message,
    pub format: Format,
    pub asked: RequestFacts,
    /// None where there is no answer.
    pub answered: Option<ResponseFacts>,
}

// === impl Message ===

impl Message {
    /// Reads an object of parts, or a body alone.
    pub(crate) fn read(raw: &RawValue, path: &'static str) -> Result<Self, ItemError> {
        if !raw.get().starts_with('{') {
            return Ok(Self { body: Some(Self::body_of(raw)?), ..Self::default() });
        }
        let mut fields = Fields::read(raw, path)?;
        if !PARTS.iter().any(|name| fields.has(name)) {
            return Ok(Self { body: Some(Self::body_of(raw)?), ..Self::default() });
        }
        let body = body(&mut fields)?;
        let sha256 = fields.name(&["sha256"])?;
        if let Some(expected) = sha256 {
            let found = hex::encode(digest(&SHA256, body.as_deref().unwrap_or_default()));
            let expected = expected.strip_prefix("sha256:").unwrap_or(&expected);
            if !expected.eq_ignore_ascii_case(&found) {
                let what = format!("is not that of the body, which is {found}");
                return Err(fields.wrong("sha256", what));
            }
        }
        let headers = headers(&mut fields)?;
        let header = |name: &str| {
            let mut all = headers.iter().flat_map(Headers::iter);
            all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let (kind, encoding) = (header("content-type"), header("content-encoding"));
        let message = Self {
            method: fields.name(&["method"])?,
            path: fields.short(&["path"], 2_048)?,
            query: fields.text(&["query"])?,
            status_code: fields.status("status_code")?,
            content_type: fields.name(&["content_type"])?.or(kind),
            content_encoding: encoding,
            headers,
            body,
        };
        match fields.others().keys().next() {
            None => Ok(message),
            Some(name) => {
                let what = format!("is not known here; allowed: {}, sha256", PARTS.join(", "));
                Err(ItemError::invalid(format!("{path}{name}"), what))
            }
        }
    }

    /// A body: the text of a string, else the JSON as it stands.
    pub(crate) fn body_of(raw: &RawValue) -> Result<Vec<u8>, ItemError> {
        let json = raw.get();
        if json.starts_with('"') {
            let text = serde_json::from_str::<String>(json)
                .map_err(|error| ItemError::invalid("body", error.to_string()))?;
            return Ok(text.into_bytes());
        }
        Ok(json.as_bytes().to_vec())
    }
}

fn body(fields: &mut Fields<'_>) -> Result<Option<Vec<u8>>, ItemError> {
    let encoded = fields.raw("body_base64");
    if let Some(raw) = fields.raw("body") {
        if encoded.is_some() {
            return Err(fields.wrong("body_base64", "there is a body, too"));
        }
        return Message::body_of(raw).map(Some);
    }
    let Some(raw) = encoded else { return Ok(None) };
    let text = serde_json::from_str::<String>(raw.get()).ok();
    let bytes = text.and_then(|text| STANDARD.decode(text).ok());
    bytes.map(Some).ok_or_else(|| fields.wrong("body_base64", "is not base64"))
}

/// Headers as an object, or as pairs: credentials masked, sizes bounded.
fn headers(fields: &mut Fields<'_>) -> Result<Option<Headers>, ItemError> {
    let Some(raw) = fields.raw("headers") else { return Ok(None) };
    let pairs = serde_json::from_str::<Vec<(String, String)>>(raw.get()).or_else(|_| {
        serde_json::from_str::<BTreeMap<String, String>>(raw.get())
            .map(|object| object.into_iter().collect())
    });
    let pairs = pairs.map_err(|_| {
        fields.wrong("headers", "is neither an object of strings nor a list of pairs")
    })?;
    let recorded = pairs.iter().take(HEADERS_RECORDED_MAX);
    Ok(Some(recorded.map(|(name, value)| (name, wire::recorded_value(name, value))).collect()))
}

// === impl Exchange ===

impl Exchange {
    pub(crate) fn read(
        request: Message,
        response: Message,
        provider: Option<&str>,
        context: &Context<'_>,
    ) -> Result<Self, ItemError> {
        let path = match &request.path {
            Some(path) => path.clone(),
            None => guessed_path(&request, &response, provider).to_owned(),
        };
        let route = wire::route(request.method.as_deref().unwrap_or("POST"), &path);
        let chars = context.preview_chars_read();
        let mut asked = match &request.body {
            None => RequestFacts { model: route.path_model.clone(), ..RequestFacts::default() },
            Some(body) => wire::read_request(&route, request.content_type.as_deref(), body, chars)
                .map_err(|error| ItemError::invalid("request.body", error.to_string()))?,
        };
        if request.path.is_none() && route.path_model.is_some() {
            // The path is made up, and so is its model.
            asked.model = None;
        }
        let answered = response.body.as_ref().map(|body| {
            let mut reader = ResponseReader::new(
                route.format,
                response.content_type.as_deref(),
                response.content_encoding.as_deref(),
                response.status_code.unwrap_or(200),
                chars,
            );
            reader.feed(body);
            reader.finish()
        });
        Ok(Self { request, response, format: route.format, asked, answered })
    }

    /// The kind of provider, as the price catalogue knows it.
    pub(crate) fn provider_kind(&self, provider: Option<&str>) -> String {
        let by_format = match self.format {
            Format::AnthropicMessages | Format::AnthropicCountTokens => Some("anthropic"),
            Format::Gemini => Some("gemini"),
            Format::BedrockConverse => Some("bedrock"),
            Format::Generic => None,
            _ => Some("openai"),
        };
        provider.or(by_format).unwrap_or("generic").to_ascii_lowercase()
    }
}

/// The route of a call that names none, as its bodies look.
fn guessed_path(request: &Message, response: &Message, provider: Option<&str>) -> &'static str {
    let parse = |message: &Message| {
        let body = message.body.as_deref()?;
        serde_json::from_slice::<Value>(body).ok()
    };
    let Some(asked) = parse(request) else { return "" };
    let has = |name: &str| asked.get(name).is_some();
    if has("contents") {
        return "/v1beta/models/unnamed:generateContent";
    }
    if has("messages") {
        let answer = parse(response).unwrap_or_default();
        let anthropic = provider.is_some_and(|name| name.eq_ignore_ascii_case("anthropic"))
            || answer["type"] == "message";
        return if anthropic { "/v1/messages" } else { "/v1/chat/completions" };
    }
    if has("input") {
        let answer = parse(response).unwrap_or_default();
        return if answer["object"] == "list" { "/v1/embeddings" } else { "/v1/responses" };
    }
    if has("prompt") { "/v1/completions" } else { "" }
}
