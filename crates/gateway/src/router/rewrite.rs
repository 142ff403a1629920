//! The request as a provider or a target gets it: path, query, body. Only the model's name, the
//! place it has in a path, and the wish for usage ever change.

use super::plan::Sending;
use crate::call::Call;
use crate::settings::{Dialect, Provider, ProviderKind};
use crate::targets::Target;
use bytes::Bytes;
use std::borrow::Cow;
use wire::Format;

/// A request ready to be sent.
pub(crate) struct Prepared<'a> {
    pub path: Cow<'a, str>,
    pub query: Option<Cow<'a, str>>,
    pub body: Bytes,
    /// Usage is asked for, and so hidden from the answer.
    pub injected: bool,
}

/// For a provider, without a model of ours.
pub(crate) fn for_provider<'a>(
    call: &'a Call,
    provider: &Provider,
    sending: &Sending<'_>,
) -> Prepared<'a> {
    let path = match &call.route.passthrough {
        Some(name) => call.path.get("/passthrough/".len() + name.len()..).unwrap_or("/"),
        None => &call.path,
    };
    let query = call.query.as_deref().map(Cow::Borrowed);
    with_usage(call, provider, sending, Cow::Borrowed(path), query, sending.body.clone())
}

/// For a target of a model.
pub(crate) fn for_target<'a>(
    call: &'a Call,
    target: &Target,
    sending: &Sending<'_>,
) -> Prepared<'a> {
    let (path, query) = place(call, target);
    let path_names_model = wire::path_model(&path).is_some();
    let speaks_openai = dialect(call) == Some(Dialect::OpenAi);
    let renamed = match () {
        // Azure's path named it; elsewhere the body has to.
        () if speaks_openai && !path_names_model => wire::set_model(sending.body, &target.model),
        () if call.route.takes_json_body && !is_in_path_only(call.route.format) => {
            wire::rename_model(sending.body, &target.model)
        }
        () => None,
    };
    let body = renamed.map_or_else(|| sending.body.clone(), Bytes::from);
    with_usage(call, &target.provider, sending, path, query, body)
}

fn with_usage<'a>(
    call: &Call,
    provider: &Provider,
    sending: &Sending<'_>,
    path: Cow<'a, str>,
    query: Option<Cow<'a, str>>,
    body: Bytes,
) -> Prepared<'a> {
    let injected = (provider.inject_usage && sending.facts.stream && !sending.facts.wants_usage)
        .then(|| wire::inject_usage(call.route.format, &body))
        .flatten();
    Prepared { path, query, injected: injected.is_some(), body: injected.map_or(body, Bytes::from) }
}

const fn is_in_path_only(format: Format) -> bool {
    matches!(format, Format::Gemini | Format::BedrockConverse)
}

/// What a call speaks; none where it is nothing that names models.
pub(crate) fn dialect(call: &Call) -> Option<Dialect> {
    let route = &call.route;
    match route.format {
        Format::OpenAiChat
        | Format::OpenAiCompletions
        | Format::OpenAiEmbeddings
        | Format::OpenAiResponses => Some(Dialect::OpenAi),
        Format::AnthropicMessages | Format::AnthropicCountTokens => Some(Dialect::Anthropic),
        Format::Gemini => Some(Dialect::Gemini),
        Format::BedrockConverse => Some(Dialect::Any),
        _ if route.path_model.is_none() => None,
        _ if call.path.contains("/openai/deployments/") => Some(Dialect::OpenAi),
        _ if route.error_style == wire::ErrorStyle::Gemini => Some(Dialect::Gemini),
        _ => Some(Dialect::Any),
    }
}

/// Path and query at the target.
fn place<'a>(call: &'a Call, target: &Target) -> (Cow<'a, str>, Option<Cow<'a, str>>) {
    let query = call.query.as_deref();
    let kept = query.map(Cow::Borrowed);
    if dialect(call) == Some(Dialect::OpenAi) {
        match (target.provider.kind, operation(&call.path)) {
            (ProviderKind::AzureOpenAi, Some(operation)) => {
                return on_azure(call, target, operation);
            }
            (ProviderKind::OpenAi, Some(operation)) if call.path.starts_with("/openai/") => {
                return (format!("/v1{operation}").into(), without(query, "api-version"));
            }
            _ => {}
        }
    }
    match wire::set_path_model(&call.path, &target.model) {
        Some(path) => (path.into(), kept),
        None => (Cow::Borrowed(&call.path), kept),
    }
}

fn on_azure<'a>(
    call: &'a Call,
    target: &Target,
    operation: &str,
) -> (Cow<'a, str>, Option<Cow<'a, str>>) {
    let query = call.query.as_deref();
    let asked = query.is_some_and(|query| query.split('&').any(|pair| names(pair, "api-version")));
    let version = target.provider.api_version.as_deref();
    if version.is_none() && !(asked && call.route.path_model.is_some()) {
        return (format!("/openai/v1{operation}").into(), query.map(Cow::Borrowed));
    }
    let query = match (version, query) {
        (Some(version), Some(query)) if !asked => {
            Some(format!("{query}&api-version={version}").into())
        }
        (Some(version), None) => Some(format!("api-version={version}").into()),
        (_, query) => query.map(Cow::Borrowed),
    };
    // Responses take the deployment in the body.
    if operation.starts_with("/responses") {
        return (format!("/openai{operation}").into(), query);
    }
    let path = format!("/openai/deployments/-{operation}");
    let path = wire::set_path_model(&path, &target.model).unwrap_or(path);
    (path.into(), query)
}

/// What is asked of OpenAI's API, wherever it is served: `/chat/completions`.
fn operation(path: &str) -> Option<&str> {
    if let Some(rest) = path.strip_prefix("/openai/deployments/") {
        return rest.find('/').and_then(|at| rest.get(at..));
    }
    let rest = ["/openai/v1", "/openai", "/v1"].iter().find_map(|root| path.strip_prefix(root))?;
    rest.starts_with('/').then_some(rest)
}

fn without<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    let query = query?;
    let kept: Vec<&str> = query.split('&').filter(|pair| !names(pair, name)).collect();
    (!kept.is_empty()).then(|| kept.join("&").into())
}

fn names(pair: &str, name: &str) -> bool {
    pair.split('=').next() == Some(name)
}
