//! Sample traffic: what a handful of applications would send through the gateway in a day.

use crate::random::Random;
use crate::texts::{TOPICS, Topic, USERS};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::time::Duration;

/// One call of so many leaves a required header out, as a team that is new to the gateway would.
const FORGOTTEN_ONE_IN: usize = 30;
/// One call of so many is hung up on after the first piece of the answer.
const HUNG_UP_ONE_IN: usize = 40;
/// One call waits no longer.
const CALL_MS_MAX: u64 = 60_000;

/// Where the traffic goes.
#[derive(Debug, Clone)]
pub struct TrafficOptions {
    /// The gateway, as `http://127.0.0.1:8000`.
    pub gateway_url: String,
    /// A key with the scope `gateway`, not bound to a source.
    pub api_key: String,
    /// How many calls; without, until dropped.
    pub calls: Option<u64>,
    /// Pause between two calls.
    pub pause: Duration,
    /// The same seed sends the same calls.
    pub seed: u64,
}

/// What became of the calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls sent.
    pub sent: u64,
    /// Answers of status 2xx.
    pub ok: u64,
    /// Other answers.
    pub refused: u64,
    /// Calls that got no whole answer.
    pub broken: u64,
}

/// Sends calls one after the other.
#[derive(Debug)]
pub struct Traffic {
    options: TrafficOptions,
    client: Client<HttpConnector, Full<Bytes>>,
    random: Random,
}

struct Call {
    request: Request<Full<Bytes>>,
    hang_up: bool,
}

// === impl Traffic ===

impl Traffic {
    /// Traffic that goes there.
    pub fn new(options: TrafficOptions) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let random = Random::new(options.seed);
        Self { options, client, random }
    }

    /// Sends all calls; a failed one is counted, never an error.
    pub async fn run(mut self) -> Summary {
        let mut summary = Summary::default();
        while self.options.calls.is_none_or(|calls| summary.sent < calls) {
            summary.sent += 1;
            match self.next_call() {
                Ok(call) => self.send(call, &mut summary).await,
                Err(error) => {
                    tracing::warn!(%error, url = self.options.gateway_url, "the demo's traffic has no valid target");
                    return summary;
                }
            }
            tokio::time::sleep(self.options.pause).await;
        }
        summary
    }

    async fn send(&self, call: Call, summary: &mut Summary) {
        let limit = Duration::from_millis(CALL_MS_MAX);
        match tokio::time::timeout(limit, self.exchange(call)).await {
            Ok(Ok(status)) if status.is_success() => summary.ok += 1,
            Ok(Ok(_)) => summary.refused += 1,
            Ok(Err(error)) => {
                tracing::debug!(
                    error = error.to_string(),
                    "a call of the demo's traffic broke off"
                );
                summary.broken += 1;
            }
            Err(_) => summary.broken += 1,
        }
    }

    async fn exchange(
        &self,
        call: Call,
    ) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
        let mut response = self.client.request(call.request).await?;
        while let Some(frame) = response.body_mut().frame().await {
            frame?;
            if call.hang_up {
                return Err("hung up, as a closed browser tab does".into());
            }
        }
        Ok(response.status())
    }

    fn next_call(&mut self) -> http::Result<Call> {
        let random = &mut self.random;
        let none = &TOPICS[0];
        let topic = random.pick(TOPICS).unwrap_or(none);
        let question = random.pick(topic.questions).copied().unwrap_or_default();
        let user = random.pick(USERS).copied().unwrap_or_default();
        let stream = random.below(2) == 0;
        let (path, body) = body_of(random.below(10), topic, question, stream);
        let forgotten = random.below(FORGOTTEN_ONE_IN) == 0;
        let hang_up = stream && random.below(HUNG_UP_ONE_IN) == 0;
        let session = format!("{user}-{}", random.below(12));
        let mut request = Request::post(format!("{}{path}", self.options.gateway_url))
            .header("content-type", "application/json")
            .header("x-api-key", &self.options.api_key)
            .header("x-llm-source", topic.source)
            .header("x-llm-request-type", topic.request_type)
            .header("x-llm-session", session);
        if !forgotten {
            request = request.header("x-llm-user", user);
        }
        if topic.word == "patient" {
            request =
                request.header("x-llm-subject", format!("patient-{}", 1000 + random.below(5)));
        }
        Ok(Call { request: request.body(Full::new(Bytes::from(body.to_string())))?, hang_up })
    }
}

/// Path and body of a call in one of the formats.
fn body_of(format: usize, topic: &Topic, question: &str, stream: bool) -> (&'static str, Value) {
    let (system, user) = (topic.system, question);
    match format {
        0..=3 => (
            "/v1/chat/completions",
            json!({"model": "gpt-4o-mini", "stream": stream, "messages": [
                {"role": "system", "content": system}, {"role": "user", "content": user}]}),
        ),
        4..=6 => (
            "/v1/messages",
            json!({"model": "claude-opus-5", "max_tokens": 512, "stream": stream, "system": system,
                "messages": [{"role": "user", "content": user}]}),
        ),
        7 => (
            "/v1/responses",
            json!({"model": "gpt-4o", "stream": stream, "instructions": system, "input": user}),
        ),
        8 => ("/v1/embeddings", json!({"model": "text-embedding-3-small", "input": user})),
        _ => (
            "/v1/chat/completions",
            json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": user}],
                "tools": [{"type": "function", "function": {"name": "look_up", "description": "Looks a case up.",
                    "parameters": {"type": "object", "properties": {"case": {"type": "string"}}}}}]}),
        ),
    }
}
