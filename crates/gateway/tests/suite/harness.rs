//! A gateway in this process over a recorder in a temporary directory.

use bytes::Bytes;
use control::{Control, NewKey, Scope};
use event::{Decision, Event};
use gateway::{
    Authentication, Breaker, Gateway, Lanes, Model, OnRecordFailure, PolicySettings, Provider,
    ProviderKind, Readiness, Retry, Settings, Strategy, Target, Timeouts,
};
use index::{Cursor, IndexWriter, ProjectedRecord};
use recorder::{Projector, RecordReader, Role, Running};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use testkit::{Answer, Client};
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

/// Calls of one test may be served on different threads.
const LANES: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// An index that remembers only where it is.
struct NoIndex(Option<Cursor>);

impl IndexWriter for NoIndex {
    fn cursor(&self) -> Option<Cursor> {
        self.0.clone()
    }

    fn apply(&mut self, _records: &[ProjectedRecord], cursor: &Cursor) -> index::Result<()> {
        self.0 = Some(cursor.clone());
        Ok(())
    }
}

pub struct Harness {
    root: tempfile::TempDir,
    running: Running,
    pub client: Client,
    pub url: String,
    pub key: String,
    pub bound_key: String,
    pub control: Arc<Control>,
    desk: Option<review::Desk>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    _lanes: Arc<Lanes>,
    _ready: watch::Sender<Readiness>,
}

/// A decision as its records tell it.
#[derive(Debug)]
pub struct Told {
    pub decision: Decision,
    pub events: Vec<Event>,
    pub bodies: BTreeMap<&'static str, Vec<u8>>,
    /// The same with the number of the attempt.
    pub parts: BTreeMap<(&'static str, u8), Vec<u8>>,
}

impl Told {
    pub fn types(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.event_type().as_str()).collect()
    }

    /// A field of every event of a type.
    pub fn fields(&self, event_type: &str, field: &str) -> Vec<serde_json::Value> {
        let of_type = self.events.iter().filter(|e| e.event_type().as_str() == event_type);
        of_type.map(|event| event.data.to_json().unwrap()[field].clone()).collect()
    }

    /// A field of the last event of a type.
    pub fn field(&self, event_type: &str, field: &str) -> serde_json::Value {
        self.events
            .iter()
            .rfind(|event| event.event_type().as_str() == event_type)
            .map_or(serde_json::Value::Null, |event| event.data.to_json().unwrap()[field].clone())
    }
}

pub fn settings(upstream: &str) -> Settings {
    Settings {
        authentication: Authentication::ApiKey,
        required_headers: ["x-llm-source", "x-llm-user", "x-llm-request-type"]
            .map(str::to_owned)
            .to_vec(),
        body_bytes_max: 4 << 20,
        on_record_failure: OnRecordFailure::Refuse,
        base_path: String::new(),
        trusted_proxies: Vec::new(),
        preview_chars: 2048,
        connections_max: 1024,
        timeouts: Timeouts {
            first_byte: Duration::from_secs(20),
            drain: Duration::from_secs(2),
            ..Timeouts::default()
        },
        providers: vec![Provider {
            name: "upstream".to_owned(),
            kind: ProviderKind::Generic,
            base_url: upstream.parse().unwrap(),
            api_key: None,
            inject_usage: true,
            takes_all: true,
            api_version: None,
            baa: false,
        }],
        models: Vec::new(),
        limits: control::KeyLimits::default(),
        detectors: Arc::default(),
        policies: None,
        desk: None,
    }
}

/// The same under policies.
pub fn with_policies(settings: Settings, cedar: &str) -> Settings {
    let source = policy::Source { name: "p.cedar".to_owned(), text: cedar.to_owned() };
    with_bundle(
        settings,
        policy::Bundle::parse(&[source]).unwrap_or_else(|error| panic!("{error}")),
    )
}

/// The same under a bundle.
pub fn with_bundle(settings: Settings, bundle: policy::Bundle) -> Settings {
    let policies = Arc::new(policy::Policies::of(bundle));
    let policies = Some(PolicySettings { policies, record_all: false });
    Settings { policies, ..settings }
}

/// A provider for models: OpenAI's kind, named.
pub fn provider(name: &str, url: &str) -> Provider {
    Provider {
        name: name.to_owned(),
        kind: ProviderKind::OpenAi,
        takes_all: false,
        ..settings(url).providers.remove(0)
    }
}

/// A model `m` over these providers, in this order; their model is `m-at-NAME`. Pauses are short.
pub fn with_model(providers: Vec<Provider>) -> Settings {
    let mut settings = settings("http://127.0.0.1:9");
    let targets = providers
        .iter()
        .map(|p| Target::new(&p.name, &format!("m-at-{}", p.name), &settings.timeouts));
    settings.models = vec![Model {
        name: "m".to_owned(),
        strategy: Strategy::Priority,
        targets: targets.collect(),
        retry: Retry { backoff: Duration::from_millis(1), ..Retry::default() },
        breaker: Breaker { failures: 100, open: Duration::from_hours(1) },
    }];
    settings.providers = providers;
    settings
}

impl Harness {
    pub async fn start(upstream: &str) -> Self {
        Self::with(settings(upstream)).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::with_desk(settings, None).await
    }

    /// A gateway under these policies that holds calls for so long.
    pub async fn guarded(upstream: &str, cedar: &str, wait: Duration) -> Self {
        let settings = with_policies(settings(upstream), cedar);
        Self::with_desk(settings, Some(review::Settings { wait, ..review::Settings::default() }))
            .await
    }

    pub async fn with_desk(mut settings: Settings, reviews: Option<review::Settings>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let options = recorder::Options {
            state_dir: root.path().join("state"),
            origin: "audit.test".to_owned(),
            tenant: "default".to_owned(),
            durability: journal::Durability::Disk,
            segment_bytes: 64 << 20,
            heartbeat: Duration::from_hours(1),
            data: data.clone(),
        };
        let running = recorder::open(options, || Ok(Box::new(NoIndex(None)))).await.unwrap();
        let control = Arc::new(Control::open(&data.join("control.db")).unwrap());
        let key = |source: Option<&str>| {
            let new = NewKey {
                source: source.map(str::to_owned),
                scopes: vec![Scope::Gateway],
                ..NewKey::default()
            };
            control.create_key(new).unwrap().secret.to_string()
        };
        let (key, bound_key) = (key(None), key(Some("finance-app")));
        let (ready, readiness) = watch::channel(Readiness::Ready);
        let desk = reviews.map(|settings| {
            let reviews = control::Reviews::open(&data.join("control.db")).unwrap();
            review::Desk::new(Arc::new(reviews), running.recorder.clone(), settings)
        });
        settings.desk = desk.clone();
        let gateway =
            Gateway::new(settings, running.recorder.clone(), control.clone(), readiness).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = watch::channel(false);
        let lanes = Arc::new(Lanes::start(LANES, || ()).unwrap());
        let serving = lanes.clone();
        let served = tokio::spawn(async move {
            gateway.serve(listener, &serving, stopped).await.unwrap();
        });
        let client = Client::new();
        Self {
            root,
            running,
            client,
            url,
            key,
            bound_key,
            control,
            desk,
            stop,
            served,
            _lanes: lanes,
            _ready: ready,
        }
    }

    pub fn desk(&self) -> &review::Desk {
        self.desk.as_ref().unwrap()
    }

    /// Tells the gateway to stop and waits until it has.
    pub async fn stopped(&mut self) {
        self.stop.send_replace(true);
        (&mut self.served).await.unwrap();
    }

    /// The id of the one review that waits for a person.
    pub async fn pending(&self) -> String {
        let mut changed = self.desk().reviews().changed();
        for _ in 0..1_000 {
            changed.borrow_and_update();
            let state = Some(control::ReviewState::Pending);
            let filter = control::ReviewFilter { state, limit: 2, ..Default::default() };
            let (mut waiting, _) = self.desk().list(filter).await.unwrap();
            if let Some(one) = waiting.pop() {
                assert!(waiting.is_empty(), "one review, not two");
                return one.review.id;
            }
            tokio::time::timeout(Duration::from_secs(20), changed.changed())
                .await
                .expect("a review within 20 s")
                .unwrap();
        }
        panic!("no review");
    }

    pub fn recorder(&self) -> recorder::Recorder {
        self.running.recorder.clone()
    }

    pub fn headers(&self) -> Vec<(&str, &str)> {
        vec![
            ("x-api-key", &self.key),
            ("x-llm-source", "finance-app"),
            ("x-llm-user", "u-42"),
            ("x-llm-request-type", "ask"),
            ("content-type", "application/json"),
        ]
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub async fn post_with(
        &self,
        path: &str,
        more: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let headers: Vec<_> = self.headers().into_iter().chain(more.iter().copied()).collect();
        self.client.call("POST", &format!("{}{path}", self.url), &headers, body).await
    }

    /// Every decision in the journal, in order of its first record.
    pub fn decisions(&self) -> Vec<Told> {
        let recorder = &self.running.recorder;
        let journal = recorder.journal_dir();
        let end = Some(self.running.progress.borrow().end);
        let mut told: Vec<Told> = Vec::new();
        let mut projected = Projector::open(journal, None, recorder.keys()).unwrap();
        let mut stored = RecordReader::open(journal, None, true).unwrap();
        while let Some(record) = projected.next(end).unwrap() {
            let raw = stored.next(end).unwrap().unwrap();
            if record.origin == event::Origin::Control {
                continue;
            }
            let at = told.iter().position(|told| told.decision.id == record.decision_id);
            let at = at.unwrap_or_else(|| {
                told.push(Told {
                    decision: Decision::new(
                        record.decision_id,
                        record.ts,
                        record.trace_id,
                        record.request_id.clone(),
                        record.origin,
                    ),
                    events: Vec::new(),
                    bodies: BTreeMap::new(),
                    parts: BTreeMap::new(),
                });
                told.len() - 1
            });
            for event in record.events {
                told[at].decision.apply(&event);
                told[at].events.push(event);
            }
            for body in raw.bodies(journal, "default", recorder.keys()).unwrap() {
                let (role, bytes) = (Role::as_str(body.role), body.bytes.unwrap());
                told[at].parts.insert((role, body.attempt), bytes.clone());
                told[at].bodies.insert(role, bytes);
            }
        }
        told
    }

    /// Waits until that many decisions have ended, or fails after a bounded time.
    pub async fn ended(&self, count: usize) -> Vec<Told> {
        let mut progress = self.running.progress.clone();
        for _ in 0..10_000 {
            let told = self.decisions();
            if told.iter().filter(|told| told.decision.settled()).count() >= count {
                return told;
            }
            tokio::time::timeout(Duration::from_secs(20), progress.changed())
                .await
                .expect("another record within 20 s")
                .unwrap();
        }
        panic!("{count} decisions did not end: {:#?}", self.decisions());
    }

    /// The decision of an answer.
    pub fn decision_of(&self, answer: &Answer) -> Told {
        let id: Uuid = answer.header("x-audit-id").expect("x-audit-id").parse().unwrap();
        let mut told = self.decisions();
        let at = told.iter().position(|told| told.decision.id == id).expect("recorded");
        told.swap_remove(at)
    }

    pub fn journal_text(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.root.path().join("data/journal")).unwrap() {
            all.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        all
    }
}
