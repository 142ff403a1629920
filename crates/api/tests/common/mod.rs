//! A whole API over a data directory of its own, with an index in memory.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod conform;
pub mod memory;

use api::{Api, Parts, Peer, Settings};
use axum::body::Body;
use control::{Control, From, NewKey, NewUser, Role, Scope};
use event::{Component, Event, RequestCompleted, RequestReceived, Timestamp};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use ingest::Ingest;
use memory::MemoryIndex;
use recorder::{DecisionIds, Options, PersonNames, Running};
use review::{About, Desk, Hold};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub const PASSWORD: &str = "correct horse";

/// The whole, and who calls it.
pub struct TestApp {
    pub api: Api,
    pub control: Arc<Control>,
    pub desk: Desk,
    pub running: Running,
    pub index: MemoryIndex,
    root: tempfile::TempDir,
    settings: Settings,
}

fn options(root: &std::path::Path) -> Options {
    Options {
        data: root.join("data"),
        state_dir: root.join("state"),
        origin: "audit.test".to_owned(),
        tenant: "default".to_owned(),
        durability: journal::Durability::Process,
        segment_bytes: 1 << 20,
        heartbeat: Duration::from_hours(1),
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    pub fn ok(self) -> Self {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self
    }

    /// The code of a problem, with its form checked.
    pub fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem["code"].as_str().unwrap().to_owned()
    }
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("data")).unwrap();
        Self::open(root, MemoryIndex::default(), settings).await
    }

    /// The same directory, opened again; `between` looks at it while it is closed.
    pub async fn again(self, between: impl FnOnce(&std::path::Path)) -> Self {
        let Self { api, control, desk, running, index, root, settings } = self;
        drop((api, control, desk));
        running.close();
        between(&root.path().join("data"));
        Self::open(root, index, settings).await
    }

    /// The same directory under a new epoch.
    pub async fn next_epoch(self) -> Self {
        let Self { api, control, desk, running, index, root, settings } = self;
        drop((api, control, desk));
        running.close();
        recorder::start_epoch(&options(root.path())).unwrap();
        Self::open(root, index, settings).await
    }

    async fn open(root: tempfile::TempDir, index: MemoryIndex, settings: Settings) -> Self {
        let data = root.path().join("data");
        let running =
            recorder::open(options(root.path()), || Ok(Box::new(index.clone()))).await.unwrap();
        let reviews = Arc::new(control::Reviews::open(&data.join("control.db")).unwrap());
        let desk = Desk::new(reviews, running.recorder.clone(), review::Settings::default());
        let control = Arc::new(Control::open(&data.join("control.db")).unwrap());
        control.ensure_admin(Some(PASSWORD)).unwrap();
        let index_of_api = Arc::new(index.clone());
        let reading = ingest::Reading {
            redactor: policy::Redactor::default(),
            preview_chars: 2048,
            prices: wire::Prices::bundled().unwrap(),
        };
        let ingest = Ingest::open(&data, running.recorder.clone(), reading).unwrap();
        ingest.ready().await;
        let parts = Parts::new(data, &running, index_of_api, control.clone(), desk.clone(), ingest);
        let api = Api::new(parts, settings);
        Self { api, control, desk, running, index, root, settings }
    }

    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// A call over the network with these headers.
    pub async fn call(&self, request: Request<Body>) -> Answer {
        let peer = Peer::Network([192, 0, 2, 9].into());
        send(self.api.router(), request, peer).await
    }

    /// A call over the control socket.
    pub async fn operator(&self, method: &str, uri: &str, body: Value) -> Answer {
        send(self.api.router(), request(method, uri, None, &body), Peer::Socket { uid: 1000 }).await
    }

    pub async fn anon(&self, method: &str, uri: &str) -> Answer {
        self.call(request(method, uri, None, &Value::Null)).await
    }

    pub async fn get(&self, credential: &str, uri: &str) -> Answer {
        self.call(request("GET", uri, Some(credential), &Value::Null)).await
    }

    pub async fn post(&self, credential: &str, uri: &str, body: Value) -> Answer {
        self.call(request("POST", uri, Some(credential), &body)).await
    }

    /// A token of the administrator.
    pub fn admin(&self) -> String {
        self.sign_in("admin", PASSWORD)
    }

    /// A token, past the lock-out and the record of sign-ins.
    pub fn sign_in(&self, username: &str, password: &str) -> String {
        let signed = self.control.login(username, password, From::default()).unwrap();
        signed.access.token.to_string()
    }

    /// Somebody whose password need not be changed.
    pub fn person(&self, username: &str, role: Role, user_id: Option<&str>) -> String {
        let new =
            NewUser { username, password: PASSWORD, role, user_id, must_change_password: false };
        self.control.create_user(&new).unwrap();
        self.sign_in(username, PASSWORD)
    }

    /// A token of somebody with this role, whose name is the role's.
    pub fn token(&self, role: Role) -> String {
        let name = role.as_str();
        let known = self.control.users().unwrap().iter().any(|user| user.username == name);
        if known { self.sign_in(name, PASSWORD) } else { self.person(name, role, None) }
    }

    /// A key with scope ingest.
    pub fn ingest_key(&self, source: Option<&str>) -> String {
        let source = source.map(str::to_owned);
        let new = NewKey { source, scopes: vec![Scope::Ingest], ..NewKey::default() };
        self.control.create_key(new).unwrap().secret.to_string()
    }

    /// A key with scope read.
    pub fn key(&self, source: Option<&str>) -> String {
        let new = NewKey {
            source: source.map(str::to_owned),
            scopes: vec![Scope::Read],
            expires_at: None,
            ..NewKey::default()
        };
        self.control.create_key(new).unwrap().secret.to_string()
    }

    /// Records a call as the gateway would, and gives its id.
    pub async fn decide(&self, source: &str, user: &str, request_id: &str) -> Uuid {
        let recorder = &self.running.recorder;
        let names = PersonNames { user: Some(user.to_owned()), ..PersonNames::default() };
        let persons = recorder.persons(&names).await.unwrap();
        let ids = DecisionIds {
            decision_id: Uuid::now_v7(),
            trace_id: Uuid::from_u128(7),
            request_id: request_id.to_owned(),
        };
        let decision_id = ids.decision_id;
        let mut writer = recorder.decision(ids, persons);
        let mut body = writer.body(recorder::Role::ClientRequest, 0).unwrap();
        body.push(format!("{{\"prompt\":\"of {user}\"}}").as_bytes());
        writer.commit(&[received(source, user)], vec![body]).await.unwrap();
        let mut body = writer.body(recorder::Role::UpstreamResponse, 1).unwrap();
        body.push(&[0xff, 0xfe, 0x00]);
        writer.commit(&[completed()], vec![body]).await.unwrap();
        decision_id
    }

    /// Holds a call as the gateway would, and gives the review's id.
    pub async fn hold(&self, user: &str, reviewers: u32) -> String {
        let recorder = &self.running.recorder;
        let names = PersonNames { user: Some(user.to_owned()), ..PersonNames::default() };
        let persons = recorder.persons(&names).await.unwrap();
        let ids = DecisionIds {
            decision_id: Uuid::now_v7(),
            trace_id: Uuid::from_u128(7),
            request_id: "req-held".to_owned(),
        };
        let fingerprint = review::fingerprint(None, "", "", None, ids.decision_id.as_bytes());
        let mut writer = recorder.decision(ids, persons.clone());
        let mut body = writer.body(recorder::Role::ClientRequest, 0).unwrap();
        body.push(b"{\"prompt\":\"a large loan\"}");
        let opening = self.desk.opening(control::ReviewStage::Request, reviewers);
        let events = [received("finance", user), opening.event()];
        writer.commit(&events, vec![body]).await.unwrap();
        let violation = control::ReviewViolation {
            policy_id: "large-loan".to_owned(),
            outcome: "ESCALATE".to_owned(),
            message: Some("A person has to look at it.".to_owned()),
            ..control::ReviewViolation::default()
        };
        let hold = Hold {
            opening,
            fingerprint,
            arrived_at: Timestamp::now(),
            policy_ids: vec!["large-loan".to_owned()],
            violations: vec![violation],
            api_key_id: None,
            source: Some("finance".to_owned()),
            request_type: Some("summarise".to_owned()),
            model: Some("gpt-4o".to_owned()),
            about: About {
                user_id: Some(user.to_owned()),
                prompt_preview: Some("a large loan".to_owned()),
                facts: Some(serde_json::json!({ "request_bytes": 25 })),
                ..About::default()
            },
            held: b"held".to_vec(),
        };
        self.desk.hold(writer, &persons, hold).await.unwrap().id
    }

    /// Waits until everything written is indexed, as lists do not.
    pub async fn indexed(&self) {
        let end = self.running.progress.borrow().end;
        let mut indexed = self.running.indexed.clone();
        indexed.wait_for(|at| at.is_some_and(|at| at >= end)).await.unwrap();
    }

    /// How many records others reported.
    pub fn reported(&self) -> usize {
        let dir = self.running.recorder.journal_dir();
        let mut records = recorder::RecordReader::open(dir, None, false).unwrap();
        let mut count = 0;
        while let Some(record) = records.next(None).unwrap() {
            if record.leaf.origin == event::Origin::Reported {
                assert!(record.leaf.events.iter().all(|event| event.component == Component::Sdk));
                count += 1;
            }
        }
        count
    }

    /// All accesses recorded so far, as `action result actor`.
    pub fn accesses(&self) -> Vec<String> {
        let recorder = &self.running.recorder;
        let dir = recorder.journal_dir();
        let mut records = recorder::RecordReader::open(dir, None, false).unwrap();
        let mut found = Vec::new();
        while let Some(record) = records.next(None).unwrap() {
            let opened = record.opened(&recorder.tenant(), recorder.keys()).unwrap();
            for event in opened.events {
                if let event::EventData::Access(access) = event.data {
                    let text = |field: Option<String>| field.unwrap_or_default();
                    let actor = text(access.actor);
                    found.push(format!("{} {} {actor}", text(access.action), text(access.result)));
                }
            }
        }
        found
    }
}

fn received(source: &str, user: &str) -> Event {
    let data = RequestReceived {
        source: Some(source.to_owned()),
        user_id: Some(user.to_owned()),
        session_id: Some(format!("session-of-{user}")),
        request_type: Some("summarise".to_owned()),
        method: Some("POST".to_owned()),
        path: Some("/v1/chat/completions".to_owned()),
        model: Some("gpt-4o".to_owned()),
        stream: Some(false),
        prompt_preview: Some(format!("of {user}")),
        headers: Some([("content-type", "application/json")].into_iter().collect()),
        ..RequestReceived::default()
    };
    Event::new(Component::Gateway, Timestamp::now(), data)
}

fn completed() -> Event {
    let data = RequestCompleted {
        status_code: Some(200),
        latency_ms: Some(12.5),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o-2024-08-06".to_owned()),
        outcome: Some("ALLOW".to_owned()),
        ending: Some("complete".to_owned()),
        cost_usd: Some("0.0001475".to_owned()),
        ..RequestCompleted::default()
    };
    Event::new(Component::Gateway, Timestamp::now(), data)
}

pub fn request(method: &str, uri: &str, credential: Option<&str>, body: &Value) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(credential) = credential {
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    if body.is_null() {
        return request.body(Body::empty()).unwrap();
    }
    request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

async fn send(router: axum::Router, mut request: Request<Body>, peer: Peer) -> Answer {
    request.extensions_mut().insert(peer);
    let response: Response<Body> = TowerToHyperService::new(router).call(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: head.status, headers: head.headers, bytes }
}
