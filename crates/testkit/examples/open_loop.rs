//! Sends requests at a fixed rate, whatever the answers do, and prints latencies as JSON:
//! `open_loop URL RATE SECONDS [stream] [prompt=BYTES] [NAME:VALUE …]`.
//!
//! A request's latency counts from the moment at which it was due, so that a server that stalls
//! is charged for all who would have come in the meantime (no coordinated omission). A thread of
//! its own keeps time: the runtime's timers are too coarse.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own")]

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::percentiles;
use tokio::sync::mpsc;

const QUESTION: &str = "Summarise this complaint: I was charged the card fee twice in October and \
    nobody answered my two letters. I would like the money back and a written explanation.";
/// A request that takes longer has failed.
const REQUEST_SECONDS_MAX: u64 = 20;

type AnyError = Box<dyn Error + Send + Sync>;

/// What every request is.
struct Plan {
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Time to the first byte of the body and to its end.
struct Sample {
    first: Duration,
    whole: Duration,
}

impl Plan {
    fn new(arguments: &[String]) -> Result<Self, AnyError> {
        let stream = arguments.iter().any(|argument| argument == "stream");
        let mut headers =
            vec![(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let mut question = QUESTION.to_owned();
        for argument in arguments.iter().filter(|argument| *argument != "stream") {
            if let Some(bytes) = argument.strip_prefix("prompt=") {
                question = format!("{QUESTION} ")
                    .bytes()
                    .map(char::from)
                    .cycle()
                    .take(bytes.parse()?)
                    .collect();
                continue;
            }
            let (name, value) = argument.split_once(':').ok_or("a header is NAME:VALUE")?;
            headers.push((name.parse()?, value.trim().parse()?));
        }
        let body = json!({"model": "gpt-4o-mini", "stream": stream,
            "messages": [{"role": "user", "content": question}]});
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { url: String::new(), headers, body: Bytes::from(body.to_string()), client })
    }

    async fn send(&self, due: Instant) -> Result<Sample, AnyError> {
        let mut request = Request::post(&self.url).body(Full::new(self.body.clone()))?;
        request
            .headers_mut()
            .extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        let mut response = self.client.request(request).await?;
        if !response.status().is_success() {
            return Err(response.status().to_string().into());
        }
        let mut first = None;
        while let Some(frame) = response.body_mut().frame().await {
            frame?;
            first.get_or_insert_with(|| due.elapsed());
        }
        let whole = due.elapsed();
        Ok(Sample { first: first.unwrap_or(whole), whole })
    }
}

fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, rate, seconds, rest @ ..] = &arguments[..] else {
        return Err("open_loop URL RATE SECONDS [stream] [prompt=BYTES] [NAME:VALUE …]".into());
    };
    let (rate, seconds): (f64, f64) = (rate.parse()?, seconds.parse()?);
    let plan = Arc::new(Plan { url: url.clone(), ..Plan::new(rest)? });
    let count = (rate * seconds) as u32;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (due_times, mut due) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let start = Instant::now();
        for number in 0..count {
            let at = start + Duration::from_secs_f64(f64::from(number) / rate);
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if due_times.send(at).is_err() {
                return;
            }
        }
    });
    let samples = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        while let Some(at) = due.recv().await {
            let plan = Arc::clone(&plan);
            let limit = Duration::from_secs(REQUEST_SECONDS_MAX);
            tasks.spawn(async move { tokio::time::timeout(limit, plan.send(at)).await });
        }
        tasks.join_all().await
    });
    print_summary(samples.into_iter().map(|sample| sample.map_err(Into::into).flatten()));
    Ok(())
}

fn print_summary(samples: impl Iterator<Item = Result<Sample, AnyError>>) {
    let (mut first, mut whole, mut failed) = (Vec::new(), Vec::new(), 0u32);
    let mut failure = None;
    for sample in samples {
        match sample {
            Ok(sample) => {
                first.push(sample.first.as_secs_f64() * 1000.0);
                whole.push(sample.whole.as_secs_f64() * 1000.0);
            }
            Err(error) => {
                failed += 1;
                failure.get_or_insert_with(|| error.to_string());
            }
        }
    }
    println!(
        "{}",
        json!({"answered": whole.len(), "failed": failed, "failure": failure,
            "first_byte_ms": percentiles(&mut first), "whole_ms": percentiles(&mut whole)})
    );
}
