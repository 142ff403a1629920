//! The way to a provider: a pooled client for each thread, the request as the provider gets it.

use crate::headers;
use crate::settings::{Provider, ProviderKind};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header, uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use thread_local::ThreadLocal;
use wire::{Format, Route};

/// Idle connections kept for each provider by each thread.
const POOL_IDLE_MAX: usize = 512;
/// How long an idle connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(55);

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("the provider did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the provider could not be reached: {0}")]
    Connect(String),
    #[error("the provider's answer is not HTTP: {0}")]
    Protocol(String),
}

impl UpstreamError {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Connect(_) => "connect",
            Self::Protocol(_) => "protocol",
        }
    }
}

/// Sends requests to providers.
#[derive(Clone)]
pub(crate) struct Upstream {
    inner: Arc<Inner>,
}

struct Inner {
    connector: HttpsConnector<HttpConnector>,
    /// One for each thread that sends, made when it first does: a connection is looked after on
    /// the thread that opened it.
    clients: ThreadLocal<Pooled>,
}

type Pooled = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Upstream {
    /// A client that waits this long for a connection.
    pub(crate) fn new(connect: Duration) -> Result<Self, std::io::Error> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(connect));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let inner = Inner { connector: https, clients: ThreadLocal::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn client(&self) -> &Pooled {
        self.inner.clients.get_or(|| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_max_idle_per_host(POOL_IDLE_MAX)
                .pool_idle_timeout(POOL_IDLE)
                .build(self.inner.connector.clone())
        })
    }

    /// Sends one request; resolves with the head of its answer.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        first_byte: Duration,
    ) -> Result<Response<Incoming>, UpstreamError> {
        match tokio::time::timeout(first_byte, self.client().request(request)).await {
            Err(_) => Err(UpstreamError::Timeout(first_byte)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let text = root_cause(&error);
                Err(match error.is_connect() {
                    true => UpstreamError::Connect(text),
                    false => UpstreamError::Protocol(text),
                })
            }
        }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The provider for a route: the first whose kind speaks the format, else the first that takes
/// all; under `/passthrough/{name}/` the one of that name.
pub(crate) fn choose<'a>(
    providers: &'a [Provider],
    route: &Route,
    path: &str,
) -> Option<&'a Provider> {
    if let Some(name) = &route.passthrough {
        return providers.iter().find(|provider| provider.name == *name);
    }
    let wanted = match route.format {
        Format::AnthropicMessages | Format::AnthropicCountTokens => &[ProviderKind::Anthropic][..],
        Format::Gemini => &[ProviderKind::Gemini],
        _ if path.starts_with("/openai/") => &[ProviderKind::AzureOpenAi],
        _ => &[ProviderKind::OpenAi, ProviderKind::AzureOpenAi],
    };
    wanted
        .iter()
        .find_map(|kind| providers.iter().find(|provider| provider.kind == *kind))
        .or_else(|| providers.iter().find(|provider| provider.takes_all))
        .or_else(|| providers.iter().find(|provider| provider.kind == ProviderKind::Generic))
}

/// The provider's own id of a request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-request-id", "request-id", "apim-request-id", "x-amzn-requestid"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(str::to_owned)
}

/// What of the caller's request goes to the provider.
pub(crate) struct Outgoing<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    /// The answer has to be read: it may not be encoded.
    pub plain: bool,
}

/// The request as the provider gets it.
pub(crate) fn request(
    provider: &Provider,
    outgoing: Outgoing<'_>,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut headers = outgoing.headers.clone();
    headers::remove_hop_by_hop(&mut headers);
    let ours: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| is_ours(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in ours {
        headers.remove(name);
    }
    for name in [header::HOST, header::CONTENT_LENGTH, header::EXPECT] {
        headers.remove(name);
    }
    if outgoing.plain {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let mut query = headers::passed_query(outgoing.query);
    if let Some(key) = &provider.api_key {
        for name in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
            headers.remove(name);
        }
        query = without_key(query);
        let (name, value) = credential(provider.kind, key)?;
        headers.insert(name, value);
    }
    let mut request =
        Request::builder().method(outgoing.method).uri(target(provider, outgoing.path, query)?);
    if let Some(into) = request.headers_mut() {
        *into = headers;
    }
    request.body(Full::new(outgoing.body))
}

/// Headers that end here: our metadata, and any header that carries a key of ours.
fn is_ours(name: &HeaderName, value: &HeaderValue) -> bool {
    let name = name.as_str();
    name.starts_with(headers::OURS_PREFIX)
        || name == "x-trace-id"
        || (wire::is_credential(name)
            && value.to_str().is_ok_and(|value| {
                crate::admit::is_our_key(value.rsplit(' ').next().unwrap_or(value).trim())
            }))
}

fn without_key(query: Option<String>) -> Option<String> {
    let query = query?;
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("key=")).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

fn credential(
    kind: ProviderKind,
    key: &HeaderValue,
) -> Result<(HeaderName, HeaderValue), http::Error> {
    let name = match kind {
        ProviderKind::Anthropic => "x-api-key",
        ProviderKind::AzureOpenAi => "api-key",
        ProviderKind::Gemini => "x-goog-api-key",
        ProviderKind::OpenAi | ProviderKind::Generic => {
            let mut value = HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat())?;
            value.set_sensitive(true);
            return Ok((header::AUTHORIZATION, value));
        }
    };
    Ok((HeaderName::from_static(name), key.clone()))
}

fn target(provider: &Provider, path: &str, query: Option<String>) -> Result<Uri, http::Error> {
    let base = provider.base_url.path().trim_end_matches('/');
    // A base URL of `…/v1` and a path of `/v1/…` mean the same place once.
    let path = match base.rsplit_once('/') {
        Some((_, last)) if !last.is_empty() && path.starts_with(&format!("/{last}/")) => {
            &path[last.len() + 1..]
        }
        // So do `…/openai/v1` and `/openai/v1/…`.
        Some(_) => match path.strip_prefix(base) {
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        },
        None => path,
    };
    let mut full = [base, path].concat();
    if let Some(query) = query {
        full.push('?');
        full.push_str(&query);
    }
    let mut parts = uri::Parts::default();
    parts.scheme = provider.base_url.scheme().cloned();
    parts.authority = provider.base_url.authority().cloned();
    parts.path_and_query = Some(full.parse()?);
    Ok(Uri::from_parts(parts)?)
}
