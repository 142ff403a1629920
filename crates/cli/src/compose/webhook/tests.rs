use super::*;
use control::{NewReview, NewVote, ReviewStage, Reviews, new_review_id};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

const SECRET: &str = "a secret of the receiver";

#[derive(Debug, Clone)]
struct Got {
    headers: http::HeaderMap,
    body: String,
}

/// A receiver that answers with these statuses in turn, the last one for ever.
struct Receiver {
    url: Uri,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    async fn start(statuses: &'static [u16]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=1", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let taking = got.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let got = taking.clone();
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let got = got.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        assert_eq!(head.uri.query(), Some("key=1"));
                        let body = body.collect().await.unwrap().to_bytes();
                        let body = String::from_utf8(body.to_vec()).unwrap();
                        let mut got = got.lock().unwrap();
                        got.push(Got { headers: head.headers, body });
                        let status = statuses[(got.len() - 1).min(statuses.len() - 1)];
                        let answer = http::Response::builder().status(status);
                        Ok::<_, Infallible>(answer.body(Full::new(Bytes::new())).unwrap())
                    }
                });
                let served = hyper::server::conn::http1::Builder::new();
                tokio::spawn(served.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url: url.parse().unwrap(), got }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

struct Place {
    _root: tempfile::TempDir,
    store: crate::compose::Store,
}

impl Place {
    async fn open() -> Self {
        let root = tempfile::tempdir().unwrap();
        let config = Config { data: root.path().join("data"), ..Config::default() };
        let store = crate::compose::Store::open(&config).await.unwrap();
        store.desk.reviews().keep_hooks();
        Self { _root: root, store }
    }

    fn desk(&self) -> &Desk {
        &self.store.desk
    }

    fn reviews(&self) -> &Reviews {
        self.desk().reviews()
    }

    fn hold(&self) -> Review {
        let now = Timestamp::now();
        let new = NewReview {
            id: new_review_id(),
            decision_id: Uuid::now_v7(),
            trace_id: Uuid::now_v7(),
            request_id: "r-1".to_owned(),
            stage: ReviewStage::Request,
            fingerprint: [1; 32],
            arrived_at: now,
            created_at: now,
            expires_at: after(now, Duration::from_hours(1)),
            policy_ids: vec!["large-loan".to_owned()],
            violations: Vec::new(),
            api_key_id: None,
            source: None,
            request_type: None,
            model: None,
            reviewers_needed: 1,
            about: Vec::new(),
            held: Vec::new(),
            next_record: 1,
        };
        self.reviews().insert(&new).unwrap()
    }
}

#[tokio::test]
async fn a_message_is_signed_and_sent_again_until_it_is_taken() {
    let place = Place::open().await;
    let receiver = Receiver::start(&[503, 200]).await;
    let webhook = Webhook::new(receiver.url.clone(), SECRET.as_bytes()).unwrap();
    let review = place.hold();
    let first = Timestamp::now();
    webhook.send_due(place.desk(), first).await.unwrap();
    webhook.send_due(place.desk(), first).await.unwrap();
    assert_eq!(receiver.got().len(), 1, "not at once");
    let later = after(first, pause(0));
    webhook.send_due(place.desk(), later).await.unwrap();
    webhook.send_due(place.desk(), after(later, Duration::from_hours(2))).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 2, "and not once it is taken");
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
    for Got { headers, body } in got {
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
        let tag = STANDARD.decode(text("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&body["type"], &body["data"]["id"]),
            (&"review.created".into(), &review.id.clone().into())
        );
    }
}

#[tokio::test]
async fn a_decision_is_told_without_its_reasons_and_what_nobody_takes_is_given_up() {
    let place = Place::open().await;
    let receiver = Receiver::start(&[404]).await;
    let webhook = Webhook::new(receiver.url.clone(), SECRET.as_bytes()).unwrap();
    let review = place.hold();
    let vote = NewVote {
        reviewer: "alice".to_owned(),
        approve: false,
        rationale: "Mr X has none".to_owned(),
    };
    place.reviews().vote(&review.id, &vote, Timestamp::now()).unwrap();
    let mut now = Timestamp::now();
    for _ in 0..TRIES_MAX + 5 {
        webhook.send_due(place.desk(), now).await.unwrap();
        now = after(now, Duration::from_secs(LONGEST_PAUSE_S));
    }
    let got = receiver.got();
    assert_eq!(got.len(), 2 * TRIES_MAX as usize, "creation and decision");
    let last: serde_json::Value = serde_json::from_str(&got.last().unwrap().body).unwrap();
    assert_eq!(
        (&last["type"], &last["data"]["outcome"]),
        (&"review.decided".into(), &"rejected".into())
    );
    assert!(got.iter().all(|one| !one.body.contains("Mr X")));
    assert!(place.reviews().hooks(now).unwrap().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_again() {
    let place = Place::open().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let webhook = Webhook::new(url.parse().unwrap(), SECRET.as_bytes()).unwrap();
    place.hold();
    let now = Timestamp::now();
    webhook.send_due(place.desk(), now).await.unwrap();
    let again = place.reviews().hooks(after(now, pause(0))).unwrap();
    assert_eq!((again.len(), again[0].tries), (1, 1));
}
