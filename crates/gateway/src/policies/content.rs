//! What detectors find in bodies, and bodies without it.

use crate::upstream::Upstream;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use policy::{
    Detectors, FindingFact, HookAnswer, HookSettings, OnHookFailure, Reads, Tokens, facts,
};
use std::sync::Arc;
use std::time::Duration;

/// Larger bodies are looked through on a thread where that may take its time.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an outside detector's answer at most.
const HOOK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What was found in a body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub classes: Vec<String>,
    pub findings: Vec<FindingFact>,
    /// What a detector outside found.
    outside: Option<HookAnswer>,
    /// Why not all of it could be looked at.
    pub missed: Option<&'static str>,
}

/// Looks through bodies.
#[derive(Clone)]
pub(crate) struct Content {
    detectors: Arc<Detectors>,
    upstream: Upstream,
}

// === impl Content ===

impl Content {
    /// Looks for what these find.
    pub(super) const fn new(detectors: Arc<Detectors>, upstream: Upstream) -> Self {
        Self { detectors, upstream }
    }

    /// What is in a body.
    pub(super) async fn scan(&self, reads: Reads, body: &Bytes) -> Seen {
        if reads == Reads::Opaque || body.is_empty() {
            return Seen::default();
        }
        let mut seen = Seen::default();
        if let Some(hook) = self.detectors.hook() {
            let text = reads.document(body).joined();
            match Box::pin(self.ask(hook, &text)).await {
                Some(answer) => seen.outside = Some(answer),
                None if hook.on_failure == OnHookFailure::Ignore => {}
                None => seen.missed = Some("The outside detector did not answer as it should."),
            }
        }
        let outside = seen.outside.clone();
        let scanned = self.on_thread(body, move |detectors, body| {
            let mut document = reads.document(body);
            outside.iter().for_each(|answer| document.add(answer));
            document.scan(detectors)
        });
        // Where the thread failed, nothing is known of the body.
        match scanned.await {
            Some(scan) => {
                (seen.classes, seen.findings) = facts(&scan);
                if !scan.complete {
                    seen.missed = Some("The text is longer than detectors look through.");
                }
            }
            None => seen.missed = Some("The detectors failed."),
        }
        seen
    }

    /// The body without what was found in it, and the placeholders; no body where nothing was
    /// found that can be hidden.
    pub(super) async fn redact(
        &self,
        reads: Reads,
        body: &Bytes,
        seen: &Seen,
        tokens: Tokens,
    ) -> (Option<Bytes>, Tokens) {
        if reads == Reads::Opaque {
            return (None, tokens);
        }
        let (outside, mut own) = (seen.outside.clone(), tokens.clone());
        let redacted = self.on_thread(body, move |detectors, body| {
            let mut document = reads.document(body);
            outside.iter().for_each(|answer| document.add(answer));
            let redacted = document.redact(detectors, &mut own).map(Bytes::from);
            (redacted, own)
        });
        redacted.await.unwrap_or((None, tokens))
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        body: &Bytes,
        work: impl FnOnce(&Detectors, &[u8]) -> T + Send + 'static,
    ) -> Option<T> {
        if body.len() <= INLINE_BYTES_MAX {
            return Some(work(&self.detectors, body));
        }
        let (detectors, body) = (self.detectors.clone(), body.clone());
        tokio::task::spawn_blocking(move || work(&detectors, &body)).await.ok()
    }

    /// Asks a detector outside; none where it does not answer in time, or lies.
    async fn ask(&self, hook: &HookSettings, text: &str) -> Option<HookAnswer> {
        let limit = Duration::from_millis(hook.timeout_ms);
        let asked = tokio::time::timeout(limit, self.exchange(hook, text, limit)).await;
        let failed = match asked {
            Ok(Ok(body)) => match hook.answer(text, &body) {
                Ok(answer) => return Some(answer),
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => error,
            Err(_) => format!("no answer within {limit:?}"),
        };
        tracing::warn!(error = failed, "the outside detector did not answer as it should");
        None
    }

    async fn exchange(
        &self,
        hook: &HookSettings,
        text: &str,
        limit: Duration,
    ) -> Result<Bytes, String> {
        let request = Request::post(hook.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(hook.question(text))))
            .map_err(|error| format!("detectors.hook.url: {error}"))?;
        let sent = self.upstream.send(request, limit).await;
        let response = sent.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("it answered {}", response.status()));
        }
        let body = Limited::new(response.into_body(), HOOK_BYTES_MAX).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())
    }
}
