//! The live feed over real connections: what is told, to whom, from where on, and when it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use api::ServeLimits;
use common::TestApp;
use control::Role;
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

/// An app that listens.
struct Served {
    app: TestApp,
    at: SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn new() -> Self {
        Self::of(TestApp::new().await).await
    }

    async fn of(app: TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let api = app.api.clone();
        let serving = tokio::spawn(async move {
            api.serve(listener, ServeLimits::default(), stopped).await;
        });
        Self { app, at, stop, serving }
    }

    async fn connect(
        &self,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, (u16, Value)> {
        let mut request = format!("ws://{}/ws/feed{query}", self.at).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.at).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => {
                let status = answer.status().as_u16();
                let body = answer.into_body().unwrap_or_default();
                Err((status, serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn listen(&self, credential: &str, query: &str) -> Socket {
        let bearer = format!("Bearer {credential}");
        let mut socket = self.connect(query, &[("authorization", &bearer)]).await.unwrap();
        assert_eq!(next(&mut socket).await["type"], "hello");
        socket
    }
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// The decisions that are told until `last` is.
async fn until(socket: &mut Socket, last: uuid::Uuid) -> (Vec<String>, String) {
    let mut told = Vec::new();
    loop {
        let message = next(socket).await;
        assert_eq!(message["type"], "decision", "{message}");
        told.push(message["decision"]["request_id"].as_str().unwrap().to_owned());
        if message["decision"]["id"] == last.to_string() {
            return (told, message["cursor"].as_str().unwrap().to_owned());
        }
    }
}

async fn closed(socket: &mut Socket) -> (CloseCode, String) {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => return (frame.code, frame.reason.to_string()),
            Message::Close(None) => panic!("closed without a word"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_fits_is_told_once_and_goes_on_behind_a_cursor() {
    let served = Served::new().await;
    let (app, admin) = (&served.app, served.app.admin());
    let mut all = served.listen(&admin, "").await;
    let mut some = served.listen(&admin, "?q=source:hr+-user:u-9").await;
    app.decide("finance", "u-1", "r-1").await;
    let second = app.decide("hr", "u-2", "r-2").await;
    app.decide("hr", "u-9", "r-3").await;
    let fourth = app.decide("hr", "u-1", "r-4").await;
    let (told, cursor) = until(&mut all, second).await;
    assert_eq!(told, ["r-1", "r-2"]);
    assert_eq!(until(&mut all, fourth).await.0, ["r-3", "r-4"]);
    assert_eq!(until(&mut some, fourth).await.0, ["r-2", "r-4"]);

    // Behind a cursor, and behind what a list showed.
    let query = format!("?since={cursor}");
    assert_eq!(until(&mut served.listen(&admin, &query).await, fourth).await.0, ["r-3", "r-4"]);
    let listed = app.get(&admin, "/api/v1/audit/logs").await.json();
    let fifth = app.decide("hr", "u-1", "r-5").await;
    let query = format!("?source=hr&since={}", listed["as_of"].as_str().unwrap());
    assert_eq!(until(&mut served.listen(&admin, &query).await, fifth).await.0, ["r-5"]);

    // And from the very beginning, with what follows live.
    let begin = cursor_of_the_beginning(&listed);
    let mut whole = served.listen(&admin, &format!("?since={begin}")).await;
    let sixth = app.decide("hr", "u-1", "r-6").await;
    let told = until(&mut whole, sixth).await.0;
    assert_eq!(told, ["r-1", "r-2", "r-3", "r-4", "r-5", "r-6"]);
}

/// The beginning of the journal that a list was made of.
fn cursor_of_the_beginning(listed: &Value) -> String {
    let (writer, _) = listed["as_of"].as_str().unwrap().split_once(':').unwrap();
    format!("{writer}:1:0:0")
}

#[tokio::test]
async fn a_place_survives_the_process() {
    let mut served = Served::new().await;
    let admin = served.app.admin();
    let mut all = served.listen(&admin, "").await;
    let first = served.app.decide("hr", "u-1", "r-1").await;
    let (_, cursor) = until(&mut all, first).await;
    served.app.decide("hr", "u-1", "r-2").await;
    served.stop.send_replace(true);
    assert_eq!(closed(&mut all).await.0, CloseCode::Restart);
    served.serving.await.unwrap();
    served = Served::of(served.app.next_epoch().await).await;
    let third = served.app.decide("hr", "u-1", "r-3").await;
    let admin = served.app.admin();
    let mut again = served.listen(&admin, &format!("?since={cursor}")).await;
    assert_eq!(until(&mut again, third).await.0, ["r-2", "r-3"]);
}

#[tokio::test]
async fn a_viewer_hears_only_of_their_own_and_a_key_of_its_source() {
    let served = Served::new().await;
    let app = &served.app;
    let viewer = app.token(Role::Viewer);
    let key = app.key(Some("hr"));
    let mut own = served.listen(&viewer, "").await;
    let mut source = served.listen(&key, "").await;
    app.decide("finance", "somebody", "r-1").await;
    app.decide("hr", "somebody", "r-2").await;
    let last = app.decide("hr", "viewer", "r-3").await;
    assert_eq!(until(&mut own, last).await.0, ["r-3"]);
    assert_eq!(until(&mut source, last).await.0, ["r-2", "r-3"]);
    let bearer = format!("Bearer {viewer}");
    let refused = served.connect("?user_id=somebody", &[("authorization", &bearer)]).await;
    assert_eq!(refused.err().unwrap().0, 403);
    let mut none = served.listen(&viewer, "?q=user:somebody+OR+source:hr").await;
    let last = app.decide("hr", "viewer", "r-4").await;
    app.decide("hr", "somebody", "r-5").await;
    assert_eq!(until(&mut none, last).await.0, ["r-4"]);
}

#[tokio::test]
async fn tickets_open_once_and_pages_of_elsewhere_never() {
    let served = Served::new().await;
    let app = &served.app;
    let viewer = app.token(Role::Viewer);
    let ticket = app.post(&viewer, "/api/v1/feed/tickets", json!({})).await;
    assert_eq!(ticket.status, 201);
    let query = format!("?ticket={}", ticket.json()["ticket"].as_str().unwrap());
    let here = format!("http://{}", served.at);
    let mut socket = served.connect(&query, &[("origin", &here)]).await.unwrap();
    assert_eq!(next(&mut socket).await["filter"], "user:viewer");
    assert_eq!(served.connect(&query, &[]).await.err().unwrap().0, 401);
    assert_eq!(served.connect("", &[]).await.err().unwrap().0, 401);
    let bearer = format!("Bearer {}", app.admin());
    let elsewhere = [("authorization", bearer.as_str()), ("origin", "https://evil.example")];
    assert_eq!(served.connect("", &elsewhere).await.err().unwrap().0, 403);
    drop(socket);
    let accesses = app.accesses();
    for told in ["feed_ticket ok viewer", "feed ok viewer", "feed denied admin"] {
        assert!(accesses.iter().any(|access| access == told), "{told} is not in {accesses:?}");
    }
}

#[tokio::test]
async fn cursors_that_lead_nowhere_are_refused() {
    let served = Served::new().await;
    let (app, admin) = (&served.app, served.app.admin());
    app.decide("hr", "u-1", "r-1").await;
    app.indexed().await;
    let listed = app.get(&admin, "/api/v1/audit/logs").await.json();
    let as_of = listed["as_of"].as_str().unwrap();
    let (place, offset) = as_of.rsplit_once(':').unwrap();
    let within = format!("{place}:{}", offset.parse::<u64>().unwrap() - 8);
    let bearer = format!("Bearer {admin}");
    for bad in ["x", "AAAA", &as_of[1..], &format!("{as_of}000"), &within] {
        let query = format!("?since={bad}");
        let (status, problem) =
            served.connect(&query, &[("authorization", &bearer)]).await.err().unwrap();
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_cursor")), "{bad}");
        let answer = app.get(&admin, &format!("/api/v1/feed{query}")).await;
        assert_eq!(answer.problem(), "invalid_cursor", "{bad}");
    }
    // One bad place does not spoil the good ones.
    let begin = cursor_of_the_beginning(&listed);
    let mut whole = served.listen(&admin, &format!("?since={begin}")).await;
    assert_eq!(next(&mut whole).await["decision"]["request_id"], "r-1");
    let plain = app.get(&admin, "/ws/feed").await;
    assert_eq!(plain.problem(), "upgrade_required");
}

#[tokio::test]
async fn whoever_talks_too_much_is_closed_with_a_policy_error() {
    let served = Served::new().await;
    let mut socket = served.listen(&served.app.admin(), "").await;
    for _ in 0..10_000 {
        if socket.send(Message::text("hello?")).await.is_err() {
            break;
        }
    }
    let (code, reason) = closed(&mut socket).await;
    assert_eq!((code, reason.as_str()), (CloseCode::Policy, "the feed takes no messages"));
}

#[tokio::test]
async fn server_sent_events_say_the_same() {
    let served = Served::new().await;
    let app = &served.app;
    let admin = app.admin();
    let stream = TcpStream::connect(served.at).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = common::request("GET", "/api/v1/feed?outcome=ALLOW", Some(&admin), &Value::Null);
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let last = app.decide("hr", "u-1", "r-1").await;
    let mut text = String::new();
    while !text.contains(&last.to_string()) {
        let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
        text.push_str(std::str::from_utf8(&data).unwrap());
    }
    let events: Vec<BTreeMap<&str, &str>> = text
        .split_terminator("\n\n")
        .map(|event| event.lines().filter_map(|line| line.split_once(": ")).collect())
        .collect();
    assert_eq!((events[0]["event"], events[1]["event"]), ("hello", "decision"));
    let message: Value = serde_json::from_str(events[1]["data"]).unwrap();
    assert_eq!(
        (&message["type"], &message["cursor"]),
        (&json!("decision"), &json!(events[1]["id"]))
    );
    served.stop.send_replace(true);
    let mut rest = String::new();
    while let Some(Ok(frame)) = body.frame().await {
        rest.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    assert!(rest.contains("event: closing"), "{rest}");
    served.serving.await.unwrap();
}
