//! The live feed of the running product: many listeners, load, and a `kill -9` in between.

use crate::support::{call, on, server};
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use testkit::{AuditLayer, Behaviour, Client, MockProvider};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Half over WebSockets, half over server-sent events.
const LISTENERS: usize = 500;
const SOURCES: [&str; 2] = ["finance-app", "hr-app"];
const CALLERS: usize = 4;
const POLL: Duration = Duration::from_millis(20);
const COME_BACK: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(120);

/// What a listener knows.
#[derive(Default)]
struct Heard {
    ids: Vec<String>,
    cursor: Option<String>,
}

impl Heard {
    /// Takes a message; panics where something was left out.
    fn take(&mut self, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap();
        assert_ne!(message["type"], "missed", "{message}");
        self.cursor = message["cursor"].as_str().map(str::to_owned);
        if let Some(id) = message["decision"]["id"].as_str() {
            self.ids.push(id.to_owned());
        }
    }

    fn has(&self, expected: &BTreeSet<String>) -> bool {
        !expected.is_empty() && self.ids.len() >= expected.len()
    }
}

/// One listener: where the server is, what it shall hear, and how it listens.
struct Listener {
    api: watch::Receiver<String>,
    expected: watch::Receiver<BTreeSet<String>>,
    key: String,
    source: &'static str,
    socket: bool,
    joined: Arc<AtomicU64>,
}

impl Listener {
    /// Listens, and comes back after every loss, until it has heard as much as there is.
    async fn run(mut self) -> Vec<String> {
        let mut heard = Heard::default();
        while !heard.has(&self.expected.borrow_and_update()) {
            let path = match &heard.cursor {
                Some(cursor) => format!("?q=source:{}&since={cursor}", self.source),
                None => format!("?source={}", self.source),
            };
            if self.socket {
                self.socket(&path, &mut heard).await;
            } else {
                self.events(&path, &mut heard).await;
            }
            if heard.has(&self.expected.borrow_and_update()) {
                break;
            }
            // Lost with the server, or not let in yet.
            tokio::select! {
                _ = self.api.changed() => {}
                _ = self.expected.changed() => {}
                () = tokio::time::sleep(COME_BACK) => {}
            }
        }
        heard.ids
    }

    async fn socket(&mut self, path: &str, heard: &mut Heard) -> Option<()> {
        let host = self.api.borrow_and_update().trim_start_matches("http://").to_owned();
        let mut request = format!("ws://{host}/ws/feed{path}").into_client_request().unwrap();
        let bearer = format!("Bearer {}", self.key).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let stream = TcpStream::connect(&host).await.ok()?;
        let (mut socket, _) = client_async(request, stream).await.ok()?;
        self.joined.fetch_add(1, Ordering::Relaxed);
        loop {
            tokio::select! {
                message = socket.next() => match message?.ok()? {
                    Message::Text(text) => heard.take(&text),
                    Message::Close(_) => return None,
                    _ => {}
                },
                _ = self.expected.changed() => {}
            }
            if heard.has(&self.expected.borrow_and_update()) {
                return Some(());
            }
        }
    }

    async fn events(&mut self, path: &str, heard: &mut Heard) -> Option<()> {
        let url = format!("{}/api/v1/feed{path}", self.api.borrow_and_update().clone());
        let request = http::Request::get(url)
            .header("authorization", format!("Bearer {}", self.key))
            .body(http_body_util::Full::default())
            .unwrap();
        let mut answer = Client::new().send(request).await.ok()?;
        if answer.status != 200 {
            return None;
        }
        self.joined.fetch_add(1, Ordering::Relaxed);
        let mut text = String::new();
        loop {
            tokio::select! {
                piece = answer.chunk() => text.push_str(std::str::from_utf8(&piece?.ok()?).ok()?),
                _ = self.expected.changed() => {}
            }
            while let Some((event, rest)) = text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                heard.take(data.unwrap());
                text = rest.to_owned();
            }
            if heard.has(&self.expected.borrow_and_update()) {
                return Some(());
            }
        }
    }
}

/// Calls through the gateway until it is told to stop or the server is gone.
async fn load(url: String, keys: Vec<String>, numbers: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let client = Client::new();
    while !stop.load(Ordering::Relaxed) {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let key = &keys[number as usize % keys.len()];
        let request = http::Request::post(format!("{url}/v1/chat/completions"))
            .header("x-api-key", key)
            .header("x-llm-user", "u-42")
            .header("x-llm-request-type", "ask")
            .header("content-type", "application/json")
            .body(http_body_util::Full::new(r#"{"model":"m","messages":[]}"#.into()))
            .unwrap();
        let Ok(answer) = client.send(request).await else { return };
        if !answer.whole().await.complete {
            return;
        }
    }
}

/// Everything that has ended of a source, as the list shows it; no server may run.
async fn ended(server: &AuditLayer, source: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut arguments = vec!["logs", "--json", "--limit", "500", "--query"];
        let query = format!("source:{source} -status:running");
        arguments.push(&query);
        if let Some(cursor) = &cursor {
            arguments.extend(["--cursor", cursor]);
        }
        let page = server.run_json(&arguments).await;
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return ids;
        }
    }
}

async fn reader(server: &AuditLayer, source: &str) -> String {
    let arguments = ["keys", "create", "--source", source, "--scope", "read", "--json"];
    server.run_json(&arguments).await["key"].as_str().unwrap().to_owned()
}

async fn burst(server: &AuditLayer, keys: &[String], numbers: &Arc<AtomicU64>, calls: u64) {
    let stop = Arc::new(AtomicBool::new(false));
    let until = numbers.load(Ordering::Relaxed) + calls;
    let url = server.gateway_url();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let load = load(url.to_owned(), keys.to_vec(), numbers.clone(), stop.clone());
            tokio::spawn(load)
        })
        .collect();
    while numbers.load(Ordering::Relaxed) < until {
        tokio::time::sleep(POLL).await;
    }
    stop.store(true, Ordering::Relaxed);
    if !calls.is_multiple_of(2) {
        // Killed with calls under way.
        return;
    }
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_listeners_hears_each_decision_once_over_a_kill() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = server().upstream(&provider.url()).prepare();
    server.start().await;
    let keys = [server.key(SOURCES[0]).await, server.key(SOURCES[1]).await];
    let readers = [reader(&server, SOURCES[0]).await, reader(&server, SOURCES[1]).await];
    let (api, _) = watch::channel(server.api_url().to_owned());
    let expected = SOURCES.map(|_| watch::channel(BTreeSet::new()).0);
    let joined = Arc::new(AtomicU64::new(0));
    let listeners: Vec<_> = (0..LISTENERS)
        .map(|number| {
            let listener = Listener {
                api: api.subscribe(),
                expected: expected[number % 2].subscribe(),
                key: readers[number % 2].clone(),
                source: SOURCES[number % 2],
                socket: number % 4 < 2,
                joined: joined.clone(),
            };
            tokio::spawn(listener.run())
        })
        .collect();
    while joined.load(Ordering::Relaxed) < LISTENERS as u64 {
        tokio::time::sleep(POLL).await;
    }
    let numbers = Arc::new(AtomicU64::new(0));
    burst(&server, &keys, &numbers, 301).await;
    server.kill().await;
    server.start().await;
    api.send_replace(server.api_url().to_owned());
    burst(&server, &keys, &numbers, 300).await;
    // A stop, this time, after which the list is whole.
    assert!(server.stop().await.success());
    for (expected, source) in expected.iter().zip(SOURCES) {
        expected.send_replace(ended(&server, source).await);
    }
    server.start().await;
    api.send_replace(server.api_url().to_owned());
    for (number, listener) in listeners.into_iter().enumerate() {
        let mut heard = tokio::time::timeout(PATIENCE, listener).await.unwrap().unwrap();
        heard.sort();
        let expected: Vec<String> = expected[number % 2].borrow().iter().cloned().collect();
        assert!(expected.len() > 200, "{}", expected.len());
        assert!(heard == expected, "listener {number}: {} of {}", heard.len(), expected.len());
    }
    assert!(server.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_follow_tells_each_decision_once_over_a_restart() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = server().upstream(&provider.url()).prepare();
    server.start().await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    call(&client, server.gateway_url(), &key, "r-1").await;
    while on(&server, &["logs", "--json"]).await.json()["items"] == Value::Array(Vec::new()) {}
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_audit-layer"))
        .args(["logs", "--follow", "--json", "--query", "user:u-42 -request:r-3", "--data"])
        .arg(server.data())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let decision: Value = serde_json::from_str(&line.unwrap()).unwrap();
        decision["request_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(next().await, "r-1");
    call(&client, server.gateway_url(), &key, "r-2").await;
    assert_eq!(next().await, "r-2");
    assert!(server.stop().await.success());
    server.start().await;
    for id in ["r-3", "r-4"] {
        call(&client, server.gateway_url(), &key, id).await;
    }
    assert_eq!(next().await, "r-4");
}
