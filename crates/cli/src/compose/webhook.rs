//! Signed messages about reviews, after the Standard Webhooks specification: `webhook-id`,
//! `webhook-timestamp`, and `webhook-signature: v1,BASE64` with HMAC-SHA256 over
//! `id.timestamp.body`. They hold nothing about persons: the receiver asks the API for that.

use crate::config::{Config, SecretRef};
use crate::failure::{Failure, Outcome};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use control::{Hook, Review};
use event::Timestamp;
use http::{Request, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use review::{Desk, Item, ReviewError};
use std::time::Duration;

/// How long the receiver may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often a message is sent at most.
const TRIES_MAX: u32 = 10;
/// Pause before the second try; doubles each time, to an hour.
const FIRST_PAUSE_S: u64 = 5;
const LONGEST_PAUSE_S: u64 = 3_600;
/// What secrets of the specification begin with; what follows is in base64.
const SECRET_PREFIX: &str = "whsec_";

/// Sends messages about reviews to one receiver.
pub struct Webhook {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    key: hmac::Key,
}

impl Webhook {
    /// The configured one, where there is one.
    pub fn configured(config: &Config) -> Outcome<Option<Self>> {
        let reviews = &config.reviews;
        let (Some(url), Some(secret)) = (&reviews.webhook_url, &reviews.webhook_secret) else {
            return Ok(None);
        };
        Self::new(url.0.clone(), &read(secret)?).map(Some)
    }

    fn new(url: Uri, secret: &[u8]) -> Outcome<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(ANSWER_MAX));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|error| {
                Failure::failed(format!("the system's certificates cannot be read: {error}"))
            })?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new()).build(https);
        Ok(Self { client, url, key: hmac::Key::new(hmac::HMAC_SHA256, secret) })
    }

    /// Sends what is due at `now`; what is not taken is due again later, some times.
    pub async fn send_due(&self, desk: &Desk, now: Timestamp) -> Result<(), ReviewError> {
        let reviews = desk.reviews().clone();
        for hook in blocking(move || reviews.hooks(now)).await? {
            let sent = match desk.get(&hook.review_id).await {
                Ok(review) => self.send(&hook, &review, now).await,
                Err(error) => return Err(error),
            };
            let reviews = desk.reviews().clone();
            match sent {
                Ok(()) => blocking(move || reviews.hook_done(&hook)).await?,
                Err(what) if hook.tries + 1 >= TRIES_MAX => {
                    let (review, kind) = (&hook.review_id, hook.kind.as_str());
                    tracing::error!(what, review, kind, "a webhook is given up");
                    blocking(move || reviews.hook_done(&hook)).await?;
                }
                Err(what) => {
                    let (review, tries) = (&hook.review_id, hook.tries + 1);
                    tracing::warn!(what, review, tries, "a webhook is sent again later");
                    let next = after(now, pause(hook.tries));
                    blocking(move || reviews.hook_again(&hook, next)).await?;
                }
            }
        }
        Ok(())
    }

    async fn send(&self, hook: &Hook, review: &Review, now: Timestamp) -> Result<(), String> {
        let id = format!("{}.{}", hook.review_id, hook.kind.as_str());
        let body = serde_json::json!({
            "type": hook.kind.as_str(),
            "timestamp": hook.at,
            "data": Item::new(&without_reasons(review), None),
        })
        .to_string();
        let sent_at = now.as_micros() / 1_000_000;
        let signature = self.signature(&id, sent_at, &body);
        let request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("audit-layer/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", sent_at)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(ANSWER_MAX, self.client.request(request)).await;
        let answer = answer.map_err(|_| format!("no answer within {ANSWER_MAX:?}"))?;
        let status = answer.map_err(|error| root_cause(&error))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("the receiver answered {status}")) }
    }

    fn signature(&self, id: &str, sent_at: i64, body: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{id}.{sent_at}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

/// Rationales can name persons; they stay here.
fn without_reasons(review: &Review) -> Review {
    let mut review = review.clone();
    for vote in &mut review.votes {
        vote.rationale.clear();
    }
    review
}

/// The secret's bytes: those after `whsec_` in base64, or the text as it is.
fn read(secret: &SecretRef) -> Outcome<Vec<u8>> {
    let failure = |what: &str| Failure::usage(format!("reviews.webhook_secret: {what}"));
    let secret = secret.read().map_err(|what| failure(&what))?;
    match secret.expose().strip_prefix(SECRET_PREFIX) {
        Some(text) => {
            STANDARD.decode(text).map_err(|_| failure("what follows whsec_ is no base64"))
        }
        None => Ok(secret.expose().as_bytes().to_vec()),
    }
}

const fn pause(tries: u32) -> Duration {
    let pause_s = FIRST_PAUSE_S << if tries < 12 { tries } else { 12 };
    Duration::from_secs(if pause_s < LONGEST_PAUSE_S { pause_s } else { LONGEST_PAUSE_S })
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros))
}

async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> control::Result<T> + Send + 'static,
) -> Result<T, ReviewError> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.map_err(|_| ReviewError::Internal)?.map_err(ReviewError::from)
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
