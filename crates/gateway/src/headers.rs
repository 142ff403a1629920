//! Headers: what is ours, what is masked, what is passed on.

use event::Headers;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
pub(crate) use wire::recorded_query;
use wire::{HEADERS_RECORDED_MAX, recorded_value};

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

/// Our prefix of a caller's metadata.
pub(crate) const OURS_PREFIX: &str = "x-llm-";

/// Name and value pairs as they are recorded: credentials masked, sizes bounded.
pub(crate) fn recorded(headers: &HeaderMap) -> Headers {
    let mut recorded = Headers::with_capacity(headers.len().min(HEADERS_RECORDED_MAX));
    for (name, value) in headers.iter().take(HEADERS_RECORDED_MAX) {
        let text = String::from_utf8_lossy(value.as_bytes());
        recorded.push(name.as_str(), recorded_value(name.as_str(), &text));
    }
    recorded
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
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("s3cret"));
        headers.insert("x-client-secret", HeaderValue::from_static("s3cret"));
        assert!(recorded(&headers).iter().all(|(_, value)| value == "***"));
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
