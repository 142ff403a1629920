//! Headers: what is ours, what is masked, what is passed on.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers that speak of one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Headers that carry credentials: never recorded, never logged.
const CREDENTIALS: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "set-cookie",
    "x-amz-security-token",
    "x-auth-token",
    "openai-api-key",
];

/// What stands in a record in place of a credential.
const MASK: &str = "***";
/// Headers in a record at most; the rest are counted out.
const RECORDED_MAX: usize = 64;
/// Bytes of a header's value in a record at most.
const RECORDED_VALUE_BYTES_MAX: usize = 512;

/// Our prefix of a caller's metadata.
pub(crate) const OURS_PREFIX: &str = "x-llm-";

pub(crate) fn is_credential(name: &str) -> bool {
    CREDENTIALS.contains(&name) || name.contains("secret") || name.ends_with("-token")
}

/// Name and value pairs as they are recorded: credentials masked, sizes bounded.
pub(crate) fn recorded(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .take(RECORDED_MAX)
        .map(|(name, value)| {
            let name = name.as_str();
            let value = if is_credential(name) {
                MASK.to_owned()
            } else {
                let text = String::from_utf8_lossy(value.as_bytes());
                let end = text.floor_char_boundary(RECORDED_VALUE_BYTES_MAX);
                text[..end].to_owned()
            };
            (name.to_owned(), value)
        })
        .collect()
}

/// Removes what speaks of one connection only, also what `Connection` names.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The query with credentials masked; none where nothing is left.
pub(crate) fn recorded_query(query: Option<&str>) -> Option<String> {
    let masked: Vec<String> = query?
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_query_credential(name) => format!("{name}={MASK}"),
            _ => pair.to_owned(),
        })
        .collect();
    (!masked.is_empty()).then(|| masked.join("&"))
}

fn is_query_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain =
        ["key", "api_key", "apikey", "api-key", "token", "access_token", "sig", "signature"];
    plain.contains(&name.as_str()) || is_credential(&name)
}

/// The query without a key of ours.
pub(crate) fn passed_query(query: Option<&str>) -> Option<String> {
    let kept: Vec<&str> = query?
        .split('&')
        .filter(|pair| {
            !pair.split_once('=').is_some_and(|(_, value)| crate::admit::is_our_key(value))
        })
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// A header value from text that we made.
pub(crate) fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_never_reach_a_record() {
        let mut headers = HeaderMap::new();
        for name in CREDENTIALS {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("s3cret"));
        }
        headers.insert("x-client-secret", HeaderValue::from_static("s3cret"));
        assert!(recorded(&headers).iter().all(|(_, value)| value == MASK));
        let query = recorded_query(Some("alt=sse&key=s3cret&Api_Key=s3cret&empty")).unwrap();
        assert_eq!(query, "alt=sse&key=***&Api_Key=***&empty");
    }

    #[test]
    fn connection_headers_stay_here() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close, x-hop"));
        headers.insert("x-hop", HeaderValue::from_static("1"));
        headers.insert("x-end", HeaderValue::from_static("1"));
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-end"]);
    }
}
