//! Sample traffic: what a handful of applications would send through the gateway in a day.

use crate::random::Random;
use crate::texts::{DELICATE, TOPICS, Topic, USERS};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;

/// One call of so many leaves a required header out, as a team that is new to the gateway would.
const FORGOTTEN_ONE_IN: usize = 30;
/// One call of so many is hung up on after the first piece of the answer.
const HUNG_UP_ONE_IN: usize = 40;
/// Each call of this number is one that policies are there for.
const DELICATE_EVERY: usize = 8;
/// Calls that wait beside the others at once.
const WAITING_MAX: usize = 8;
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
    /// It may be held until a person has looked at it; the others do not wait for it.
    may_wait: bool,
}

/// What became of one call.
#[derive(Clone, Copy)]
enum Became {
    Ok,
    Refused,
    Broken,
}

// === impl Summary ===

impl Summary {
    const fn count(&mut self, became: Became) {
        match became {
            Became::Ok => self.ok += 1,
            Became::Refused => self.refused += 1,
            Became::Broken => self.broken += 1,
        }
    }
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
        let mut waiting = JoinSet::new();
        while self.options.calls.is_none_or(|calls| summary.sent < calls) {
            let number = summary.sent as usize;
            summary.sent += 1;
            match self.next_call(number) {
                Ok(call) if call.may_wait && waiting.len() < WAITING_MAX => {
                    waiting.spawn(send(self.client.clone(), call));
                }
                Ok(call) => summary.count(send(self.client.clone(), call).await),
                Err(error) => {
                    tracing::warn!(%error, url = self.options.gateway_url, "the demo's traffic has no valid target");
                    return summary;
                }
            }
            while let Some(Ok(became)) = waiting.try_join_next() {
                summary.count(became);
            }
            tokio::time::sleep(self.options.pause).await;
        }
        while let Some(Ok(became)) = waiting.join_next().await {
            summary.count(became);
        }
        summary
    }

    fn next_call(&mut self, number: usize) -> http::Result<Call> {
        let random = &mut self.random;
        let none = &TOPICS[0];
        let topic = random.pick(TOPICS).unwrap_or(none);
        let question = random.pick(topic.questions).copied().unwrap_or_default();
        let round = number / DELICATE_EVERY;
        let delicate = DELICATE.get(round % DELICATE.len().max(1));
        let delicate = delicate.filter(|_| number % DELICATE_EVERY == DELICATE_EVERY - 1);
        let (question, may_wait) = (delicate.copied().unwrap_or(question), delicate.is_some());
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
        let request = request.body(Full::new(Bytes::from(body.to_string())))?;
        Ok(Call { request, hang_up, may_wait })
    }
}

/// What became of one call.
async fn send(client: Client<HttpConnector, Full<Bytes>>, call: Call) -> Became {
    let limit = Duration::from_millis(CALL_MS_MAX);
    match tokio::time::timeout(limit, exchange(&client, call)).await {
        Ok(Ok(status)) if status.is_success() => Became::Ok,
        Ok(Ok(_)) => Became::Refused,
        Ok(Err(error)) => {
            tracing::debug!(error = error.to_string(), "a call of the demo's traffic broke off");
            Became::Broken
        }
        Err(_) => Became::Broken,
    }
}

async fn exchange(
    client: &Client<HttpConnector, Full<Bytes>>,
    call: Call,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let mut response = client.request(call.request).await?;
    while let Some(frame) = response.body_mut().frame().await {
        frame?;
        if call.hang_up {
            return Err("hung up, as a closed browser tab does".into());
        }
    }
    Ok(response.status())
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
