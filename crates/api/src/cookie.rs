//! The one cookie: the refresh token. It is sent to the routes of sign-in alone, scripts cannot
//! read it, and it opens nothing by itself: every other route wants an access token in a header,
//! which no other site can make a browser send.

use crate::problem::Problem;
use control::{RefreshError, SignedIn};
use http::{HeaderMap, HeaderValue, Uri, header};

const NAME: &str = "al_refresh";
const PATH: &str = "/api/v1/auth";

/// Keeps the refresh token in the browser.
pub(crate) fn keep(signed: &SignedIn, tls: bool) -> Option<HeaderValue> {
    cookie(&signed.refresh, signed.refresh_expires_in_s, tls)
}

/// Takes it away.
pub(crate) fn forget(tls: bool) -> Option<HeaderValue> {
    cookie("", 0, tls)
}

fn cookie(value: &str, max_age_s: u64, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let text = format!(
        "{NAME}={value}; Path={PATH}; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
    );
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The refresh token that came with a request of our own pages, or of no page at all.
pub(crate) fn presented(headers: &HeaderMap) -> Result<&str, Problem> {
    if !same_origin(headers) {
        return Err(Problem::forbidden("another site asks for this; sign in here"));
    }
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let token = pairs.find(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim());
    token.ok_or_else(|| RefreshError::Refused.into())
}

/// Browsers say where a request comes from; programs that are none need not.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let Some(origin) = text("origin") else { return true };
    let origin = origin.parse::<Uri>().ok();
    let origin = origin.as_ref().and_then(|origin| origin.authority());
    origin.is_some_and(|origin| Some(origin.as_str()) == text("host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    #[test]
    fn only_our_own_pages_send_it() {
        let cookie = ("cookie", "other=1; al_refresh=abc; al_refresh2=no");
        let host = ("host", "audit.example:8080");
        for fits in [
            &[cookie][..],
            &[cookie, host, ("origin", "https://audit.example:8080")],
            &[cookie, host, ("sec-fetch-site", "same-origin")],
        ] {
            assert_eq!(presented(&headers(fits)).ok(), Some("abc"), "{fits:?}");
        }
        for foreign in [
            &[cookie, host, ("origin", "https://evil.example")][..],
            &[cookie, host, ("origin", "http://audit.example")],
            &[cookie, host, ("origin", "null")],
            &[cookie, host, ("sec-fetch-site", "cross-site")],
            &[cookie, host, ("sec-fetch-site", "same-site")],
            &[host],
            &[host, ("cookie", "al_refresh")],
        ] {
            assert!(presented(&headers(foreign)).is_err(), "{foreign:?}");
        }
    }
}
