//! `[reviews]`, with its defaults and what types cannot say of it.

use super::SecretRef;
use super::span::Span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// Bytes of a webhook's secret at least.
const SECRET_BYTES_MIN: usize = 16;

/// `[reviews]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reviews {
    /// How long a caller waits before it is told to come back.
    pub wait: Span,
    /// How long persons have to answer.
    pub expire: Span,
    /// What becomes of a review that nobody answered.
    pub on_expiry: OnExpiry,
    /// How long an answer can be fetched again, and an approved call picked up.
    pub keep: Span,
    /// Who is told of reviews and decisions.
    pub webhook_url: Option<WebhookUrl>,
    /// What signs those messages.
    pub webhook_secret: Option<SecretRef>,
}

/// `reviews.on_expiry`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExpiry {
    /// Refuse the call.
    Reject,
    /// Let it through.
    Approve,
}

/// Where messages about reviews go. Its path and query can be secret: only its host is shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookUrl(pub http::Uri);

impl Default for Reviews {
    fn default() -> Self {
        let settings = review::Settings::default();
        Self {
            wait: Span(settings.wait),
            expire: Span(settings.expire),
            on_expiry: OnExpiry::Reject,
            keep: Span(settings.keep),
            webhook_url: None,
            webhook_secret: None,
        }
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = &'static str;

    /// The error does not repeat what was found: it may hold a secret.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "found something else (not shown, it may hold a secret), allowed: https://HOST/PATH or http://…, without a username";
        let uri: http::Uri = text.parse().map_err(|_| WRONG)?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let named = uri.authority().is_some_and(|host| !host.as_str().contains('@'));
        if web && named && !uri.host().unwrap_or_default().is_empty() {
            return Ok(Self(uri));
        }
        Err(WRONG)
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl std::fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}/…", self.0.host().unwrap_or_default())
    }
}

/// Checks ranges and that a webhook is signed.
pub fn check(reviews: &Reviews) -> Result<(), String> {
    let second = Duration::from_secs(1);
    let all = [
        ("reviews.wait", reviews.wait, Duration::ZERO, Duration::from_hours(1)),
        ("reviews.expire", reviews.expire, second, 365 * DAY),
        ("reviews.keep", reviews.keep, second, 365 * DAY),
    ];
    for (key, found, min, max) in all {
        if !(min..=max).contains(&found.0) {
            return Err(format!("{key}: found {found}, allowed: {} to {}", Span(min), Span(max)));
        }
    }
    match (&reviews.webhook_url, &reviews.webhook_secret) {
        (Some(_), None) => Err(
            "reviews.webhook_secret: missing beside webhook_url; allowed: env:NAME or file:PATH of a secret that the receiver checks signatures with".to_owned(),
        ),
        (None, Some(_)) => Err(
            "reviews.webhook_secret: found without webhook_url; set both, or remove it".to_owned(),
        ),
        (Some(_), Some(secret)) => {
            let secret = secret.read().map_err(|what| format!("reviews.webhook_secret: {what}"))?;
            if secret.expose().len() < SECRET_BYTES_MIN {
                return Err(format!(
                    "reviews.webhook_secret: found a short secret, allowed: at least {SECRET_BYTES_MIN} characters"
                ));
            }
            Ok(())
        }
        (None, None) => Ok(()),
    }
}
